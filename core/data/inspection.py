"""The data of a run as its training has it, to be looked at: row by row, no weights loaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from luthier.core.data.lengths import LengthLimit
from luthier.core.data.standard import Aligned
from luthier.core.data.worker import DataWorker, SeenRow
from luthier.core.model.opening import LocatedModel, locate, model_spec
from luthier.core.run.program import RunLike, settled
from luthier.core.run.reporting import quiet_libraries
from luthier.core.runfile import Run
from luthier.core.templates.tokenizing import TextEncoder, text_encoder
from luthier.core.wiring import manager_of

if TYPE_CHECKING:
    import pluggy
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Inspection:
    """A run, its tokenizer and its template at hand."""

    run: Run
    located: LocatedModel
    manager: pluggy.PluginManager

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The model's tokenizer."""
        return self.located.tokenizer

    @cached_property
    def limit(self) -> LengthLimit:
        """How long a row may be."""
        return LengthLimit.of(self.run)

    @property
    def text_encoder(self) -> TextEncoder:
        """What encodes text here; it knows the special tokens, the template's among them."""
        template = self.located.template
        tokens = template.all_special_tokens() if template is not None else ()
        return text_encoder(self.tokenizer, tokens)

    @property
    def special_ids(self) -> set[int]:
        """The ids of all special tokens, the template's and the tokenizer's."""
        return self.text_encoder.special_ids

    def rows(self, aligned: Aligned, first: int | None = None) -> Iterator[SeenRow]:
        """Yield the rows of a dataset, or the first of them, as training encodes them.

        Args:
            aligned: the dataset, as `standardized` gave it.
            first: how many; all of them where it is None.
        """
        if first is not None:
            aligned = aligned.first(first)
        return DataWorker(aligned, self.run, self.located, self.manager).read()


@contextmanager
def inspected(
    run: RunLike, overrides: Sequence[str] = (), *, trust_plugins: bool = False
) -> Iterator[Inspection]:
    """Open a run to be looked at; while it is, libraries are quiet.

    Args:
        run: a run file, its contents, or a run folder.
        overrides: `key.path=value` and `~key.path`, as on the command line.
        trust_plugins: let the plugin files that a run folder's run.yaml names be run.

    Raises:
        LuthierError: the run file or the model is not what it has to be.
    """
    resolved = settled(run, overrides, trust_plugins=trust_plugins)
    with quiet_libraries():
        located = locate(model_spec(resolved, training=True))
        yield Inspection(resolved, located, manager_of(resolved.selected))
