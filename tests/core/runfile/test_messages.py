"""How a wrong value of any type is told: one problem a key, in a user's words."""

from enum import StrEnum
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from luthier.core.runfile.parsing import parse
from luthier.core.runfile.validation import validate


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    width: int = 1
    height: int


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    targets: str | list[str] = "all"
    """Which layers."""
    share: Annotated[float, Field(gt=0, le=1)] | None = None
    """Which share."""
    either: bool | int = 1
    """One or the other."""
    word: Literal["all"] | list[str] = "all"
    """A word, or several."""
    inner: Inner | None = None
    """A mapping."""
    several: tuple[Inner, ...] = ()
    """Mappings."""
    colour: Colour = Colour.RED
    """A colour."""
    name: Annotated[str, Field(pattern="^a+$", min_length=2)] = "aa"
    """A name."""
    even: int = 2
    """An even number."""

    @field_validator("even")
    @classmethod
    def _even(cls, value):
        if value % 2:
            raise ValueError("an odd number cannot be halved")
        return value


TOLD = {
    "targets: 5": (
        "targets", "1:10", "expected a text or a list, found 5", "Put it in quotes."),
    "targets: [5]": ("targets.0", "1:11", "expected a text, found 5", "Put it in quotes."),
    "targets: {a: b}": (
        "targets", "1:10", "expected a text or a list, found a mapping",
        'Or leave it out for the default, "all". Which layers.'),
    "share: 0": ("share", "1:8", "expected more than 0, found 0", "Or leave it out. Which share."),
    "share: '0.5'": (
        "share", "1:8", "expected a number, found the text '0.5'", "Take the quotes away."),
    "either: 1.5": ("either", "1:9", "expected true or false or a whole number", "One or the"),
    "word: alll": ("word", "1:7", "expected one of 'all' or a list", "Did you mean 'all'?"),
    "inner: {width: 1}": ("inner.height", "1:8", "this key is missing", "Add `height:`."),
    "inner: {height: 1, widht: 2}": (
        "inner.widht", "1:20", "unknown key", "Did you mean 'width'? Known keys: width, height."),
    "inner: [1]": ("inner", "1:8", "expected a mapping, found a list", "Write a mapping."),
    "several: {height: 1}": ("several", "1:10", "expected a list, found a mapping", "Mappings."),
    "several: [{height: x}]": (
        "several.0.height", "1:20", "expected a whole number, found the text 'x'", "Write a"),
    "several: x": ("several", "1:10", "expected a list", "Write it in brackets: [x]."),
    "colour: gren": ("colour", "1:9", "expected one of 'red' or 'green'", "Did you mean 'green'?"),
    "name: bb": ("name", "1:7", "expected a text of the form ^a+$", "Write a text of the form"),
    "name: a": ("name", "1:7", "expected a text of at least 2 characters", "Write a text of at"),
    "even: 3": ("even", "1:7", "an odd number cannot be halved", "Change it."),
    "even: .nan": ("even", "1:7", "expected a whole number, found .nan", "Write a whole number."),
}  # fmt: skip


@pytest.mark.parametrize("text", TOLD)
def test_a_wrong_value_is_told_once_at_its_key_with_what_to_write(text):
    key, place, said, remedy = TOLD[text]
    problems = []
    assert validate(Options, parse(text, "a.yaml"), ("plugin",), problems) is None
    (problem,) = problems
    assert problem.key == f"plugin.{key}"
    assert str(problem.place) == f"a.yaml:{place}"
    assert said in problem.problem
    assert remedy in problem.remedy
    assert "nput should be" not in str(problem)


def test_a_long_value_is_cut():
    problems = []
    validate(Options, parse(f"share: {'x' * 500}", "a.yaml"), ("plugin",), problems)
    assert len(problems[0].problem) < 120


def test_truth_in_words_of_yaml_1_1_is_put_right_in_the_tree_too():
    tree = parse("either: yes", "a.yaml")
    assert validate(Options, tree, ("plugin",), []) == Options(either=True)
    assert tree.plain() == {"either": True}


def test_all_that_is_wrong_is_told_at_once():
    problems = []
    validate(Options, parse("share: 2\neven: 3\nnonsense: 1\n", "a.yaml"), (), problems)
    assert {problem.key for problem in problems} == {"share", "even", "nonsense"}
