"""What a plugin is: one frozen class whose fields are its options and whose methods are its hooks.

An instance of it, with the options of a run file, is what is registered with pluggy. Its JSON
schema, its validation, its help and its page of the reference are all made from the class.
"""

from __future__ import annotations

import functools
import importlib.metadata
import sys
import warnings
from collections.abc import Iterator
from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, PydanticUserError
from pydantic.json_schema import PydanticJsonSchemaWarning

from luthier.core import hooks
from luthier.core.hooks import API_VERSION, HOOK_NAMES


class Refusal(NamedTuple):
    """A trait of another plugin (or of the device) that a plugin cannot work with."""

    trait: str
    """The trait, such as `attention-backend`."""
    reason: str
    """Why not, as the end of the sentence "... cannot go with ... : "."""
    remedy: str
    """The way out, as an imperative sentence without its full stop."""


class Need(NamedTuple):
    """A trait that another plugin of the run, or the device, must have."""

    trait: str
    reason: str
    remedy: str


class Plugin(BaseModel):
    """Base of every plugin. Subclass it, add fields for options and `@hookimpl` methods.

    The class is frozen and keeps no state: a hook returns what it made, or a callable that
    undoes it. Two plugins are equal only where they are the same object, since pluggy cannot
    register two that compare equal.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        protected_namespaces=(),
        validate_default=True,
        allow_inf_nan=False,
    )

    api: ClassVar[str] = API_VERSION
    """The version of the hook specifications that the plugin was written for."""
    packages: ClassVar[tuple[str, ...]] = ()
    """Requirements beyond the base dependencies, such as `bitsandbytes>=0.48`."""
    extra: ClassVar[str | None] = None
    """The extra of luthier that installs `packages`; None where they are installed by name."""
    serves: ClassVar[Literal["training", "inference", "both"]] = "both"
    """When it is needed: a training-only plugin may be missing when a run is served."""
    traits: ClassVar[frozenset[str]] = frozenset()
    """What others may refuse or need of it."""
    refuses: ClassVar[tuple[Refusal, ...]] = ()
    """What it cannot be combined with."""
    needs: ClassVar[tuple[Need, ...]] = ()
    """What it cannot do without."""
    no_default: ClassVar[tuple[Refusal, ...]] = ()
    """Of a default of a list: what it is left out beside. Who names it has it there, too."""
    variant_of: ClassVar[str | None] = None
    """The plugin of its kind whose method it is too, computed in another way, such as by kernels
    of its own."""
    schemes: ClassVar[frozenset[str]] = frozenset()
    """Of a source: the schemes of the URLs that it reads, such as `s3`."""
    after: ClassVar[frozenset[str]] = frozenset()
    """Each hook asks it after plugins with one of these traits."""
    before: ClassVar[frozenset[str]] = frozenset()
    """Each hook asks it before plugins with one of these traits."""

    def __hash__(self) -> int:
        # a function of its own: pydantic takes object's for none, and would hash the fields
        return object.__hash__(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def traits_of_options(self) -> frozenset[str]:
        """Return the traits that it has besides those of its class, as its options are set."""
        return frozenset()

    def rules_of_options(self) -> tuple[Refusal | Need, ...]:
        """Return the rules that it has besides those of its class, as its options are set."""
        return ()

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse a hook that overrides without `@hookimpl`: pluggy would never call it."""
        super().__pydantic_init_subclass__(**kwargs)
        if forgotten := unmarked_hooks(cls, HOOK_NAMES):
            raise TypeError(
                f"{cls.__name__}.{forgotten[0]} has the name of a hook and no @hookimpl, "
                "so it would never be called; add @hookimpl above it"
            )


def unmarked_hooks(cls: type, names: frozenset[str]) -> list[str]:
    """Return the functions in the body of `cls` that bear a hook's name and no `@hookimpl`."""
    return [n for n in names if callable(f := vars(cls).get(n)) and not hooks.is_marked(f)]


@functools.cache
def fault_of(cls: type[Plugin]) -> str | None:
    """Return what is wrong with the declarations of a plugin's class, or None.

    A class is looked at once, though a hundred plugins may be instances of it.
    """
    return next(_faults(cls), None)


def _faults(cls: type[Plugin]) -> Iterator[str]:
    if not isinstance(cls.api, str):
        yield f"its `api` is {cls.api!r}, and should be a text such as {API_VERSION!r}"
    for key in ("traits", "schemes", "after", "before"):
        if not isinstance(getattr(cls, key), frozenset):
            yield f"its `{key}` is no frozenset of texts"
    yield from _faults_of_rules(cls)
    yield from _faults_of_packages(cls)
    yield from _faults_of_options(cls)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", PydanticJsonSchemaWarning)
            cls.model_json_schema()
    except (PydanticUserError, PydanticJsonSchemaWarning) as fault:
        yield f"its options have no JSON schema: {str(fault).partition(chr(10))[0]}"


def _faults_of_options(cls: type[Plugin]) -> Iterator[str]:
    for name, field in cls.model_fields.items():
        if name == "name":
            yield "it has an option `name`, which in a run file is the name of the plugin"
        if field.alias or field.validation_alias:
            yield f"its option `{name}` has an alias; an option has one name"


def _faults_of_rules(cls: type[Plugin]) -> Iterator[str]:
    for key, kind in (("refuses", Refusal), ("no_default", Refusal), ("needs", Need)):
        rules = getattr(cls, key)
        if not isinstance(rules, tuple) or not all(type(rule) is kind for rule in rules):
            yield f"its `{key}` is no tuple of {kind.__name__}"
    if cls.serves not in {"training", "inference", "both"}:
        yield f"its `serves` is {cls.serves!r}, and should be 'training', 'inference' or 'both'"


def _faults_of_packages(cls: type[Plugin]) -> Iterator[str]:
    if isinstance(cls.packages, str):
        yield "its `packages` is a text, and should be a tuple of them"
    elif cls.packages:
        from packaging.requirements import InvalidRequirement, Requirement

        for text in cls.packages:
            try:
                Requirement(text)
            except InvalidRequirement:
                yield f"{text!r} among its `packages` is no requirement such as 'name>=2'"


def missing_packages(plugin: type[Plugin]) -> list[str]:
    """Return those requirements of a plugin that the installed distributions do not meet."""
    return [text for text in plugin.packages if not _is_met(text)]


def _is_met(text: str) -> bool:
    from packaging.requirements import Requirement

    requirement = Requirement(text)
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return requirement.specifier.contains(version, prereleases=True)


def install_line(plugin: type[Plugin]) -> str:
    """Return the command that installs what a plugin needs."""
    if plugin.extra:
        return f'pip install "luthier[{plugin.extra}]"'
    return "pip install " + " ".join(f'"{text}"' for text in missing_packages(plugin))


def documentation_of(value: type[Plugin] | Plugin, module: str | None = None) -> str:
    """Return the docstring of a plugin's class, or of the module that holds an instance."""
    if isinstance(value, type):
        return value.__doc__ or ""
    holder = sys.modules.get(module or getattr(value, "module", "") or "")
    return (holder.__doc__ if holder else type(value).__doc__) or ""
