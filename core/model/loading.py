"""The load plan: what quantizers and patches decide of how a model is built, each field by one.

Besides, what loading has to hold: weights are read from safetensors alone, and what is trained has
its place in the memory of a device.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadModel, TwoOwners
from luthier.core.run.ranks import world

if TYPE_CHECKING:
    from luthier.core.model.opening import ModelSpec


class LoadPlan:
    """How a model is to be loaded. Each field may be set by one plugin only.

    Attributes:
        dtype: name of the torch dtype of the weights.
        device_map: where the weights go, as accelerate takes it; None for the default device.
        attention: transformers' name of the attention backend; None for its own choice.
        quantization: a quantization config of transformers, or None.
        config: changes of the language model's config, by field.
        stored: what the model's config tells of weights that are stored quantized; None where
            they are whole.
    """

    _FIELDS = frozenset({"dtype", "device_map", "attention", "quantization"})

    def __init__(
        self,
        dtype: str,
        stored: Mapping[str, Any] | None = None,
        device_map: str | None = None,
    ) -> None:
        """Begin with what the run file or the device asks for."""
        self.owners: dict[str, str] = {}
        self._owner: str | None = None
        self._config: dict[str, Any] = {}
        self._stored = stored
        self.dtype = dtype
        self.device_map: Any = device_map
        self.attention: str | None = None
        self.quantization: Any = None

    def __setattr__(self, field: str, value: Any) -> None:
        if field in self._FIELDS:
            self._claim(field)
        elif not field.startswith("_") and field != "owners":
            there = ", ".join(sorted(self._FIELDS))
            raise AttributeError(f"a load plan has no field {field!r}; there are: {there}, config")
        super().__setattr__(field, value)

    @property
    def stored(self) -> Mapping[str, Any] | None:
        """What the model's config tells of weights that are stored quantized."""
        return self._stored

    @property
    def config(self) -> Mapping[str, Any]:
        """The changes of the language model's config; `change_config` adds one."""
        return self._config

    def change_config(self, field: str, value: Any) -> None:
        """Set one field of the language model's config; `quantization_config` is the whole model's.

        Those differ where a model has several parts, such as one that also sees.

        Raises:
            TwoOwners: another plugin set it already.
        """
        self._claim(f"config.{field}")
        self._config[field] = value

    @contextmanager
    def owned_by(self, owner: str) -> Iterator[None]:
        """Let what is set within belong to one plugin."""
        self._owner = owner
        try:
            yield
        finally:
            self._owner = None

    def _claim(self, field: str) -> None:
        if self._owner is None:
            return
        first = self.owners.setdefault(field, self._owner)
        if first != self._owner:
            raise TwoOwners(
                f"{first} and {self._owner} both decide {field!r} of the model. Leave one out."
            )


def placement(model: ModelSpec, plan: LoadPlan) -> dict[str, Any]:
    """Return the arguments of `from_pretrained` that say where the weights go.

    Whatever they are, transformers builds the model on no device and reads each weight into its
    place, so that no more memory is taken than the weights need.
    """
    if plan.device_map is None:
        return {}
    found: dict[str, Any] = {"device_map": plan.device_map}
    if model.max_memory:
        # accelerate numbers GPUs, and names all else
        found["max_memory"] = {
            int(device) if device.isdecimal() else device: most
            for device, most in model.max_memory.items()
        }
    if model.offload_folder:
        found["offload_folder"] = str(model.base / Path(model.offload_folder).expanduser())
    return found


def require_trainable_places(model: Any) -> None:
    """Refuse to train a model that is spread so that its gradients have no place.

    Args:
        model: as it was loaded.

    Raises:
        BadModel: it has weights that are fetched from elsewhere, or a process of several has it
            on all devices.
    """
    places = set(map(str, getattr(model, "hf_device_map", {}).values()))
    elsewhere = places & {"disk", "cpu"} if len(places) > 1 else places & {"disk"}
    if elsewhere:
        raise BadModel(
            f"`model.device_map` leaves weights on the {' and the '.join(sorted(elsewhere))}, from "
            "where they are fetched for each forward pass, and such are not trained. Raise "
            "`model.max_memory`, "
            "hold the weights in fewer bits (`quantizer`), or take more devices."
        )
    if len(places) > 1 and world() > 1:
        raise BadModel(
            f"`model.device_map` spreads the model over {len(places)} devices, and each of "
            f"{world()} processes would do so. Leave it out, or train in one process."
        )


PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".msgpack", ".h5")
"""The endings of files with weights that are not read: a pickle runs code when it is."""


def require_safetensors(folder: Path) -> None:
    """Refuse a folder whose weights are in no safetensors.

    Raises:
        BadModel: it has pickles alone.
    """
    files = [one.name for one in folder.iterdir() if one.suffix in {".safetensors", *PICKLED}]
    if files and not any(name.endswith(".safetensors") for name in files):
        raise BadModel(
            f"the weights in {folder} are in {min(files)}, and only safetensors are read: other "
            f"files may run code when they are. {CONVERT}"
        )


CONVERT = (
    "Take a revision, or a copy of the model, that has safetensors; or write them once, from files "
    "that you trust: `AutoModelForCausalLM.from_pretrained(FOLDER).save_pretrained(NEW_FOLDER)`."
)
