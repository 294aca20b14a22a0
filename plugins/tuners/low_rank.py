"""What LoRA and DoRA share: pairs of low-rank matrices beside layers and stacked experts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from luthier.core import BadModel
from luthier.core.model.layers import LayerType
from luthier.plugins.tuners.peft_tuner import CAUSAL, LayerTuner

if TYPE_CHECKING:
    from torch import nn

    from luthier.core.model.layers import LayerMap
    from luthier.core.model.vocabulary import Vocabulary

Rank = Annotated[int, Field(ge=1)]
Alpha = Annotated[float, Field(gt=0)]


class LowRank(LayerTuner):
    """Base of those that train a pair of matrices beside each layer."""

    rank: Rank = 8
    """The rank of the matrices."""
    alpha: Alpha | None = None
    """The update is scaled by alpha / rank; twice the rank where it is not given."""
    rslora: bool = False
    """Scale the update by alpha / sqrt(rank), so that a higher rank is no weaker."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The share of the layer's inputs dropped on the way into the matrices."""
    rank_pattern: Mapping[str, Rank] = {}
    """Other ranks, by what `targets` may be, such as `{mlp: 16, q_proj: 4}`; of several that
    match, the last counts."""
    alpha_pattern: Mapping[str, Alpha] = {}
    """Other alphas, likewise."""

    method: ClassVar = "LORA"
    traits: ClassVar = frozenset({"adapter", "continues-adapter", "low-rank"})

    def settings(self, model: Any, modules: list[str]) -> dict[str, Any]:  # noqa: ARG002
        """Return what a subclass adds to PEFT's LoraConfig for a model and its chosen modules."""
        return {}

    def config_for(self, model: Any, layers: LayerMap, vocabulary: Vocabulary) -> Any:
        """Return a LoraConfig for a model.

        Raises:
            BadModel: PEFT cannot do on stacked experts what is asked for.
        """
        from peft import LoraConfig

        names = self.chosen(model, layers)
        _require_apart(model, names, layers, vocabulary)
        modules, parameters = _addressed(model, names, layers)
        settings = self.settings(model, modules)
        self._require_plain(parameters, settings)
        full = self.trained_in_full(names, layers)
        new = vocabulary.modules(model)
        return LoraConfig(
            r=self.rank,
            lora_alpha=2 * self.rank if self.alpha is None else self.alpha,
            use_rslora=self.rslora,
            lora_dropout=self.dropout,
            target_modules=modules,
            target_parameters=parameters or None,
            rank_pattern=_pattern(self.rank_pattern, names, layers),
            alpha_pattern=_pattern(self._alphas(), names, layers),
            modules_to_save=full,
            # what is trained in full has its new rows trained with it
            trainable_token_indices={k: v for k, v in new.items() if k not in (full or ())} or None,
            ensure_weight_tying=bool(full) and _is_tied(model),
            task_type=CAUSAL,
            **settings,
        )

    def _alphas(self) -> dict[str, float]:
        """Return other alphas; those of other ranks are twice these where none is given at all."""
        doubled = {} if self.alpha else {word: 2.0 * r for word, r in self.rank_pattern.items()}
        return {**doubled, **self.alpha_pattern}

    def _require_plain(self, parameters: list[str], settings: dict[str, Any]) -> None:
        """Refuse on a tensor what PEFT has for modules alone.

        Raises:
            BadModel: it says what.
        """
        if not parameters:
            return
        other = ", or choose other `targets`, such as `attention`."
        if self.dropout:
            raise BadModel(
                f"LoRA has no dropout on {parameters[0]}, which PEFT adapts as a tensor, as all "
                f"experts. Set `dropout: 0`{other}"
            )
        if settings.get("init_lora_weights", True) is not True or settings.get("use_dora"):
            raise BadModel(
                f"PEFT adapts {parameters[0]} as a tensor, as all experts, by a plain LoRA that "
                f"begins as no change. Choose `tuner: lora` with its default `init`{other}"
            )


def _pattern(values: Mapping[str, Any], targets: list[str], layers: LayerMap) -> dict[str, Any]:
    """Return values by the full names of targets, as PEFT's patterns have them.

    A key is one word of `targets`, or the end of a name; else a regular expression.

    Raises:
        BadModel: a key matches none of the targets.
    """
    import re

    found = {}
    for word, value in values.items():
        ends = any(name == word or name.endswith(f".{word}") for name in targets)
        for name in layers.matching([word] if ends else word, {*targets}):
            found[re.escape(layers.parameters.get(name, name))] = value
    return found


def _require_apart(
    model: Any, targets: list[str], layers: LayerMap, vocabulary: Vocabulary
) -> None:
    """Refuse matrices beside weights that two layers share, or whose new rows are trained.

    Raises:
        BadModel: merged, the matrices would change the other layer, too; or PEFT cannot do both.
    """
    ends = [n for n in targets if layers.types[n] in {LayerType.HEAD, LayerType.EMBEDDING}]
    if ends and _is_tied(model):
        raise BadModel(
            f"the model's head and embedding are one weight, and matrices beside {ends[0]} "
            f"would change both when they are merged. Leave {ends[0]} out of `targets`, or train "
            "it in `full`."
        )
    if ends and vocabulary.ids:
        raise BadModel(
            f"the rows of new tokens in {ends[0]} are trained already, and PEFT lays nothing else "
            f"on it. Leave {ends[0]} out of `targets`, or train it in `full`."
        )


def _is_tied(model: Any) -> bool:
    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    return head is not None and head.weight is embedding.weight


def _addressed(
    model: nn.Module, targets: list[str], layers: LayerMap
) -> tuple[list[str], list[str]]:
    """Return the targets that PEFT is told by a module's name, and those by a parameter's.

    Raises:
        BadModel: a quantizer holds what could be told by the parameter alone.
    """
    taken = {end for end in {name.rpartition(".")[2] for name in targets} if _taken(model, end)}
    modules, parameters = [], []
    for name in targets:
        if name in layers.parameters:
            parameters.append(layers.parameters[name])
        elif name.rpartition(".")[2] in taken:
            if not model.get_parameter(f"{name}.weight").is_floating_point():
                raise BadModel(
                    f"PEFT cannot lay LoRA on {name} of this model while it is quantized. "
                    "Choose other `targets`, such as `attention`."
                )
            parameters.append(f"{name}.weight")
        else:
            modules.append(name)
    return modules, parameters


def _taken(model: nn.Module, end: str) -> bool:
    """Return whether PEFT takes a name for that of an expert, as it was before transformers 5.

    It would lay the adapter on the model's stacked experts, and the layer of this name, a shared
    expert's, would stay without.
    """
    from peft import LoraConfig
    from peft.utils.transformers_weight_conversion import convert_peft_config_for_transformers

    probe = LoraConfig(target_modules=[end])
    try:
        convert_peft_config_for_transformers(probe, model, None)
    except ValueError:  # it wants the other half of the fused layer beside it
        return True
    return end not in probe.target_modules
