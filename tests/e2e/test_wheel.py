"""The wheel holds all of luthier and works without the checkout."""

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile

import pytest

FOLDERS = ("core", "plugins", "registry", "templates")


@pytest.fixture(scope="module")
def built(repository, tmp_path_factory):
    """The folder of a wheel and a source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)]
    done = subprocess.run([*command, str(repository)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_wheel_holds_every_file_of_the_four_folders_and_nothing_else(built, repository):
    (wheel,) = built.glob("*.whl")
    packed = {n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n}
    ours = {
        f"luthier/{file.relative_to(repository).as_posix()}"
        for folder in FOLDERS
        for file in (repository / folder).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert packed == ours
    assert len(packed) > 50
    assert "luthier/plugins/families/tiny/corpus.txt" in packed


def test_the_source_distribution_builds_the_same_wheel(built, tmp_path):
    (source,) = built.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "out"]
    subprocess.run([*command, "."], cwd=unpacked, capture_output=True, check=True)
    (wheel,), (again,) = built.glob("*.whl"), (unpacked / "out").glob("*.whl")
    names = [sorted(zipfile.ZipFile(file).namelist()) for file in (wheel, again)]
    assert names[0] == names[1]


@pytest.fixture(scope="module")
def fresh(built, tmp_path_factory):
    """Run a program of an environment that has the wheel, and no trace of the checkout."""
    (wheel,) = built.glob("*.whl")
    home = tmp_path_factory.mktemp("env")
    venv.create(home, with_pip=False)
    site = next((home / "lib").glob("python*/site-packages"))
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(home), "install", "--quiet", "--no-deps",
         "--no-index", "--no-compile", str(wheel)],
        check=True, capture_output=True,
    )  # fmt: skip
    # the libraries of this environment, without its .pth files: the editable install is one of them
    (site / "libraries.pth").write_text(sysconfig.get_paths()["purelib"])
    desk = tmp_path_factory.mktemp("desk")

    def run(program, *words):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        done = subprocess.run(
            [home / "bin" / program, *words], cwd=desk, env=clean, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_a_fresh_environment_takes_luthier_from_the_wheel(fresh, repository):
    script = (
        "import json, sys, luthier.core;"
        "print(json.dumps([luthier.core.__file__, sys.prefix, sys.path]))"
    )
    file, prefix, path = json.loads(fresh("python", "-I", "-c", script))
    assert file.startswith(prefix)
    assert not any(str(repository) == one for one in path)


def test_the_console_script_lists_each_plugin_of_pyproject_and_all_are_sound(fresh, repository):
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {
        f"{group.removeprefix('luthier.')}/{name}"
        for group, points in project["entry-points"].items()
        for name in points
        if group != "luthier.defaults"
    }
    rows = json.loads(fresh("luthier", "plugins", "--json"))
    ours = {f"{r['kind']}/{r['name']}": r["state"] for r in rows if r["distribution"] == "luthier"}
    assert ours.keys() == declared
    # one may want a package of its own, which nothing else needs
    unsound = {
        name: state for name, state in ours.items() if not state.startswith(("ok", "needs:"))
    }
    assert unsound == {}


def test_the_console_script_writes_a_run_file_and_checks_it(fresh):
    assert fresh("luthier", "--version").startswith("luthier ")
    fresh("luthier", "init", "run.yaml")
    row = json.dumps({"instruction": "a", "output": "b"})
    fresh("python", "-c", f"open('data.jsonl', 'w').write({row!r})")
    assert "run.yaml can be run on" in fresh("luthier", "check", "run.yaml")


def test_the_console_script_previews_and_trains_on_each_format_and_source(fresh, repository):
    samples = repository / "examples" / "data"
    names = f"{samples}/sources/dataset_info.json"
    data = [
        *(
            f"{{path: {samples}/formats-{name}.jsonl, format: {name}}}"
            for name in ("alpaca", "sharegpt", "openai", "pretokenized")
        ),
        f"{{path: {samples}/sources/rows.csv.zst, format: auto}}",
        f"{{path: 'saved:{samples}/sources/saved', format: alpaca}}",
        f"{{path: 'info:woods', source: {{name: info, file: {names}}}}}",
        f"{{path: 'file://{samples}/sources/rows.parquet', format: alpaca}}",
    ]
    contents = f"model: tiny\ndata: [{', '.join(data)}]\noutput: one\ntraining: {{max_steps: 1}}\n"
    fresh("python", "-c", f"open('one.yaml', 'w').write({contents!r})")
    previewed = fresh("luthier", "preview", "one.yaml", "--rows", "1")
    assert previewed.count("totals     8 of 8 rows") == 4
    assert previewed.count("totals     6 of 6 rows") == 4
    trained = fresh("luthier", "train", "one.yaml")
    assert "data       56 rows" in trained
    assert "step       1/1  loss" in trained
