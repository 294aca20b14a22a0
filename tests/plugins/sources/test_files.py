"""Local files of rows, of each type."""

import gzip
import json
import pickle
import zlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from pyarrow import ipc

from luthier.core import BadData, check
from luthier.core.data import BadValue, Rows, Text
from luthier.core.data.dataset import BadRow, standardized
from luthier.core.problems import BadRunFile
from luthier.core.wiring import first_answer, manager_of

ROW = {"instruction": "Add.", "input": "1, 2", "output": "3"}
COUNTED = [{"instruction": f"Say {n}.", "input": "", "output": str(n)} for n in range(2500)]


def declared(path, **settings):
    """Return a dataset as a run file declares it."""
    return check({"data": [{"path": str(path), "format": "alpaca", **settings}]}).data[0]


def opened(path, **settings):
    """Return the rows of a dataset as its source gives them."""
    spec = declared(path, **settings)
    return Rows.of(first_answer(manager_of([spec.source]), "open_dataset", spec=spec))


def written(file, rows):
    """Write rows in the way that the ending of a file's name says."""
    inner = file.name.removesuffix(".gz").removesuffix(".zst")
    plain = file.with_name(f"plain-{inner}")
    table = pa.Table.from_pylist(rows)
    if inner.endswith(".parquet"):
        pq.write_table(table, plain, row_group_size=700)
    elif inner.endswith(".arrow"):
        open_writer = ipc.new_stream if "stream" in inner else ipc.new_file
        with open_writer(plain, table.schema) as writer:
            writer.write_table(table, max_chunksize=1200)
    elif inner.endswith((".csv", ".tsv")):
        mark = "\t" if inner.endswith(".tsv") else ","
        lines = [list(rows[0]), *(row.values() for row in rows)]
        plain.write_text("".join(mark.join(line) + "\n" for line in lines))
    elif inner.endswith(".json"):
        plain.write_text(json.dumps(rows, indent=1))
    else:
        plain.write_text("".join(json.dumps(row) + "\n" for row in rows))
    contents = plain.read_bytes()
    plain.unlink()
    if file.suffix == ".gz":
        contents = gzip.compress(contents)
    elif file.suffix == ".zst":
        contents = zstandard.compress(contents)
    file.write_bytes(contents)
    return file


TYPES = ["a.json", "a.jsonl", "a.csv", "a.tsv", "a.parquet", "a.arrow", "stream.arrow"]


@pytest.mark.parametrize("packing", ["", ".gz", ".zst"])
@pytest.mark.parametrize("name", TYPES)
def test_each_type_of_file_gives_the_same_rows_from_wherever_it_is_read(tmp_path, name, packing):
    rows = opened(written(tmp_path / (name + packing), COUNTED))
    assert list(rows) == COUNTED
    for start in (1, 699, 700, 1300, 2499, 2500, 9000):
        assert list(rows.read(start)) == COUNTED[start:]
    assert f"{name}{packing}, row 1400" in rows.place(1399)


def test_a_folder_is_read_in_the_order_of_names_and_hidden_files_are_not(tmp_path):
    for name in ("b/1.jsonl.gz", "a.jsonl", "b/.2.jsonl", ".c/3.jsonl", "b/2.jsonl"):
        file = tmp_path / "set" / name
        file.parent.mkdir(exist_ok=True, parents=True)
        written(file, [{**ROW, "output": name}] * 2)
    rows = opened(tmp_path / "set")
    names = ["a.jsonl", "b/1.jsonl.gz", "b/2.jsonl"]
    assert [row["output"] for row in rows] == [name for name in names for _ in range(2)]
    assert [row["output"] for row in rows.read(3)] == [names[1], names[2], names[2]]
    assert rows.place(3).endswith("b/1.jsonl.gz, row 2")


def test_only_the_rows_that_are_asked_for_are_parsed(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text("not json\n" + json.dumps(ROW) + "\n")
    assert list(opened(file).read(1)) == [ROW]


def test_rows_are_read_one_by_one_and_never_the_whole_file(tmp_path):
    file = tmp_path / "a.json"
    file.write_text("[" + (json.dumps(ROW) + ",") * 200_000)
    assert next(iter(opened(file))) == ROW


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"a": 1}\n {"a": 2}]', r"a\.json:2:2: expected a comma or the end of the list"),
        ('[{"a": 1},\n {"a": tru}]', r"a\.json:2:8: Expecting value"),
        ('[{"a": 1},\n {"b": "x', r"a\.json:2:8: Unterminated string"),
        ('[{"a": 1}', r"a\.json:1:10: expected a comma or the end of the list"),
        ('[{"a": 1}] x', r"a\.json:1:12: there is more after the end"),
        ("[" * 100_000, r"a\.json:1:2: "),
    ],
)
def test_a_list_that_is_broken_is_told_with_line_and_column(tmp_path, text, said):
    file = tmp_path / "a.json"
    file.write_text(text)
    with pytest.raises(BadData, match=said):
        list(opened(file))


def test_a_long_value_that_no_piece_holds_whole_is_read(tmp_path):
    rows = [{"text": "é\\n" * 100_000}, {"text": "\U0001f600" * 50_000}]
    file = tmp_path / "a.json"
    file.write_text(json.dumps(rows))
    assert list(opened(file)) == rows
    file.write_text(json.dumps(rows, ensure_ascii=False))
    assert list(opened(file)) == rows


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.csv", "a.txt"])
def test_what_is_no_utf8_is_told_with_line_and_column(tmp_path, name):
    file = tmp_path / name
    lines = {
        "a.json": b'[{"text": "a"},\n{"text": "\xff"}]',
        "a.jsonl": b'{"text": "a"}\n{"text": "\xff"}\n',
        "a.csv": b"text\n\xc3\xa91234567\xff\n",
        "a.txt": b"a\n12345678\xff",
    }
    file.write_bytes(lines[name])
    column = 11 if "json" in name else 9
    with pytest.raises(BadData, match=rf"{name}:2:{column}: the byte 0xff is no UTF-8"):
        list(standardized(declared(file, format="text")))


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.csv"])
def test_a_mark_of_byte_order_is_no_part_of_the_data(tmp_path, name):
    file = written(tmp_path / name, COUNTED[:2])
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert list(opened(file)) == COUNTED[:2]


@pytest.mark.parametrize(
    ("text_rows", "texts"),
    [
        ("lines", ["One", " two.", "Three."]),
        ("paragraphs", ["One\n two.", "Three."]),
        ("files", ["One\r\n two.\n\n \nThree."]),
    ],
)
def test_a_text_file_is_of_lines_or_paragraphs_or_one_text(tmp_path, text_rows, texts):
    file = tmp_path / "a.txt"
    file.write_bytes(b"One\r\n two.\n\n \nThree.")
    rows = opened(file, source={"name": "files", "text_rows": text_rows})
    assert [row["text"] for row in rows] == texts
    assert [row["text"] for row in rows.read(1)] == texts[1:]
    if text_rows == "paragraphs":
        assert rows.place(1).endswith("a.txt, row 2 (line 5)")


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst", "a.parquet", "a.arrow"])
def test_a_file_that_is_cut_off_is_named(tmp_path, name):
    file = written(tmp_path / name, COUNTED)
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(BadData, match=rf"{name} cannot be read"):
        list(opened(file))


def test_a_file_may_be_of_several_compressed_parts(tmp_path):
    for name, pack in (("a.jsonl.gz", gzip.compress), ("a.jsonl.zst", zstandard.compress)):
        line = (json.dumps(ROW) + "\n").encode()
        (tmp_path / name).write_bytes(pack(line) + pack(line * 9999))
        assert sum(1 for _ in opened(tmp_path / name)) == 10_000


def test_a_file_that_is_not_compressed_as_it_says_is_named(tmp_path):
    for name in ("a.jsonl.gz", "a.jsonl.zst"):
        (tmp_path / name).write_text(json.dumps(ROW))
        with pytest.raises(BadData, match=rf"{name} cannot be read"):
            list(opened(tmp_path / name))
    broken = bytearray(gzip.compress(zlib.compress(b"x" * 99)))
    broken[15] ^= 255
    (tmp_path / "a.jsonl.gz").write_bytes(broken)
    with pytest.raises(BadData, match=r"a\.jsonl\.gz"):
        list(opened(tmp_path / "a.jsonl.gz"))


def test_a_file_that_is_no_json_is_named(spec_of):
    with pytest.raises(BadData, match=r"data\.jsonl:1:2: no JSON: Expecting property name"):
        list(standardized(spec_of("{not json\n", format="alpaca")))


def test_a_line_that_is_cut_is_told_where_it_ends(spec_of):
    with pytest.raises(BadData, match=r"data\.jsonl:1:11: no JSON: Expecting value"):
        list(standardized(spec_of('{"output":\r\n', format="alpaca")))


BROKEN = {
    "a.jsonl": b'{"text": "a"}\n{"text":\n3\n{"text": "\xff"}\n{"text": "b"}\n',
    "a.json": b'[{"text": "a"}, 3, {"text": "b"}]',
    "a.csv": b"text,url\na,1\nc,2,3\nb,4\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_row_that_cannot_be_read_is_dropped_as_any_bad_one(tmp_path, name):
    (tmp_path / name).write_bytes(BROKEN[name])
    found = standardized(declared(tmp_path / name, format="text", bad_rows="drop"))
    rows = list(found.read())
    assert [row.text for row in rows if isinstance(row, Text)] == ["a", "b"]
    assert all(isinstance(row, BadValue) for row in rows[1:-1])
    # rows are handed over to other processes
    assert pickle.loads(pickle.dumps(rows[1])).problem == rows[1].problem  # noqa: S301
    with pytest.raises(BadRow):
        list(found)


def test_a_quote_that_is_never_closed_is_told_where_its_row_begins(spec_of):
    text = 'instruction,output\nAdd.,3\n\nAdd.,"3\nAdd.,4\n'
    with pytest.raises(BadData, match=r"data\.csv:3: the row that begins here .* Close each"):
        list(standardized(spec_of(text, "data.csv", format="alpaca")))
    text = 'instruction,output\nAdd.,"3\nAdd.,"4"\n'
    with pytest.raises(BadData, match=r"data\.csv:2: the row .* here .*: ',' expected after '\"'"):
        list(standardized(spec_of(text, "data.csv", format="alpaca")))


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_text_that_looks_like_a_number_or_a_date_stays_text(tmp_path, name):
    rows = [{"q": "NA", "a": "2"}, {"q": "None", "a": "2024-01-01"}]
    assert list(opened(written(tmp_path / name, rows))) == rows


def test_a_key_that_only_later_rows_have_is_read_too(spec_of):
    full = {**ROW, "system": "Be brief.", "history": [["Hi.", "Hello."]]}
    rows = list(
        standardized(spec_of([{"instruction": "Add.", "output": "3"}, full], format="alpaca"))
    )
    assert [row.system for row in rows] == ["", "Be brief."]
    assert [len(row.prompt) for row in rows] == [1, 3]


def test_a_column_may_hold_values_of_several_types(tmp_path):
    rows = [{"note": value} for value in ("3", ["x"], 1, {"a": 1}, None, 2**70)]
    assert list(opened(written_lines(tmp_path / "a.jsonl", rows))) == rows


def written_lines(file, rows):
    """Write rows as JSON lines, an empty line before each."""
    file.write_text("".join("\n" + json.dumps(row) + "\n" for row in rows))
    return file


def test_a_bad_row_is_told_with_its_file_its_number_and_its_line(tmp_path):
    file = written_lines(tmp_path / "a.jsonl", [ROW, {**ROW, "output": 3}])
    spec = declared(file)
    with pytest.raises(BadRow, match=r"a\.jsonl, row 2 \(line 4\): the field 'output' is 3"):
        list(standardized(spec))


def test_a_row_with_more_values_than_columns_is_told_with_its_line(spec_of):
    text = "instruction,output\nAdd.,3\nAdd 1, 2.,3\n"
    with pytest.raises(BadData, match=r"(?s)data\.csv:3: the row has more values .*double quotes"):
        list(standardized(spec_of(text, "data.csv", format="alpaca")))


def test_two_columns_of_one_name_are_refused(spec_of):
    with pytest.raises(BadData, match=r"data\.csv:1: two columns are called 'output'"):
        standardized(spec_of("output,output\na,b\n", "data.csv", format="alpaca"))


def test_a_value_of_a_table_may_be_long_and_hold_new_lines(tmp_path):
    (tmp_path / "a.csv").write_text('a,b\n"' + "long\n" * 50_000 + '",2\nc,3\n')
    rows = opened(tmp_path / "a.csv")
    assert [row["b"] for row in rows] == ["2", "3"]
    assert rows.place(1).endswith("a.csv, row 2 (line 50003)")


def test_a_row_that_is_no_object_is_told_with_what_to_write(spec_of):
    with pytest.raises(BadData, match=r"(?s)data\.jsonl, row 2: found 3, .* Write it as"):
        list(standardized(spec_of(json.dumps(ROW) + "\n3\n", format="alpaca")))


@pytest.mark.parametrize("key", ["split", "subset"])
def test_a_part_of_a_file_cannot_be_named(spec_of, key):
    with pytest.raises(BadRunFile, match=rf"data\.0\.{key}: a file has no {key}s") as fault:
        spec_of([ROW], format="alpaca", **{key: "test"})
    assert "name the file" in str(fault.value)
    assert spec_of([ROW], format="alpaca", split="train")


def test_what_is_wrong_with_a_path_is_told_before_anything_is_read(tmp_path):
    (tmp_path / "mixed").mkdir()
    for name in ("mixed/a.jsonl", "mixed/b.csv", "empty.jsonl", "a.doc"):
        (tmp_path / name).write_text("" if "empty" in name else "x")
    for name, said in {
        "mixed": "holds files of several types",
        "empty.jsonl": "is empty",
        "a.doc": "is of no type that is known",
        "nowhere.jsonl": "there is no file .*\n.*Data files in that folder: empty.jsonl",
    }.items():
        with pytest.raises(BadRunFile, match=said):
            declared(tmp_path / name)


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.jsonl.gz", "a.parquet"])
def test_a_file_without_rows_is_told_with_what_to_do_and_without_a_split(tmp_path, name):
    empty = {
        "a.jsonl": b"\n \n",
        "a.json": b"[]",
        "a.csv": b"text\n",
        "a.jsonl.gz": gzip.compress(b""),
    }
    if name in empty:
        (tmp_path / name).write_bytes(empty[name])
    else:
        pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / name)
    with pytest.raises(BadData, match=rf"{name} has no rows\. Fill it, name another") as fault:
        standardized(declared(tmp_path / name, format="auto"))
    assert "split" not in str(fault.value)


def test_a_folder_of_several_types_is_told_with_one_file_of_each(tmp_path):
    for name in ("a.jsonl", "b.jsonl", "c.csv"):
        (tmp_path / name).write_text("x")
    with pytest.raises(BadRunFile, match=r"several types: a\.jsonl, c\.csv") as fault:
        declared(tmp_path)
    assert "Keep one type in a folder" in str(fault.value)


def test_what_only_tells_of_data_is_none(tmp_path):
    written(tmp_path / "a.jsonl", [ROW])
    for name in ("LICENSE.txt", "readme.txt", "dataset_info.json", "deep/requirements.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert list(opened(tmp_path)) == [ROW]
    assert [row["text"] for row in opened(tmp_path / "LICENSE.txt")] == ["x"]
