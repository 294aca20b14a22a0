"""What a plugin is, what is refused at once, and who is asked in which order."""

from typing import ClassVar

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from luthier.core import LuthierError, Plugin, check, hookimpl
from luthier.core.cli.listing import described, page_of, rows_of
from luthier.core.errors import BrokenPlugin, NoAnswer, TwoOwners
from luthier.core.problems import BadRunFile
from luthier.core.runfile.schema import run_file_schema
from luthier.core.wiring import Selected, first_answer, hooks_of, manager_of, steps
from luthier.registry import Entry

HEAD = "from typing import ClassVar\nfrom luthier.core import Kind, Plugin, hookimpl, hookspec\n"
SOUND = HEAD + (
    "class Fake(Plugin):\n"
    '    """Trains something."""\n'
    "    share: float = 0.5\n"
    '    """How much."""\n'
    "    @hookimpl\n"
    "    def attach_adapter(self, model):\n"
    "        return model\n"
)
TUNER = {"luthier.tuners": {"fake": "fake_tuner:Fake"}}


def selected(plugin, name="one"):
    return Selected("patches", name, plugin, Entry("patches", name, "x:y", "a-package", "1.2"))


def state_of(name, kind="tuners"):
    (row,) = [row for row in rows_of(kind) if row.name == name]
    return row.state


@pytest.fixture
def run(data_file):
    return {"data": [str(data_file)]}


# --- a class -------------------------------------------------------------------------------------


class Silent(Plugin):
    """Answers nothing."""

    size: int = 1
    """A number."""


def test_equal_plugins_are_two_and_both_can_be_registered():
    one, two = Silent(), Silent()
    assert one != two
    assert len({one, two}) == 2
    assert len(manager_of([selected(one, "a"), selected(two, "b")]).get_plugins()) == 2


def test_a_plugin_is_frozen_and_takes_no_unknown_option():
    with pytest.raises(ValidationError, match="frozen"):
        Silent().size = 2
    with pytest.raises(ValidationError, match="Extra inputs"):
        Silent(sise=2)


def test_a_hook_that_is_not_marked_is_refused_when_the_class_is_made():
    with pytest.raises(TypeError, match=r"Forgetful\.load_model .* no @hookimpl"):

        class Forgetful(Plugin):
            """Forgets."""

            def load_model(self):
                return None


# --- what is installed ---------------------------------------------------------------------------

BROKEN = {
    "a misspelt hook": (SOUND.replace("attach_adapter", "attach_adaptor"), "attach_adaptor"),
    "a wrong signature": (SOUND.replace("self, model", "self, modle"), "modle"),
    "a wrong type of object": ("Fake = 3", "neither a subclass nor an instance"),
    "another major version": (
        SOUND.replace("    share:", "    api: ClassVar = '2.0'\n    share:"),
        "written for version"),
    "an unmarked hook": (SOUND.replace("    @hookimpl\n", ""), "no @hookimpl"),
    "a module that fails": ("1 / 0", "ZeroDivisionError"),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_plugin_is_explained_and_fatal_only_where_it_is_chosen(install, run, fault):
    text, said = BROKEN[fault]
    install("fake-a", TUNER, fake_tuner=text)
    assert state_of("fake").startswith("broken: ")
    assert said in state_of("fake")
    assert "fake" in described(rows_of())
    assert check(run).of("tuners")[0].name == "lora"
    assert run_file_schema()
    with pytest.raises(
        BadRunFile, match="'fake' among the tuners, of fake-a, is broken"
    ) as problem:
        check({**run, "tuner": "fake"})
    assert said in str(problem.value)


def test_a_plugin_whose_package_is_missing_is_told_with_the_line_that_installs_it(install, run):
    needs = "    packages: ClassVar = ('no-such-thing>=2',)\n    extra: ClassVar = 'thing'\n"
    install("fake-a", TUNER, fake_tuner=SOUND.replace("    share:", needs + "    share:"))
    assert state_of("fake") == 'needs: pip install "luthier[thing]"'
    with pytest.raises(BadRunFile, match=r"needs no-such-thing>=2, not installed") as problem:
        check({**run, "tuner": "fake"})
    assert 'pip install "luthier[thing]"' in str(problem.value)


def test_a_strangers_plugin_is_checked_listed_and_in_the_schema(install, run):
    install("fake-a", TUNER, fake_tuner=SOUND)
    assert state_of("fake") == "ok"
    assert check({**run, "tuner": {"name": "fake", "share": 0.1}}).of("tuners")[0].plugin.share
    with pytest.raises(BadRunFile, match="Did you mean 'share'"):
        check({**run, "tuner": {"name": "fake", "shaer": 0.1}})
    schema = Draft202012Validator(run_file_schema())
    assert schema.is_valid({**run, "tuner": {"name": "fake", "share": 0.1}})
    assert not schema.is_valid({**run, "tuner": {"name": "fake", "shaer": 0.1}})


def test_the_page_of_a_plugin_says_what_it_does_its_options_and_what_it_refuses():
    page = page_of("tuners", "lora")
    for phrase in (
        "rank: integer = 8",
        "arxiv.org/abs/2106.09685",
        "attach_adapter",
        "tuner: lora",
    ):
        assert phrase in page
    assert "refuses  attention-backend" in page_of("patches", "sdpa")
    assert "<|im_start|>" in page_of("templates", "chatml")
    with pytest.raises(LuthierError, match="no 'tuner' among the kinds"):
        page_of("tuner", "lora")


# --- a file --------------------------------------------------------------------------------------


@pytest.fixture
def beside(tmp_path, data_file):
    """Write a plugin file and a run file that names it."""

    def make(text):
        (tmp_path / "mine.py").write_text(text)
        file = tmp_path / "run.yaml"
        file.write_text(f"plugins: [mine.py]\ndata: [{data_file.name}]\ntuner: fake\n")
        return file

    return make


def test_one_python_file_offers_plugins_without_packaging(beside):
    run = check(beside(SOUND + 'ENTRY_POINTS = {"luthier.tuners": {"fake": Fake}}\n'))
    assert run.of("tuners")[0].entry.distribution == "mine.py"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SOUND, "offers nothing"),
        ("1 / 0", "mine.py fails at line 1: ZeroDivisionError"),
        ("ENTRY_POINTS = {'luthier.tuners': 3}", "no table of kinds"),
    ],
)
def test_a_python_file_that_offers_none_is_explained(beside, text, said):
    with pytest.raises(BadRunFile, match=said):
        check(beside(text))


# --- a kind --------------------------------------------------------------------------------------

KIND = HEAD + (
    "@hookspec\n"
    "def ring_bell(times):\n"
    '    """Return a sound."""\n'
    "import sys\n"
    "BELLS = Kind('bells', 'What rings.', key='bells', many=True, specs=sys.modules[__name__])\n"
    "class Ding(Plugin):\n"
    '    """Rings."""\n'
    "    @hookimpl\n"
    "    def ring_bell(self, times):\n"
    "        return 'ding' * times\n"
)
BELLS = {
    "luthier.kinds": {"bells": "fake_bells:BELLS"},
    "luthier.bells": {"ding": "fake_bells:Ding"},
}


def test_a_kind_that_a_plugin_adds_has_its_key_its_list_and_its_hooks(install, run):
    install("fake-a", BELLS, fake_bells=KIND)
    resolved = check({**run, "bells": ["ding"]})
    assert state_of("ding", "bells") == "ok"
    assert "bells" in run_file_schema()["properties"]
    assert manager_of(resolved.selected).hook.ring_bell(times=2) == ["dingding"]
    with pytest.raises(BadRunFile, match="Did you mean 'ding'"):
        check({**run, "bells": ["dign"]})


@pytest.mark.parametrize(
    ("change", "said"),
    [(("key='bells'", "key='tuner'"), "is taken"), (("Kind('bells'", "Kind('tuners'"), "already")],
)
def test_a_kind_that_takes_what_is_taken_is_left_out_and_told(install, run, change, said):
    install("fake-a", BELLS, fake_bells=KIND.replace(*change))
    assert check(run).of("tuners")[0].name == "lora"
    with pytest.raises(BadRunFile, match=said):
        check({**run, "bells": ["ding"]})


# --- who is asked --------------------------------------------------------------------------------


class Opening(Plugin):
    """Answers nothing to first-result hooks."""

    @hookimpl
    def load_model(self):
        return None


class Failing(Plugin):
    """Fails."""

    @hookimpl
    def load_model(self):
        raise ZeroDivisionError("by zero")


ASKED = {"model": None, "location": None, "plan": None}


def test_a_hook_that_nobody_answers_is_an_error_that_names_those_asked():
    with pytest.raises(NoAnswer, match=r"nothing answered 'load_model'; asked were: patches/one"):
        first_answer(manager_of([selected(Opening())]), "load_model", **ASKED)
    with pytest.raises(NoAnswer, match="no plugin at all"):
        first_answer(manager_of([]), "load_model", **ASKED)


def test_what_a_hook_raises_names_plugin_version_and_hook():
    with pytest.raises(ZeroDivisionError) as fault:
        first_answer(manager_of([selected(Failing())]), "load_model", **ASKED)
    assert fault.value.__notes__ == ["raised in load_model of patches/one (a-package 1.2)"]


def patch(own=(), behind=(), ahead=()):
    class Patch(Plugin):
        """Patches."""

        traits: ClassVar = frozenset(own)
        after: ClassVar = frozenset(behind)
        before: ClassVar = frozenset(ahead)

        @hookimpl
        def patch_model(self):
            return None

    return Patch()


def order_of(**plugins):
    chosen = [selected(plugin, name) for name, plugin in plugins.items()]
    found = steps(manager_of(chosen), "patch_model")
    return [step.owner.removeprefix("patches/") for step in found]


def test_patches_run_in_the_order_of_the_file_and_of_their_traits():
    assert order_of(a=patch(), b=patch(), c=patch()) == ["a", "b", "c"]
    assert order_of(a=patch(behind={"x"}), b=patch(own={"x"})) == ["b", "a"]
    assert order_of(a=patch(own={"x"}), b=patch(ahead={"x"})) == ["b", "a"]


def test_an_order_that_runs_in_a_circle_is_refused():
    with pytest.raises(TwoOwners, match="circle"):
        order_of(a=patch({"x"}, behind={"y"}), b=patch({"y"}, behind={"x"}))


def test_the_hooks_of_a_plugin_are_found_by_their_mark():
    assert hooks_of(Failing) == ["load_model"]
    assert hooks_of(Silent()) == []


def test_a_hook_of_a_wrong_name_is_refused_at_registration():
    class Wrong(Plugin):
        """Wrong."""

        @hookimpl
        def laod_model(self):
            return None

    with pytest.raises(BrokenPlugin, match="laod_model"):
        manager_of([selected(Wrong())])
