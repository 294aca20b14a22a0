"""Files by URL: of this machine as a store, and of a web server of it."""

import base64
import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from luthier.core import BadData, check
from luthier.core.cli.application import main
from luthier.core.data import Rows
from luthier.core.data.dataset import standardized
from luthier.core.problems import BadRunFile
from luthier.core.wiring import first_answer, manager_of

ROWS = [{"instruction": f"Say {n}.", "input": "", "output": str(n)} for n in range(30)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
TABLE = pa.BufferOutputStream()
pq.write_table(pa.Table.from_pylist(ROWS), TABLE, row_group_size=7)


def spec_at(url, **declared):
    return check({"data": [{"path": url, "format": "alpaca", **declared}]}).data[0]


def opened(url, **declared):
    """Return the rows of a dataset as its source gives them."""
    spec = spec_at(url, **declared)
    return Rows.of(first_answer(manager_of([spec.source]), "open_dataset", spec=spec))


@pytest.fixture
def store(tmp_path):
    """The folder of a store that is this machine's own disk."""
    return tmp_path / "bucket"


def put(file, contents):
    """Put a file in a store."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(contents)


def test_a_url_chooses_its_source_by_its_scheme(store):
    put(store / "a.jsonl", LINES)
    spec = spec_at(f"file://{store}/a.jsonl")
    assert spec.source.name == "cloud"
    assert [row.response[0]["content"] for row in standardized(spec)][:2] == ["0", "1"]
    assert spec_at(f"cloud:file://{store}/a.jsonl").location == f"file://{store}/a.jsonl"


def test_a_folder_of_a_store_is_read_in_the_order_of_names(store):
    put(store / "set/b/1.jsonl.gz", gzip.compress(LINES))
    put(store / "set/a.jsonl", LINES)
    put(store / "set/.hidden.jsonl", b"not json")
    put(store / "set/README.md", b"not data")
    rows = opened(f"file://{store}/set")
    assert list(rows) == ROWS * 2
    assert list(rows.read(45)) == ROWS[15:]
    assert rows.place(45) == f"file://{store}/set/b/1.jsonl.gz, row 16"


def test_a_table_of_a_store_is_read(store):
    put(store / "a.parquet", TABLE.getvalue().to_pybytes())
    assert list(opened(f"file://{store}/a.parquet").read(20)) == ROWS[20:]


def test_a_changed_file_of_a_store_has_another_fingerprint(store):
    put(store / "a.jsonl", LINES)
    before = opened(f"file://{store}/a.jsonl").fingerprint
    assert opened(f"file://{store}/a.jsonl").fingerprint == before
    put(store / "a.jsonl", LINES * 2)
    assert opened(f"file://{store}/a.jsonl").fingerprint != before


def test_what_is_not_in_a_store_is_told(store):
    with pytest.raises(BadData, match=rf"file://{store}/a\.jsonl cannot be read"):
        opened(f"file://{store}/a.jsonl")
    put(store / "set/README.md", b"not data")
    with pytest.raises(BadData, match=rf"there is no data at file://{store}/set\. Data files"):
        opened(f"file://{store}/set")


@pytest.mark.parametrize(
    ("url", "package"),
    [
        ("s3://bucket/a.jsonl", "s3fs"),
        ("gs://bucket/a.jsonl", "gcsfs"),
        ("gcs://bucket/a.jsonl", "gcsfs"),
        ("az://box/a.jsonl", "adlfs"),
        ("abfs://box@account.dfs.core.windows.net/a.jsonl", "adlfs"),
    ],
)
def test_the_package_that_a_scheme_needs_is_named(monkeypatch, url, package):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BadRunFile, match=f'the package {package}, .*\n.*pip install "{package}"'):
        spec_at(url)


def test_a_scheme_that_nothing_reads_is_told():
    with pytest.raises(BadRunFile, match="there is no 'ftp' among the sources"):
        spec_at("ftp://host/a.jsonl")
    with pytest.raises(BadRunFile, match=r"'ftp://host/a\.jsonl' is no URL of a known scheme"):
        spec_at("cloud:ftp://host/a.jsonl")


def test_a_relative_path_after_a_scheme_is_told():
    with pytest.raises(BadRunFile, match=r"(?s)'file://data/a\.jsonl' begins with a host.*leave"):
        spec_at("file://data/a.jsonl")


def test_a_secret_among_the_options_is_refused(store):
    source = {"name": "cloud", "options": {"secret": "hunter2"}}
    with pytest.raises(BadRunFile, match="'secret' would be a secret") as fault:
        spec_at(f"file://{store}/a.jsonl", source=source)
    assert "hunter2" not in str(fault.value)


def test_options_of_a_store_are_handed_to_it(store):
    put(store / "a.jsonl", LINES)
    source = {"name": "cloud", "options": {"skip_instance_cache": True}}
    assert list(opened(f"file://{store}/a.jsonl", source=source)) == ROWS


class _Answers(BaseHTTPRequestHandler):
    contents: ClassVar = {
        "/a.jsonl": LINES,
        "/a.jsonl.gz": gzip.compress(LINES),
        "/a.parquet": TABLE.getvalue().to_pybytes(),
        "/cut.jsonl": LINES,
        "/secret.jsonl": LINES,
    }

    def do_GET(self):
        path = self.path.partition("?")[0]
        found = self.contents.get(path)
        wanted = "Basic " + base64.b64encode(b"me:hunter2").decode()
        if found is None or (path[:4] == "/sec" and self.headers["Authorization"] != wanted):
            self.send_error(404 if found is None else 401)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(found)))
        self.end_headers()
        self.wfile.write(found[: LINES.index(b"\n") + 1] if "cut" in path else found)

    def log_message(self, *told):
        pass


@pytest.fixture
def host():
    """The address of a web server of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.parquet"])
def test_a_file_of_the_web_is_read(host, name):
    rows = opened(f"http://{host}/{name}")
    assert list(rows) == ROWS
    assert list(rows.read(20)) == ROWS[20:]
    assert rows.place(3) == f"http://{host}/{name}, row 4"


def test_a_file_of_the_web_that_breaks_off_is_told(host):
    with pytest.raises(BadData, match=r"broke off \d+ bytes too early"):
        list(opened(f"http://{host}/cut.jsonl"))


def test_a_file_that_the_web_does_not_have_is_told(host):
    with pytest.raises(BadData, match=rf"http://{host}/b\.jsonl cannot be read: .*404"):
        opened(f"http://{host}/b.jsonl")


def test_secrets_of_a_url_are_used_and_never_shown(host):
    rows = opened(f"http://me:hunter2@{host}/secret.jsonl?token=abc")
    assert list(rows) == ROWS
    assert rows.place(0) == f"http://{host}/secret.jsonl, row 1"
    with pytest.raises(BadData) as fault:
        opened(f"http://me:hunter3@{host}/secret.jsonl?token=abc")
    assert f"http://{host}/secret.jsonl cannot be read: HTTP Error 401" in str(fault.value)
    for secret in ("hunter3", "abc"):
        assert secret not in str(fault.value)
    assert str(spec_at(f"http://me:hunter2@{host}/a.jsonl?token=abc#x")) == f"http://{host}/a.jsonl"


def test_a_secret_of_a_url_is_in_nothing_that_explain_prints(tmp_path, monkeypatch, capsys):
    url = "http://me:hunter2@127.0.0.1:1/a.jsonl?token=abc"
    run = tmp_path / "run.yaml"
    run.write_text(json.dumps({"data": [{"path": url, "format": "alpaca"}]}))
    monkeypatch.setattr("sys.argv", ["luthier", "explain", str(run)])
    with pytest.raises(SystemExit) as left:
        main()
    printed = capsys.readouterr().out
    assert left.value.code == 0
    assert '"http://127.0.0.1:1/a.jsonl"' in printed
    assert "hunter2" not in printed
    assert "abc" not in printed


def test_a_url_longer_than_the_name_of_a_file_is_no_fault():
    spec = spec_at("http://127.0.0.1:1/a.jsonl?token=" + "x" * 9000)
    assert (spec.source.name, spec.is_folder) == ("cloud", False)


def test_two_sources_of_one_scheme_are_told_with_both_names(install, store):
    source = """
from typing import ClassVar
from luthier.core import Plugin, hookimpl

class Other(Plugin):
    "Another one."
    schemes: ClassVar = frozenset({"file"})

    @hookimpl
    def open_dataset(self, spec):
        return [{"instruction": "Hi.", "output": "Yo."}]
"""
    points = {"luthier.sources": {"other": "fake_other:Other"}}
    install("fake-other", points, fake_other=source)
    with pytest.raises(BadRunFile, match="file:// is read by the sources cloud and other"):
        spec_at(f"file://{store}/a.jsonl")
    assert spec_at(f"file://{store}/a.jsonl", source="other").source.name == "other"
