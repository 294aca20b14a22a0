"""Rules of the house that no linter knows. Each says what to do when it fails."""

import ast
import importlib
import importlib.metadata
import inspect
import re
import subprocess
import tomllib

import pytest

from luthier.core import hooks
from luthier.core.device import KNOWN
from luthier.core.kinds import kinds_of
from luthier.core.sections import SECTIONS, DatasetSection
from luthier.core.selection import plugin_of
from luthier.core.templates import ChatTemplate
from luthier.core.traits import TRAITS
from luthier.registry import Catalogue

FOLDERS = ("core", "registry", "plugins", "templates")
MOST_LINES = 300
MOST_FIELDS = 15
# plugins of as many options or more, each with its reason
WIDE = dict.fromkeys(
    ("formats/preference", "formats/kto", "formats/prompts"),
    "rows of every shape, and the tags of ShareGPT's turns",
)

# files over MOST_LINES, each with its reason
LONG = {"core/hooks.py": "the page of all hooks, which tells what each returns"}
MOST_FUNCTION_LINES = 40

# functions over MOST_FUNCTION_LINES, each with its reason
LONG_FUNCTIONS: dict[str, str] = {}


@pytest.fixture(scope="module")
def sources(repository):
    """The text and the tree of each of our modules, by path."""
    found = {}
    for folder in FOLDERS:
        for file in sorted((repository / folder).rglob("*.py")):
            text = file.read_text(encoding="utf-8")
            found[file.relative_to(repository).as_posix()] = (text, ast.parse(text))
    return found


@pytest.fixture(scope="module")
def project(repository):
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def installed_plugins():
    catalogue = Catalogue.installed()
    kinds = kinds_of(catalogue)
    return [e for e in catalogue if e.kind in kinds and e.distribution == "luthier"]


def test_the_installed_entry_points_are_those_of_pyproject(project):
    declared = {
        (group, name, target)
        for group, points in project["entry-points"].items()
        for name, target in points.items()
    }
    points = importlib.metadata.distribution("luthier").entry_points
    installed = {(p.group, p.name, p.value) for p in points if p.group.startswith("luthier.")}
    assert installed == declared, "install again: pip install --editable ."


@pytest.mark.parametrize("entry", installed_plugins(), ids=lambda e: f"{e.kind}/{e.name}")
def test_every_plugin_loads_and_says_what_it_is_and_where_it_comes_from(entry):
    value = plugin_of(entry)
    cls = value if isinstance(value, type) else type(value)
    module = importlib.import_module(entry.target.partition(":")[0])
    assert inspect.getdoc(cls), f"{entry.target} has no docstring"
    assert module.__doc__, f"{entry.target}: its file opens with no docstring"
    for name, field in cls.model_fields.items():
        assert field.description, f"{entry.target}.{name} has no docstring"
        assert field.description.rstrip().endswith("."), f"{entry.target}.{name}: a sentence ends"
    # a template is a list of facts, most of which any one template leaves out
    many = issubclass(cls, ChatTemplate) or f"{entry.kind}/{entry.name}" in WIDE
    assert len(cls.model_fields) < MOST_FIELDS or many


def test_every_trait_of_ours_is_one_that_is_explained():
    for entry in installed_plugins():
        value = plugin_of(entry)
        cls = value if isinstance(value, type) else type(value)
        ruled = {rule.trait for rule in (*cls.refuses, *cls.needs)}
        assert cls.traits | ruled | cls.after | cls.before <= TRAITS.keys(), entry.target
    for device in KNOWN.values():
        assert device.traits <= TRAITS.keys()


@pytest.mark.parametrize("section", [*SECTIONS.values(), DatasetSection], ids=lambda c: c.__name__)
def test_every_field_of_a_section_is_a_sentence_and_there_are_few(section):
    assert len(section.model_fields) < MOST_FIELDS, "a 16th field means a new section"
    for name, field in section.model_fields.items():
        assert (field.description or "").rstrip().endswith("."), name


@pytest.mark.parametrize("name", sorted(hooks.HOOK_NAMES))
def test_every_hook_promises_something_and_says_who_answers(name):
    text = inspect.getdoc(getattr(hooks, name))
    assert re.match(r"(Return|Change|Set|Refuse) [^.]+", text)
    assert "Answered by" in text


def test_every_first_result_hook_has_a_kind_whose_business_it_is():
    first = {name for name in hooks.HOOK_NAMES if getattr(hooks, name).luthier_spec["firstresult"]}
    assert first == hooks.ANSWERED_BY.keys()
    for name, kind in hooks.ANSWERED_BY.items():
        assert f"Answered by {kind}" in inspect.getdoc(getattr(hooks, name)), name


def test_no_file_is_too_long(sources):
    long = {path for path, (text, _) in sources.items() if text.count("\n") > MOST_LINES}
    assert long <= LONG.keys(), "split it, or give its reason in LONG"
    assert long >= LONG.keys(), "it is no longer long: take it out of LONG"


def test_no_function_is_too_long(sources):
    long = {
        f"{path}:{node.name}"
        for path, (_, tree) in sources.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno + 1 > MOST_FUNCTION_LINES
    }
    assert long <= LONG_FUNCTIONS.keys(), "part it, or give its reason in LONG_FUNCTIONS"


FORBIDDEN_IMPORTS = {"pickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"}
FORBIDDEN_CALLS = {
    "eval", "exec", "os.system", "os.popen", "torch.load", "torch.save", "yaml.load",
    "asyncio.create_subprocess_shell",
}  # fmt: skip


AMONG_COPIES = {"core/data/processes.py"}
"""What hands rows between a process and its own copies, by a pipe that nobody else can open."""


def calls_of(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def test_nothing_is_pickled_and_no_text_is_run(sources):
    for path, (_, tree) in sources.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                names += [alias.name for alias in node.names]
                forbidden = FORBIDDEN_IMPORTS & {n.partition(".")[0] for n in names}
                assert not forbidden or str(path) in AMONG_COPIES, path
        for name, call in calls_of(tree):
            assert name not in FORBIDDEN_CALLS, f"{path}:{call.lineno}: {name}"
            for keyword in call.keywords:
                where = f"{path}:{call.lineno}"
                on = isinstance(keyword.value, ast.Constant) and keyword.value.value is True
                assert not (keyword.arg == "shell" and on), f"{where}: shell=True"
                assert not (keyword.arg == "allow_pickle" and on), f"{where}: allow_pickle=True"
                assert not (keyword.arg == "trust_remote_code" and on), f"{where}: remote code"


def test_only_the_registry_catches_everything(sources):
    for path, (_, tree) in sources.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler):
                everything = node.type is None or ast.unparse(node.type) in {
                    "Exception", "BaseException",
                }  # fmt: skip
                raises = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
                allowed = (
                    path.startswith("registry/") or raises or "faults.append" in ast.unparse(node)
                )
                assert not everything or allowed, f"{path}:{node.lineno} swallows what it catches"


def test_core_compares_nothing_with_the_name_of_a_plugin(sources):
    # these are a library's name, and a choice of a run file that is no plugin
    names = {e.name for e in installed_plugins() if e.kind != "commands"} - {"transformers", "auto"}
    for path, (_, tree) in sources.items():
        if not path.startswith(("core/", "registry/")):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare):
                for part in ast.walk(node):
                    literal = isinstance(part, ast.Constant) and part.value in names
                    assert not literal, f"{path}:{node.lineno} knows the plugin {part.value!r}"


def texts_of(tree):
    """Yield the texts of a module that are no docstrings."""
    bodies = [getattr(node, "body", None) for node in ast.walk(tree)]
    lone = {
        id(one.value)
        for body in bodies
        if isinstance(body, list)
        for one in body
        if isinstance(one, ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in lone:
            yield node


def test_what_core_says_names_no_plugin(sources):
    kinds = kinds_of(Catalogue.installed())
    forms = []
    for entry in installed_plugins():
        key, name = kinds[entry.kind].key, re.escape(entry.name)
        forms += [rf"\b{key}: {name}\b"] if key else []
        forms += [rf"\b{name}:(?! )"] if entry.kind == "sources" else []
    named = re.compile("|".join(forms))
    for path, (_, tree) in sources.items():
        for node in texts_of(tree) if path.startswith(("core/", "registry/")) else ():
            assert not named.search(node.value), f"{path}:{node.lineno} names a plugin"


HEAVY = {"torch", "transformers", "datasets", "peft", "trl", "accelerate", "tokenizers", "numpy"}


def test_the_module_that_an_entry_point_names_imports_nothing_heavy(sources):
    for entry in installed_plugins():
        path = entry.target.partition(":")[0].removeprefix("luthier.").replace(".", "/")
        file = f"{path}.py" if f"{path}.py" in sources else f"{path}/__init__.py"
        for node in sources[file][1].body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                name = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
                assert (name or "").partition(".")[0] not in HEAVY, f"{file}:{node.lineno}"


def test_the_names_of_tests_are_sentences(repository):
    for file in (repository / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                assert node.name.count("_") >= 4, f"{file.name}: {node.name} is no sentence"


def test_the_changelog_speaks_of_the_version_that_is_built(repository, project):
    assert f"## {project['version']}" in (repository / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_target_that_the_readme_names_is_in_the_makefile(repository):
    targets = set(re.findall(r"^([a-z]+):", (repository / "Makefile").read_text(), re.MULTILINE))
    readme = (repository / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`?make ([a-z]+)", readme))
    assert {"quickstart", "test"} <= named <= targets


def test_every_phony_target_of_the_makefile_has_a_rule_and_the_other_way_round(repository):
    text = (repository / "Makefile").read_text(encoding="utf-8")
    rules = set(re.findall(r"^([a-z]+):", text, re.MULTILINE))
    assert set(re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)[1].split()) == rules


def test_the_page_for_contributors_tells_of_each_kind(repository):
    page = (repository / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for kind in kinds_of(Catalogue.installed()):
        assert f"`luthier.{kind}`" in page, f"{kind}: give an example, or say that it has no hook"


def test_every_command_that_a_page_names_exists(repository):
    commands = set(Catalogue.installed().names("commands")) | {"hello"}
    pages = [repository / "README.md", repository / "CONTRIBUTING.md"]
    for page in [*pages, *(repository / "docs").rglob("*.md")]:
        blocks = re.findall(r"^\s*(?:\$ )?luthier ([a-z]+)", page.read_text(), re.MULTILINE)
        inline = re.findall(r"`luthier ([a-z]+)", page.read_text())
        assert {*blocks, *inline} <= commands, page.name


def test_the_links_of_the_namespace_are_committed(repository):
    listed = subprocess.run(
        ["git", "ls-files", "--stage", ".namespace"],
        cwd=repository, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode == 0:
        assert listed.stdout.count("120000") == len(FOLDERS)
    for folder in FOLDERS:
        link = repository / ".namespace" / "luthier" / folder
        assert link.resolve() == (repository / folder).resolve()
