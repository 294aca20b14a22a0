"""The hook specifications: what core asks, and what a plugin may answer.

The five hooks of the pipeline are `load_model`, `patch_model`, `attach_adapter`, `align_dataset`
and `build_trainer`; the others help them. A plugin of any kind may answer any of them. An
implementation takes the arguments that it wants, by name, and may leave out the rest.

Those who answer a hook are asked in one order: that of the run file (by kind, as `core/kinds.py`
lists them), but as their `after` and `before` traits say. Of a first-result hook the first answer
counts, and the kind whose business it is (ANSWERED_BY) is asked last: what else answers it was
chosen to answer in its place. `tryfirst` and `trylast` come before all this; wrappers lie around.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pluggy

if TYPE_CHECKING:
    import torch
    from datasets import Dataset, IterableDataset
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback

    from luthier.core.chat import Engine
    from luthier.core.data import Aligned, DatasetSpec, Rows, StandardRow
    from luthier.core.data.encoding import EncodedRow, Encoder
    from luthier.core.data.rows import Row
    from luthier.core.device import Device
    from luthier.core.model.layers import LayerMap
    from luthier.core.model.loading import LoadPlan
    from luthier.core.model.opening import ModelSpec, OpenModel
    from luthier.core.model.value_head import ValueHead
    from luthier.core.model.vocabulary import Vocabulary
    from luthier.core.problems import Finding
    from luthier.core.run.job import TrainingJob
    from luthier.core.samples import Reward
    from luthier.core.sections import EncodingSection, GenerationSection, ModelSection
    from luthier.core.templates import ChatTemplate
    from luthier.core.training import Trainer

PROJECT = "luthier"
API_VERSION = "1.0"
"""Version of this module. A plugin that declares another major version is refused."""

hookimpl = pluggy.HookimplMarker(PROJECT)
hookspec = pluggy.HookspecMarker(PROJECT)

Undo = Callable[[], None]
Phase = Literal["built", "adapted"]
Collator = Callable[[list[Any]], dict[str, Any]]


class Items(Protocol):
    """What batches are made of, by number."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int) -> Any: ...


Attention = Callable[..., "tuple[torch.Tensor, torch.Tensor | None]"]


def is_marked(function: object) -> bool:
    """Return whether a function bears `@hookimpl`."""
    return hasattr(function, f"{PROJECT}_impl")


# --- the pipeline ---------------------------------------------------------------------------


@hookspec(firstresult=True)
def load_model(model: ModelSpec, location: Path | str, plan: LoadPlan) -> PreTrainedModel | None:
    """Return the base model, weights loaded, in the plan's dtype and on its devices.

    Called once for each model slot, after every `plan_load`.

    Args:
        model: what the run file says of this slot.
        location: the folder or Hub id that `locate_model` gave.
        plan: dtype, device map, attention, quantization and changes of the config.

    Raises:
        BadModel: there is no model there, or it is not of this family.

    Answered by families; a kernel library that builds its own model answers in their place.
    """


@hookspec
def patch_model(
    model: PreTrainedModel, layers: LayerMap, vocabulary: Vocabulary, phase: Phase
) -> Undo | None:
    """Change the model in place and return what undoes the change, or None.

    Called twice: in phase `built` before the adapter, in phase `adapted` after it.

    Args:
        model: the model to change.
        layers: the type of each of its layers.
        vocabulary: which tokens are new to the model.
        phase: `built` or `adapted`.

    Answered by patches and quantizers.
    """


@hookspec(firstresult=True)
def attach_adapter(
    model: PreTrainedModel, layers: LayerMap, vocabulary: Vocabulary, adapter: Path | None
) -> torch.nn.Module | None:
    """Return the model with exactly the parameters trainable that are to be trained.

    Called once a training run, between the two phases of `patch_model`.

    Args:
        model: the patched base model.
        layers: the type of each of its layers; targets are resolved through it.
        vocabulary: which tokens are new to the model; what is new has to be trained.
        adapter: the folder of the adapter to go on with; None for a new one. It is given to
            plugins of the trait `continues-adapter` alone.

    Raises:
        BadModel: a target matches no layer, or the adapter is of another kind.

    Answered by tuners.
    """


@hookspec(firstresult=True)
def align_dataset(dataset: Rows, spec: DatasetSpec) -> Aligned | None:
    """Return the rows of a dataset in the standardized form, each made when it is read.

    `luthier.core.data.standard` tells what the forms hold, and `aligned` makes the answer of a
    function of one row, which raises BadValue for a bad one.

    Called once for each dataset, after `open_dataset`.

    Args:
        dataset: the rows as the source gave them.
        spec: the entry of the run file's `data` that they come from.

    Answered by formats.
    """


@hookspec(firstresult=True)
def build_trainer(job: TrainingJob) -> Trainer | None:
    """Return the trainer of a run, ready for `train()`.

    Called once, when the model is open and the data encoded.

    Args:
        job: model, tokenizer, template, encoded data, settings and run folder.

    Answered by stages.
    """


# --- models ---------------------------------------------------------------------------------


@hookspec(firstresult=True)
def locate_model(model: ModelSpec) -> Path | str | None:
    """Return the local folder, or the Hub id, that the model's path stands for.

    Raises:
        BadModel: the path is neither.

    Answered by families; a family with a built-in model makes it here.
    """


@hookspec(firstresult=True)
def load_tokenizer(model: ModelSpec, location: Path | str) -> PreTrainedTokenizerBase | None:
    """Return the tokenizer that belongs to the model at `location`.

    Raises:
        BadModel: there is none.

    Answered by families.
    """


@hookspec
def check_model(
    config: Mapping[str, Any],
    folder: Path,
    model: ModelSection,
    encoding: EncodingSection,
    device: Device,
) -> Iterable[Finding] | None:
    """Return what is wrong with the model or the device for this plugin, told without loading it.

    The key of a finding is that of an option of the plugin; empty for the plugin itself.

    Args:
        config: the model's `config.json` as it stands; empty where it is not at hand, as that of
            a model on a hub which nobody has fetched.
        folder: where that file lies, and what else was fetched to tell of the model: its
            tokenizer's config, and the code that it brings; it may be no folder.
        model: the run file's section of that name.
        encoding: the run file's section of that name.
        device: where the run is to take place.

    Answered by all but families, formats and sources. Must import no heavy package: `luthier check`
    calls it.
    """


@hookspec(firstresult=True)
def outline_model(model: ModelSpec, location: Path | str) -> PreTrainedModel | None:
    """Return the model that `load_model` would, without its weights, on torch's meta device.

    Args:
        model: what the run file says of this slot.
        location: the folder or Hub id that `locate_model` gave.

    Raises:
        BadModel: its config cannot be read.

    Answered by families. None where it cannot be built so: what hangs on its layers is then told
    when it is open.
    """


@hookspec
def check_layers(model: PreTrainedModel, layers: LayerMap, vocabulary: Vocabulary) -> None:
    """Refuse what cannot be done to the layers of a model, before its weights, or data, are read.

    Called once a training run, which tells of it sooner than `attach_adapter` could. A tuner that
    leaves a part of the model as it is may freeze it here, so that an optimizer sees what is left.

    Args:
        model: what `outline_model` gave.
        layers: the type of each of its layers.
        vocabulary: what becomes of its vocabulary to fit the tokenizer.

    Raises:
        BadModel: a target matches no layer, or what was chosen is not there.

    Answered by tuners and optimizers.
    """


@hookspec
def plan_load(plan: LoadPlan, model: ModelSpec, location: Path | str) -> None:
    """Set the fields of the plan that this plugin decides.

    A field set by two plugins is an error that names both (TwoOwners).

    Args:
        plan: what is decided so far.
        model: what the run file says of this slot.
        location: the folder or Hub id that `locate_model` gave.

    Raises:
        BadModel: what the plugin does cannot be done to this model, or here.

    Answered by quantizers and patches.
    """


@hookspec
def wrap_attention(attention: Attention) -> Attention | None:
    """Return an attention function that calls `attention`, or None to leave it.

    The function has the signature of transformers' attention interface: module, query, key,
    value of shape (batch, heads, tokens, head size), mask, and keywords. Core composes all
    wrappers over the one backend and registers the composition with transformers.

    Answered by patches.
    """


# --- data -----------------------------------------------------------------------------------


@hookspec(firstresult=True)
def expand_dataset(spec: DatasetSpec) -> Mapping[str, Any] | None:
    """Return what a dataset's path stands for: its declaration, as a run file would have it.

    The keys are those of a dataset in a run file; `path` is among them, and a relative one is
    found from nowhere, so it has to be whole. They take the places of `path` and `source`, and
    of what else the run file leaves open; what it says itself stays. They are not expanded again.

    Called once for each dataset, when its source is chosen and its format is not yet.

    Raises:
        BadSource: the path stands for nothing.

    Answered by sources whose paths are names for others.
    """


@hookspec
def check_dataset(spec: DatasetSpec) -> Iterable[Finding] | None:
    """Return what is wrong with a dataset that can be told without loading it.

    Answered by sources and formats. Must import no heavy package: `luthier check` calls it.
    """


@hookspec(firstresult=True)
def open_dataset(spec: DatasetSpec) -> Rows | Dataset | IterableDataset | Sequence[Row] | None:
    """Return the rows of a dataset as they stand at its source.

    Of a row that cannot be read `Rows` may yield what is wrong, a BadValue; it is a bad row then.
    Where `spec.streaming`, nothing is downloaded before it is read.

    Raises:
        BadData: the file or the set cannot be read; it is named.

    Answered by sources.
    """


@hookspec(firstresult=True)
def encode_dataset(
    dataset: Sequence[StandardRow],
    template: ChatTemplate | None,
    tokenizer: PreTrainedTokenizerBase,
    encoder: Encoder,
) -> Sequence[EncodedRow] | None:
    """Return standardized rows as token ids, and which of them the loss counts.

    Called with some hundred rows at a time. What becomes of rows that are too long, or of which
    nothing is trained, is not its business.

    Args:
        dataset: the rows.
        template: the run's chat template.
        tokenizer: the model's.
        encoder: what renders and encodes many rows at once, as the run file's `encoding` says.

    Answered by stages.
    """


@hookspec(firstresult=True)
def arrange_dataset(dataset: Dataset, encoding: EncodingSection) -> Items | None:
    """Return what batches are made of, such as packs of rows; None for the rows as they are.

    Called once a training run, with all encoded rows; where they are streamed with a
    `luthier.core.training.streaming.Stream`, whose method `arranged` takes what makes items of a
    window of rows.

    Args:
        dataset: rows of `input_ids`, `labels` and `row`.
        encoding: the run file's section of that name.

    Answered by stages.
    """


# --- training -------------------------------------------------------------------------------


@hookspec(firstresult=True)
def build_value_heads(opened: OpenModel) -> Mapping[str, ValueHead] | None:
    """Return the value heads that are trained with the model, and saved with it, by their names.

    Called once a training run, when the model is open. The loop then trains a
    `luthier.core.model.value_head.ValuedModel` of both.

    Args:
        opened: the model; its `value_heads` are those that were saved with what is gone on with.

    Answered by stages.
    """


@hookspec(firstresult=True)
def build_collator(
    tokenizer: PreTrainedTokenizerBase, attention: str, encoding: EncodingSection
) -> Collator | None:
    """Return what makes a batch of encoded rows: a dict of tensors of shape (batch, tokens).

    Args:
        tokenizer: the model's.
        attention: transformers' name of the model's attention backend.
        encoding: the run file's section of that name.

    Answered by stages; a patch that lays sequences end to end answers in their place.
    """


@hookspec(firstresult=True)
def build_optimizer(job: TrainingJob) -> torch.optim.Optimizer | None:
    """Return the optimizer over the model's trainable parameters; None for transformers' AdamW.

    `luthier.core.training.parameter_groups` gives them, with the rates and the weight decay that
    the run file says. Called once a training run, when the model is open.

    Args:
        job: the run, its model open.

    Answered by optimizers.
    """


@hookspec
def build_reward(job: TrainingJob) -> Reward | None:
    """Return what scores answers: of `luthier.core.samples.Sample`s a number for each.

    Called once a training run whose stage samples answers, when the model is open. The scores of
    several rewards are added.

    Args:
        job: the run, its model open. What a reward puts on the model is taken back by what it adds
            to `job.opened.undo`.

    Answered by rewards.
    """


@hookspec
def build_callback(job: TrainingJob) -> TrainerCallback | None:
    """Return an observer of the training loop.

    One that has `figures`, names, and a method `measure` is asked at each evaluation for these
    figures of a validation set (core/training/measuring.py); `evaluation.best` may name them. Those
    of which less is better are in its `falling`.

    Answered by callbacks.
    """


@hookspec
def conclude_run(job: TrainingJob) -> Mapping[str, Any] | None:
    """Return what the manifest is to keep of what was done with the trained model, by key.

    Numbers of it stand in the model card, too.

    Called once, in the first of all processes, when the model is saved and its patches are taken
    back; and by `luthier predict`, which opens the model anew.

    Args:
        job: the run, its model trained.

    Answered by callbacks.
    """


# --- use ------------------------------------------------------------------------------------


@hookspec(firstresult=True)
def build_engine(opened: OpenModel, generation: GenerationSection) -> Engine | None:
    """Return what answers conversations with an open model.

    Answered by engines.
    """


@hookspec(firstresult=True)
def build_command() -> Callable[..., None] | Mapping[str, Callable[..., None]] | None:
    """Return the function of a command; its parameters are annotated as typer reads them.

    The plugin's docstring is the command's help, its name in the entry point the command's name.
    A mapping is of the names and functions of subcommands, whose docstrings are their help.

    Answered by commands.
    """


ANSWERED_BY: Mapping[str, str] = {
    "locate_model": "families",
    "load_tokenizer": "families",
    "outline_model": "families",
    "load_model": "families",
    "attach_adapter": "tuners",
    "expand_dataset": "sources",
    "open_dataset": "sources",
    "align_dataset": "formats",
    "encode_dataset": "stages",
    "arrange_dataset": "stages",
    "build_value_heads": "stages",
    "build_collator": "stages",
    "build_trainer": "stages",
    "build_optimizer": "optimizers",
    "build_engine": "engines",
    "build_command": "commands",
}
"""The kind whose business each first-result hook is."""

HOOK_NAMES = frozenset(
    name for name, value in vars(sys.modules[__name__]).items() if hasattr(value, "luthier_spec")
)
