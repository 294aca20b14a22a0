"""Python files that a run file names under `plugins`."""

import sys

import pytest

from luthier.core import check
from luthier.core.problems import BadRunFile

PLUGIN = (
    "from luthier.core import Plugin\n"
    "class Fake(Plugin):\n"
    '    """Does nothing."""\n'
    'ENTRY_POINTS = {"luthier.patches": {"fake": Fake}}\n'
)


@pytest.fixture
def write(tmp_path, data_file, monkeypatch):
    """Write files beside good data; return the folder."""
    monkeypatch.chdir(tmp_path)
    yield lambda **texts: [
        (tmp_path / f"{name}.py").write_text(text) for name, text in texts.items()
    ]
    for name in [name for name in sys.modules if name.startswith("luthier_file_")]:
        del sys.modules[name]


def run_with(tmp_path, text):
    (tmp_path / "run.yaml").write_text(f"data: [rows.jsonl]\n{text}")
    return check("run.yaml")


def problems_of(tmp_path, text):
    with pytest.raises(BadRunFile) as fault:
        run_with(tmp_path, text)
    return fault.value.problems


def test_a_plugin_file_leaves_nothing_beside_itself(tmp_path, write):
    write(fake=PLUGIN)
    run_with(tmp_path, "plugins: [fake.py]\npatches: [fake]\n")
    assert {file.name for file in tmp_path.iterdir()} == {"fake.py", "rows.jsonl", "run.yaml"}


def test_one_file_may_be_named_alone_or_twice(tmp_path, write):
    write(fake=PLUGIN)
    for named in ("fake.py", "[fake.py, ./fake.py]"):
        run = run_with(tmp_path, f"plugins: {named}\npatches: [fake]\n")
        assert [one.name for one in run.of("patches")].count("fake") == 1


def test_two_files_of_one_name_are_refused(tmp_path, write):
    (tmp_path / "other").mkdir()
    write(fake=PLUGIN, **{"other/fake": PLUGIN})
    (problem,) = problems_of(tmp_path, "plugins: [fake.py, other/fake.py]\n")
    assert (problem.key, problem.problem) == ("plugins.1", "another file is called fake.py too")
    assert problem.remedy == "Rename one."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\nimport no_such_module\n", "fake.py fails at line 2: ModuleNotFoundError"),
        ("x = 1\n\ny = (\n", "fake.py fails at line 3: SyntaxError: '(' was never closed"),
        ("raise SystemExit(0)\n", "fake.py fails at line 1: SystemExit: 0"),
        ("ENTRY_POINTS = {'tuners': {'x': 1}}\n", "no table of kinds, names and plugins"),
        ("ENTRY_POINTS = {'luthier.tuners': {}}\n", "no table of kinds, names and plugins"),
        ("ENTRY_POINTS = ['x']\n", "no table of kinds, names and plugins"),
    ],
)
def test_a_file_that_fails_is_told_and_is_no_module_afterwards(tmp_path, write, text, said):
    write(fake=text)
    (problem,) = problems_of(tmp_path, "plugins: [fake.py]\n")
    assert said in problem.problem
    assert problem.remedy
    if "fails" in said:
        assert "luthier_file_fake" not in sys.modules


def test_an_object_of_a_file_that_is_no_plugin_is_told_where_it_is_chosen(tmp_path, write):
    write(fake="ENTRY_POINTS = {'luthier.tuners': {'x': 1}}\n")
    assert run_with(tmp_path, "plugins: [fake.py]\n")
    (problem,) = problems_of(tmp_path, "plugins: [fake.py]\ntuner: x\n")
    assert problem.key == "tuner"
    assert "int is neither a subclass nor an instance of luthier.core.Plugin" in problem.problem


def test_a_kind_of_a_file_that_there_is_not_is_answered_with_the_nearest(tmp_path, write):
    write(fake=PLUGIN.replace("luthier.patches", "luthier.patchs"))
    (problem,) = problems_of(tmp_path, "plugins: [fake.py]\n")
    assert (problem.key, str(problem.place)) == ("plugins.0", "run.yaml:2:11")
    assert "fake.py offers 'fake' among the patchs, and there is no such kind" in problem.problem
    assert problem.remedy.startswith("Did you mean 'patches'? Kinds: benchmarks, ")


def test_a_file_may_bring_a_kind_and_a_plugin_of_it(tmp_path, write):
    bells = "from luthier.core import Kind\nBELLS = Kind('bells', 'Rings.', key='bells')\n"
    table = '{"luthier.kinds": {"bells": BELLS}, "luthier.bells": {"ding": Fake}}'
    write(fake=bells + PLUGIN.replace('{"luthier.patches": {"fake": Fake}}', table))
    run = run_with(tmp_path, "plugins: [fake.py]\nbells: ding\n")
    assert [one.name for one in run.of("bells")] == ["ding"]


def test_one_plugin_cannot_be_chosen_twice(tmp_path, write):
    write(fake=PLUGIN)
    (problem,) = problems_of(tmp_path, "plugins: [fake.py]\npatches: [fake, fake]\n")
    assert (problem.key, str(problem.place)) == ("patches.1", "run.yaml:3:17")
    assert "patches/fake is chosen twice (first as patches.0)" in problem.problem


def test_a_file_that_offers_an_installed_name_shares_it_and_is_chosen_by_its_own(tmp_path, write):
    write(fake=PLUGIN.replace('"fake"', '"sdpa"'))
    (problem,) = problems_of(tmp_path, "plugins: [fake.py]\npatches: [sdpa]\n")
    assert "offered by fake.py and by luthier" in problem.problem
    run = run_with(tmp_path, "plugins: [fake.py]\npatches: ['fake.py:sdpa']\n")
    assert run.of("patches")[0].entry.distribution == "fake.py"


@pytest.mark.parametrize(
    "text",
    [
        "data: [{path: set}]\n", "data: {path: set}\n", "data: [set]\n", "data: set\n",
        "model: set\n", "model: {path: ./set}\n", "data: [set/../set]\n",
    ],
)  # fmt: skip
def test_code_among_data_or_weights_is_never_run(tmp_path, write, text):
    (tmp_path / "set").mkdir()
    write(**{"set/fake": "open('PWNED', 'w')\n"})
    (tmp_path / "run.yaml").write_text(f"{text}plugins: [set/fake.py]\n")
    with pytest.raises(BadRunFile, match="data is never run as code"):
        check("run.yaml")
    assert not (tmp_path / "PWNED").exists()
