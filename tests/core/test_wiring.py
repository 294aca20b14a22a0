"""Who is asked first: the one order of all hooks."""

from typing import ClassVar

import pytest

from luthier.core import Plugin, hookimpl
from luthier.core.errors import BrokenPlugin
from luthier.core.wiring import Selected, first_answer, is_answered, manager_of, steps
from luthier.registry import Entry


def selected(kind, name, plugin, value=None):
    return Selected(kind, name, plugin, Entry(kind, name, "x:y", "a.py", "1.0", value))


def collating(own=(), ahead=(), **options):
    class Collating(Plugin):
        """Answers with itself."""

        traits: ClassVar = frozenset(own)
        before: ClassVar = frozenset(ahead)

        @hookimpl(**options)
        def build_collator(self):
            return self

    return Collating()


def asked(**plugins):
    """Return who answers first, and who would be asked in which order."""
    chosen = [selected(f"{kind}s", kind, plugin) for kind, plugin in plugins.items()]
    manager = manager_of(chosen)
    answer = first_answer(
        manager, "build_collator", tokenizer=None, attention="sdpa", encoding=None
    )
    (first,) = [one.kind for one in chosen if one.plugin is answer]
    order = [step.owner.partition("/")[0] for step in steps(manager, "build_collator")]
    assert order[0] == first
    assert len(order) == len(chosen)
    return [kind.removesuffix("s") for kind in order]


def test_the_kind_whose_business_a_hook_is_answers_last_and_the_others_as_the_file_has_them():
    made = collating
    assert asked(patche=made(), tuner=made(), stage=made()) == ["patche", "tuner", "stage"]
    assert asked(stage=made(), callback=made()) == ["callback", "stage"]


def test_traits_order_first_answers_too():
    assert asked(patche=collating(own={"x"}), tuner=collating(ahead={"x"})) == ["tuner", "patche"]


def test_who_wants_to_be_first_or_last_is():
    made = collating
    assert asked(patche=made(trylast=True), tuner=made(), stage=made(tryfirst=True)) == [
        "stage", "tuner", "patche",
    ]  # fmt: skip
    both = asked(patche=made(trylast=True), tuner=made(trylast=True))
    assert both == ["patche", "tuner"]


class Wrapping(Plugin):
    """Wraps the answer of others."""

    @hookimpl(wrapper=True)
    def build_collator(self):
        return [(yield)]


def test_a_wrapper_lies_around_the_answer_and_is_none():
    stage, wrapper = collating(), selected("patches", "b", Wrapping())
    manager = manager_of([selected("stages", "a", stage), wrapper])
    assert first_answer(
        manager, "build_collator", tokenizer=None, attention="sdpa", encoding=None
    ) == [stage]
    assert is_answered(manager, "build_collator")
    assert not is_answered(manager_of([wrapper]), "build_collator")


class Misspelt(Plugin):
    """Misspells a hook."""

    @hookimpl
    def attach_adaptor(self, model):
        return model


class Mistaken(Plugin):
    """Misspells an argument."""

    @hookimpl
    def attach_adapter(self, model, layer):
        return model


WRONG = {
    Misspelt: "there is no hook 'attach_adaptor'. Did you mean 'attach_adapter'?",
    Mistaken: "its attach_adapter takes 'layer'. Did you mean 'layers'? It is given: model, layers",
}


@pytest.mark.parametrize("cls", WRONG)
def test_a_hook_that_is_written_wrong_is_answered_with_what_is_right(cls):
    with pytest.raises(BrokenPlugin) as fault:
        manager_of([selected("tuners", "mine", cls())])
    assert WRONG[cls] in fault.value.problem
    assert fault.value.remedy == "Update or uninstall a.py, or choose another of the tuners"


def test_a_file_that_is_no_distribution_is_to_be_mended_and_not_uninstalled():
    with pytest.raises(BrokenPlugin) as fault:
        manager_of([selected("tuners", "mine", Misspelt(), Misspelt)])
    assert fault.value.remedy == "Mend a.py, or choose another of the tuners"
