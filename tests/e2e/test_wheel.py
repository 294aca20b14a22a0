"""The wheel holds all of luthier and works without the checkout."""

import json
import subprocess
import sys
import sysconfig
import tarfile
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


RUN = """
import json, sys
import luthier.core, luthier.registry
from luthier.registry import Catalogue
from luthier.core.cli.listing import rows_of
rows = rows_of()
print(json.dumps({
    "file": luthier.core.__file__,
    "states": {f"{r.kind}/{r.name}": r.state for r in rows if r.distribution == "luthier"},
    "path": sys.path,
}))
"""


def test_an_environment_without_the_checkout_has_all_plugins(built, repository, tmp_path):
    (wheel,) = built.glob("*.whl")
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env" / "bin" / "python"
    site = next((tmp_path / "env" / "lib").glob("python*/site-packages"))
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site),
         "--no-compile", str(wheel)],
        check=True, capture_output=True,
    )  # fmt: skip
    # the libraries of this environment, without its .pth files: the editable install is one of them
    (site / "libraries.pth").write_text(sysconfig.get_paths()["purelib"])
    done = subprocess.run(
        [python, "-I", "-c", RUN], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["file"].startswith(str(site))
    assert not any(str(repository) == path for path in found["path"])
    assert set(found["states"].values()) == {"ok"}
    assert found["states"].keys() >= {"tuners/lora", "stages/sft", "templates/chatml"}
