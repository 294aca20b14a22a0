"""A commented run file to start from, made from the sections and the chosen plugins' classes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pydantic_core import to_jsonable_python

from luthier.core.errors import AmbiguousPlugin, LuthierError, UnknownPlugin
from luthier.core.kinds import kinds_of
from luthier.core.plugin import Plugin, documentation_of
from luthier.core.sections import SECTIONS
from luthier.core.selection import plugin_of
from luthier.registry import Catalogue

if TYPE_CHECKING:
    from pydantic import BaseModel

HEAD = """\
# A run file of luthier. A line that begins with a number sign holds a default: take the sign
# away to change it. What is here is checked by `luthier check FILE`, and shown with its
# defaults by `luthier explain FILE`.

model:
  path: {model:<26}# a local folder, a Hub id (owner/name), or a built-in name

data:
  - path: data.jsonl              # a file or folder; or SOURCE:REST, SOURCE one of {sources}
    format: {format:<22}# {shape}
"""


def run_file_for(chosen: Mapping[str, str]) -> str:
    """Return the text of a run file.

    Args:
        chosen: the plugin's name for each key of a run file, such as {"tuner": "lora"}; an
            empty name takes the default.

    Raises:
        UnknownPlugin: there is no plugin by that name.
        LuthierError: nothing is chosen for a key that has no default.
    """
    catalogue = Catalogue.installed()
    kinds = {kind.key: kind.name for kind in kinds_of(catalogue).values() if kind.key}
    lines = [_head(catalogue)]
    for key, given in chosen.items():
        name = given or _default(catalogue, kinds[key], f"Give `--{key} NAME`")
        value = plugin_of(catalogue.find(kinds[key], name))
        lines += [f"{key}:", f"  name: {name:<28}# {_summary(value)}", *_options(value), ""]
    for key, section in SECTIONS.items():
        if key != "model":
            lines += [f"{key}:", *_options(section), ""]
    lines.append("# output: runs/mine               # the run folder")
    return "\n".join(lines) + "\n"


def _head(catalogue: Catalogue) -> str:
    """Return the lines of model and data, with `CHOOSE` where no one default is installed."""
    named, shape = {}, "the shape of its rows"
    for kind in ("models", "formats"):
        try:
            named[kind] = catalogue.default(kind)
        except (UnknownPlugin, AmbiguousPlugin):
            named[kind] = "CHOOSE"
            continue
        if kind == "formats":
            shape = _summary(plugin_of(catalogue.find(kind, named[kind])))
    return HEAD.format(
        model=named["models"],
        format=named["formats"],
        shape=shape,
        sources=", ".join(catalogue.names("sources")),
    )


def _default(catalogue: Catalogue, kind: str, remedy: str) -> str:
    try:
        return catalogue.default(kind)
    except UnknownPlugin as fault:
        raise LuthierError(f"no default is installed among the {kind}. {remedy}.") from fault
    except AmbiguousPlugin as fault:
        raise LuthierError(f"of defaults, {fault.problem}. {remedy}.") from fault


def _summary(value: type[Plugin] | Plugin) -> str:
    return documentation_of(value).strip().partition("\n")[0]


def _options(value: type[BaseModel] | BaseModel) -> Iterator[str]:
    """Yield a line for each option: a comment with its default, or the key that has to be given."""
    cls = value if isinstance(value, type) else type(value)
    for name, field in cls.model_fields.items():
        meaning = " ".join((field.description or "").split())
        if isinstance(value, type) and field.is_required():
            yield f"  {name + ':':<34}# to be given: {meaning}"
            continue
        default = field.get_default(call_default_factory=True)
        if not isinstance(value, type):
            default = getattr(value, name)
        setting = f"{name}: {json.dumps(to_jsonable_python(default))}"
        yield f"  # {setting:<30}  # {meaning}"
