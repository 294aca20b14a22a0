"""Checkpoints: what a family knows of the models that were published, as rows of a table."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict

from luthier.core.errors import LuthierError

SAME = "="
UNKNOWN = "-"
COLUMNS = (5, 6)


class Checkpoint(BaseModel):
    """One published model; what no source tells is None."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str
    """The short name that a run file may use in place of an id."""
    hub: str
    """The id on the Hugging Face Hub."""
    modelscope: str | None = None
    """The id on ModelScope."""
    parameters: str | None = None
    """How many parameters it has, as its authors say it, such as `7.6B`."""
    context: int | None = None
    """The longest sequence, in tokens, that it was made for."""
    license: str | None = None
    """The SPDX name of its licence, or the name that its authors gave a licence of their own."""
    template: str | None = None
    """Its chat template, where that is not its family's."""
    source: str
    """Where these facts are from: pages or files of other projects, with spaces between."""

    def id_on(self, hub: str) -> str | None:
        """Return its id on a hub, by the name that a run file has for that; None if not known."""
        return {"huggingface": self.hub, "modelscope": self.modelscope}[hub]

    @property
    def ids(self) -> tuple[str, ...]:
        """Its ids, on all hubs."""
        return tuple(filter(None, (self.hub, self.modelscope)))


def checkpoints(table: str, *sources: str, template: str | None = None) -> tuple[Checkpoint, ...]:
    """Return the checkpoints of a table: one a line, columns parted by spaces.

    The columns: Hub id, ModelScope id, parameters, context in tokens, licence, and in some the
    short name. `-` is what no source tells; `=` is the Hub id again, and `owner/=` its name.

    Args:
        table: the lines.
        sources: where their facts are from.
        template: their chat template, where that is not their family's.

    Raises:
        LuthierError: a line has another number of columns.
    """
    lines = (line.split() for line in table.strip().splitlines())
    return tuple(_checkpoint(words, " ".join(sources), template) for words in lines)


def _checkpoint(words: list[str], source: str, template: str | None) -> Checkpoint:
    if len(words) not in COLUMNS:
        raise LuthierError(f"a checkpoint has 5 columns, or 6: {' '.join(words)}. Mend its family.")
    hub, modelscope, parameters, context, licence, *named = words
    end = hub.rpartition("/")[2]
    there = {SAME: hub, UNKNOWN: None}.get(modelscope, modelscope)
    return Checkpoint(
        name=named[0] if named else short_name(end),
        hub=hub,
        modelscope=there and there.replace(f"/{SAME}", f"/{end}"),
        parameters=_known(parameters),
        context=int(context) if _known(context) else None,
        license=_known(licence),
        template=template,
        source=source,
    )


def _known(word: str) -> str | None:
    return None if word == UNKNOWN else word


def short_name(end: str) -> str:
    """Return the short name for the end of a Hub id, such as `Meta-Llama-3-8B` or `phi-1_5`."""
    text = re.sub(r"(?<=\d)_(?=\d)", ".", end.lower())
    return text.removesuffix("-hf").removeprefix("meta-")
