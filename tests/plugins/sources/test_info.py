"""Sets that a dataset_info.json names."""

import json

import pytest

from luthier.core import check
from luthier.core.data import BadSource
from luthier.core.data.dataset import standardized
from luthier.core.problems import BadRunFile
from luthier.core.runfile.writing import annotated
from luthier.plugins.sources.entries import Entry, sound_entries
from luthier.plugins.sources.info import SHIPPED

KNOWN = dict(sound_entries(SHIPPED))


@pytest.fixture
def own(tmp_path):
    """Write a dataset_info.json of one entry; return what resolves a dataset that names it."""

    def resolve(entry, **declared):
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / "dataset_info.json").write_text(json.dumps({"mine": entry}))
        source = {"name": "info", "file": str(tmp_path / "data" / "dataset_info.json")}
        return check({"data": [{"path": "info:mine", "source": source, **declared}]})

    return resolve


def declaration(tmp_path, **entry):
    return Entry.of(entry, "mine", tmp_path / "dataset_info.json").declaration(tmp_path, "hf")


def test_a_shipped_set_stands_for_its_place_and_its_shape():
    run = check({"data": [{"path": "info:openorca", "samples": 5}]})
    assert run.data[0].source.name == "hf"
    assert run.data[0].location == "Open-Orca/OpenOrca"
    assert run.data[0].section.samples == 5
    plain = run.tree.plain()["data"][0]
    assert plain["path"] == "hf:Open-Orca/OpenOrca"
    assert plain["format"]["output"] == "response"
    assert plain["format"]["input"] == "input"
    assert '"hf:Open-Orca/OpenOrca"' in annotated(run.tree)
    assert "# info:openorca" in annotated(run.tree)
    assert "samples: 5" in annotated(run.tree)


def test_a_set_of_ones_own_is_found_beside_its_list(own, tmp_path):
    (tmp_path / "data").mkdir()
    rows = [{"q": "Hi.", "a": "Hello."}, {"q": "Bye.", "a": "Bye."}]
    (tmp_path / "data" / "mine.json").write_text(json.dumps(rows))
    columns = {"prompt": "q", "response": "a"}
    entry = {"file_name": "mine.json", "columns": columns, "num_samples": 1}
    spec = own(entry).data[0]
    assert [row.response[0]["content"] for row in standardized(spec)] == ["Hello."]
    assert spec.section.path == str(tmp_path / "data" / "mine.json")


def test_what_the_run_file_says_itself_stays(own, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.jsonl").write_text('{"x": "Hi.", "y": "Yo."}\n' * 3)
    entry = {"file_name": "mine.jsonl", "num_samples": 1, "columns": {"prompt": "q"}}
    shape = {"name": "alpaca", "instruction": "x", "output": "y"}
    assert len(list(standardized(own(entry, samples=2, format=shape).data[0]))) == 2


def test_a_resolved_run_needs_the_list_no_more(own, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.jsonl").write_text('{"instruction": "Hi.", "output": "Yo."}\n')
    resolved = own({"file_name": "mine.jsonl"}).tree.plain()
    (tmp_path / "data" / "dataset_info.json").unlink()
    assert check(resolved).tree.plain()["data"] == resolved["data"]


def test_a_fault_behind_a_name_says_which_name_led_to_it(own):
    with pytest.raises(BadRunFile, match=r"data\.0\.path: there is no file .*\(info:mine\)"):
        own({"file_name": "nowhere.json"})


@pytest.mark.parametrize(
    ("entry", "shape"),
    [
        ({}, {"name": "alpaca"}),
        ({"columns": {"query": "q"}}, {"name": "alpaca", "input": "q"}),
        ({"columns": {"prompt": "p", "query": None, "response": "r"}},
         {"name": "alpaca", "instruction": "p", "output": "r"}),
        ({"columns": {"prompt": "body"}}, {"name": "text", "column": "body"}),
        ({"formatting": "sharegpt"}, {"name": "sharegpt"}),
        ({"formatting": "sharegpt", "columns": {"tools": "t"}, "tags": {"user_tag": "u"}},
         {"name": "sharegpt", "tools": "t", "user_tag": "u"}),
        ({"formatting": "openai", "columns": {"messages": "m"}},
         {"name": "openai", "messages": "m"}),
        ({"formatting": "openai", "tags": {"role_tag": "role", "observation_tag": "tool"}},
         {"name": "openai"}),
        ({"formatting": "openai", "tags": {"role_tag": "role", "user_tag": "client"}},
         {"name": "openai", "role_tag": "role", "user_tag": "client"}),
        ({"ranking": True, "formatting": "openai", "tags": {"role_tag": "role"}},
         {"name": "preference"}),
        ({"ranking": True}, {"name": "preference", "prompt": "instruction"}),
        ({"ranking": True, "columns": {"prompt": "q", "chosen": "c", "rejected": "r"}},
         {"name": "preference", "prompt": "q", "chosen": "c", "rejected": "r"}),
        ({"ranking": True, "formatting": "sharegpt", "columns": {"chosen": "c"}},
         {"name": "preference", "messages": "conversations", "chosen": "c"}),
        ({"columns": {"prompt": "p", "response": "r", "kto_tag": "good"}},
         {"name": "kto", "prompt": "p", "completion": "r", "label": "good"}),
        ({"formatting": "sharegpt", "columns": {"messages": "m", "kto_tag": "good"}},
         {"name": "kto", "messages": "m", "completion": "", "output": "", "label": "good"}),
    ],
)  # fmt: skip
def test_an_entry_changes_what_it_names_and_nothing_else(tmp_path, entry, shape):
    assert declaration(tmp_path, hf_hub_url="a/b", **entry)["format"] == shape


@pytest.mark.parametrize(
    ("entry", "path", "source"),
    [
        ({"hf_hub_url": "a/b", "ms_hub_url": "c/d", "file_name": "x.json"}, "hf:a/b",
         {"name": "hf"}),
        ({"ms_hub_url": "c/d", "folder": "part"}, "modelscope:c/d",
         {"name": "modelscope", "data_dir": "part"}),
        ({"cloud_file_name": "s3://b/x.json", "file_name": "x.json"}, "s3://b/x.json",
         {"name": "cloud"}),
    ],
)  # fmt: skip
def test_the_first_place_of_an_entry_counts(tmp_path, entry, path, source):
    found = declaration(tmp_path, **entry)
    assert (found["path"], found["source"]) == (path, source)


def test_the_hub_that_is_preferred_is_taken_where_a_set_is_on_it():
    entry = Entry(hf_hub_url="a/b", ms_hub_url="c/d")
    assert entry.place(SHIPPED.parent, "modelscope")[0] == "modelscope:c/d"
    assert Entry(hf_hub_url="a/b").place(SHIPPED.parent, "modelscope")[0] == "hf:a/b"


def test_split_subset_and_samples_are_taken_over(tmp_path):
    found = declaration(tmp_path, hf_hub_url="a/b", split="test", subset="en", num_samples=7)
    assert (found["split"], found["subset"], found["samples"]) == ("test", "en", 7)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"script_url": "x"}, "read by a program, x, and none is run"),
        ({"om_hub_url": "x/y"}, "on Modelers alone"),
        ({"columns": {"prompt": "x"}}, "does not say where its set is"),
        ({"file_name": "x.json", "colums": {}}, "unknown key 'colums'. Did you mean 'columns'"),
        ({"file_name": "x", "columns": {"promt": "x"}}, "'columns.promt'. Did you mean 'prompt'"),
        ({"file_name": "x", "tags": {"user": "x"}}, "'tags.user'. Did you mean 'user_tag'"),
        ({"file_name": "x.json", "ranking": "yes"}, "ranking: .*bool"),
        ({"file_name": "x.json", "columns": {"messages": "x"}}, "the column 'messages' is none"),
        ({"file_name": "x", "tags": {"user_tag": "x"}}, "'user_tag' is told of rows that hold"),
        ({"file_name": "x", "columns": {"images": "i"}}, "the rows hold images"),
        ("x.json", "mine"),
    ],
)  # fmt: skip
def test_an_entry_that_cannot_be_taken_is_told(own, entry, said):
    with pytest.raises(BadRunFile, match=f"data.0.path: .*{said}"):
        own(entry)


TURNS = [{"from": "human", "value": "Hi."}, {"from": "gpt", "value": "Hello."}]
SAID = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello."}]


@pytest.mark.parametrize(
    ("entry", "row"),
    [
        ({}, {"instruction": "Hi.", "input": "", "output": "Hello."}),
        ({"formatting": "sharegpt"}, {"conversations": TURNS}),
        ({"formatting": "openai"}, {"messages": SAID}),
        ({"formatting": "openai", "tags": {"role_tag": "who", "content_tag": "what",
          "user_tag": "client", "assistant_tag": "clerk"}},
         {"messages": [{"who": "client", "what": "Hi."}, {"who": "clerk", "what": "Hello."}]}),
        ({"ranking": True}, {"instruction": "Hi.", "prompt": "?", "chosen": "Hello.",
          "rejected": "No."}),
        ({"ranking": True, "columns": {"prompt": "q", "chosen": "yes", "rejected": "no"}},
         {"q": "Hi.", "prompt": "?", "yes": "Hello.", "no": "No."}),
        ({"ranking": True, "formatting": "sharegpt"},
         {"conversations": TURNS[:1], "chosen": TURNS[1],
          "rejected": {"from": "gpt", "value": "No."}}),
        ({"ranking": True, "formatting": "openai"},
         {"prompt": "?", "chosen": SAID, "rejected": [SAID[0], {**SAID[1], "content": "No."}]}),
        ({"columns": {"prompt": "q", "response": "a", "kto_tag": "good"}},
         {"q": "Hi.", "prompt": "?", "a": "Hello.", "output": "?", "good": True}),
        ({"formatting": "sharegpt", "columns": {"kto_tag": "good"}},
         {"conversations": TURNS, "output": "?", "good": True}),
        ({"formatting": "openai", "columns": {"messages": "completion", "kto_tag": "label"}},
         {"completion": SAID, "label": True}),
        ({"formatting": "openai", "columns": {"kto_tag": "label"}},
         {"prompt": SAID[:1], "completion": SAID[1:], "label": True}),
    ],
)  # fmt: skip
def test_rows_of_each_form_are_read_as_their_entry_says(own, tmp_path, entry, row):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.jsonl").write_text(json.dumps(row))
    (found,) = standardized(own({"file_name": "mine.jsonl", **entry}).data[0])
    assert [message["content"] for message in found.prompt] == ["Hi."]
    assert found.response[0]["content"] == "Hello."


def test_the_formats_of_all_shipped_sets_know_their_options():
    names = list(KNOWN)
    assert len(check({"data": [f"info:{name}" for name in names]}).data) == len(names)


def test_a_misspelt_name_of_a_set_is_answered_with_the_nearest_one():
    with pytest.raises(BadRunFile, match=r"no set 'alpacca' .*\n +Did you mean 'alpaca'\?"):
        check({"data": ["info:alpacca"]})


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", r"dataset_info\.json:1:2 is no JSON"), ("[]", "holds no mapping"), (None, "no file")],
)
def test_a_list_that_cannot_be_read_is_told(tmp_path, text, said):
    file = tmp_path / "dataset_info.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(BadRunFile, match=said):
        check({"data": [{"path": "info:x", "source": {"name": "info", "file": str(file)}}]})


def test_the_shipped_list_is_sound_and_says_where_its_facts_are():
    assert len(KNOWN) >= 50
    for name, entry in KNOWN.items():
        assert entry.declaration(SHIPPED.parent, "hf")["path"].startswith("hf:"), name
        assert entry.facts == f"https://huggingface.co/datasets/{entry.hf_hub_url}", name
        assert entry.licence or entry.note, name


def test_an_entry_without_any_place_says_which_keys_there_are():
    with pytest.raises(BadSource, match="Add one of: hf_hub_url, ms_hub_url"):
        Entry().place(SHIPPED.parent, "hf")
