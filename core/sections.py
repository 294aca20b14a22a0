"""The sections of a run file that are luthier's own. Every field says what it is, with its unit.

What a plugin offers is not here: it stands in the plugin's class.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Token = Annotated[str, Field(min_length=1)]
Memory = Annotated[str, Field(pattern=r"^[0-9]+ ?[KMG]i?B$")]


class Section(BaseModel):
    """A group of settings; it refuses keys that it does not know."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        protected_namespaces=(),
        allow_inf_nan=False,
    )


class ModelSection(Section):
    """Which model is trained."""

    path: str
    """A local folder, a hub's id such as `owner/name`, a short name, or a built-in model's name."""
    hub: Literal["huggingface", "modelscope"] = "huggingface"
    """Where a model that is no folder is fetched from."""
    family: str | None = None
    """The model's family; found from its config where this is not given."""
    revision: str | None = None
    """The Hub's branch, tag or commit; pin a commit to repeat a run exactly."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """The precision of the weights; `auto` takes what suits the device."""
    adapters: tuple[str, ...] = ()
    """Folders of adapters to put on the model, in order; all but the last become part of it."""
    continue_adapter: bool = True
    """Whether the last of `adapters` is trained on, where the tuner trains one; else they all
    become part of the model, and a new one is laid on it."""
    add_tokens: tuple[Token, ...] = ()
    """Texts that become one token each; their rows of embedding and head are trained too."""
    add_special_tokens: tuple[Token, ...] = ()
    """Likewise, of texts that are tokens only where a chat template prints them."""
    pad_vocabulary: Count = 1
    """The rows of the embedding are padded to a multiple of this."""
    device_map: Literal["auto", "balanced", "balanced_low_0", "sequential"] | None = None
    """How the layers are spread over several devices, by accelerate; on one where not given."""
    max_memory: dict[str, Memory] = {}
    """The most that weights may take of each device, such as `{0: 20GiB, cpu: 60GiB}`, where they
    are spread."""
    offload_folder: str | None = None
    """The folder for weights that no device has room for; a chat alone can do with such."""


class DatasetSection(Section):
    """One dataset of the run."""

    path: str
    """A file or folder, relative to the run file; or `source:rest`, by the name of a source."""
    split: str = "train"
    """The split to take, where the source has several."""
    subset: str | None = None
    """The configuration of a Hub dataset."""
    bad_rows: Literal["error", "drop"] = "error"
    """What to do with a row that is not of the format, or that has nothing to learn: stop and name
    it, or leave it out, count it and write it to `rejected.jsonl` in the run folder."""
    samples: Count | None = None
    """Take this many rows from the start; all of them where it is not given."""
    weight: Annotated[float, Field(gt=0)] | None = None
    """How likely this dataset gives the next row, relative to the others, where they alternate."""
    repeat: Annotated[float, Field(gt=0)] = 1.0
    """How often its rows are read in one pass: 1.5 is each once, and a random half again."""
    variables: dict[str, str] = {}
    """Texts to put in place of `{{key}}` wherever it stands in a row."""


class MixSection(Section):
    """How the rows of several datasets come together, and whether they are read all at once."""

    strategy: Literal["concatenate", "under", "over", "once"] = "concatenate"
    """One after the other, or in turn: until the first is through, until all have been, or until
    each row has been read once (paper, section 3.2)."""
    streaming: bool = False
    """Whether rows are read while the model trains and none is kept, as sets beyond a disk need."""
    shuffle_buffer: Count = 10_000
    """Rows that are in memory to be shuffled, where they are streamed."""


class EncodingSection(Section):
    """How conversations become token ids."""

    max_length: Count = 2048
    """The longest row, in tokens."""
    overflow: Literal["error", "drop", "truncate", "split"] = "error"
    """What to do with a longer row: stop and name it, leave it out, cut its end off, or, of plain
    text, go on in a new row."""
    loss: Literal["answers", "last-answer", "all"] = "answers"
    """What the loss counts: every answer of a conversation, the last alone, or all of the text."""
    special_text: Literal["text", "tokens"] = "text"
    """What becomes of content that looks like a special token: it stays text, or is one."""


class TrainingSection(Section):
    """The optimization."""

    epochs: Annotated[float, Field(gt=0)] = 3.0
    """Passes over the data."""
    max_steps: Count | None = None
    """Optimizer steps; where given, it overrides `epochs`."""
    batch_size: Count = 4
    """Rows in one forward pass on each device."""
    gradient_accumulation: Count = 1
    """Forward passes to one optimizer step."""
    group_by_length: bool = False
    """Whether the rows of a step are of about the same length, so that few places are pads."""
    learning_rate: Annotated[float, Field(gt=0)] = 1e-4
    """The highest learning rate."""
    precision: Literal["mixed", "pure"] = "mixed"
    """How weights are trained in a model of half precision: held and updated in float32 (mixed), or
    in bfloat16 like all else (pure), which takes half the memory and loses small updates."""
    scheduler: Literal["cosine", "cosine-restarts", "linear", "inverse-sqrt", "wsd", "constant"] = (
        "cosine"
    )
    """How the learning rate falls after the warm-up; `wsd` keeps it, and falls at the end."""
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.03
    """The share of all steps in which the learning rate rises from zero."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Decoupled weight decay, of matrices alone: biases, norms and vectors that scale have none."""
    max_grad_norm: Annotated[float, Field(ge=0)] = 1.0
    """Clip the norm of the gradient to this; 0 clips nothing."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    """The seed of everything random."""
    log_every: Count = 10
    """Optimizer steps between two lines of metrics."""
    report_to: tuple[Literal["tensorboard", "wandb", "mlflow", "trackio", "swanlab"], ...] = ()
    """Where the metrics go besides metrics.jsonl; nothing leaves the machine unless named here."""


class ScheduleSection(Section):
    """What the learning rate is besides: in single layers, and towards the end."""

    learning_rates: dict[str, Annotated[float, Field(gt=0)]] = {}
    """Highest learning rates of layers by type, group or name, such as `{embedding: 1e-5}`; of
    several words for one layer the last holds."""
    minimum: Fraction = 0.0
    """The share of the highest learning rate that `cosine` and `wsd` fall to."""
    decay: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """The share of all steps in which `wsd` falls."""
    cycles: Count = 2
    """How often `cosine-restarts` falls to zero."""


class EvaluationSection(Section):
    """When a model in training is measured on the rows that it is not trained on."""

    every: Count | None = None
    """Optimizer steps between two evaluations, the last step being one always; an epoch where it
    is not given."""
    on_start: bool = True
    """Whether it is also measured before the first step, as what it is to be compared with, and so
    that an evaluation which does not fit fails at once."""
    batch_size: Count | None = None
    """Rows in one forward pass on each device; as many as in training where it is not given."""
    best: str | None = None
    """The figure by which the best step is known, such as `loss` or `accuracy`, of several
    validation sets `SET.loss`: its checkpoint is kept, and its weights become the model."""
    patience: Count | None = None
    """Evaluations without a better one after which the run ends; by the loss, or by what the
    stage has in its place, where `best` says nothing else."""


class CheckpointSection(Section):
    """What is kept to resume from."""

    every: Count = 500
    """Optimizer steps between two checkpoints."""
    keep: Count = 2
    """How many of the newest checkpoints stay; the best one stays besides."""
    require_space: bool = True
    """Whether a run is refused for which the disk has no room; else that is only warned of."""


class FaultSection(Section):
    """What becomes of a step whose loss or gradient is not finite, or that trains no token."""

    non_finite: Literal["stop", "skip"] = "stop"
    """Whether the run stops before such a step is taken, or leaves it out and goes on."""
    most_skipped: Count = 10
    """Steps of a run that may be left out; one more stops it."""


class GenerationSection(Section):
    """How the model answers in a chat; what is not given is the model's own setting."""

    max_new_tokens: Count = 512
    """The longest answer, in tokens."""
    temperature: Annotated[float, Field(ge=0)] | None = None
    """0 always takes the likeliest token; higher is freer."""
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    """Sample from the likeliest tokens that together have this probability."""
    top_k: Count | None = None
    """Sample from this many of the likeliest tokens."""
    repetition_penalty: Annotated[float, Field(gt=0)] | None = None
    """Over 1 makes tokens that have appeared less likely."""


SECTIONS: dict[str, type[Section]] = {
    "model": ModelSection,
    "mix": MixSection,
    "encoding": EncodingSection,
    "training": TrainingSection,
    "schedule": ScheduleSection,
    "evaluation": EvaluationSection,
    "checkpoints": CheckpointSection,
    "faults": FaultSection,
    "generation": GenerationSection,
}
"""The sections that are one mapping each, by key. Besides, `data` is a list of DatasetSection, and
`validation` a share or a number of its rows, a DatasetSection, or several by name."""
