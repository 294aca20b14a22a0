"""The load plan: what quantizers and patches decide of how a model is built, each field by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from luthier.core.errors import TwoOwners


class LoadPlan:
    """How a model is to be loaded. Each field may be set by one plugin only.

    Attributes:
        dtype: name of the torch dtype of the weights.
        device_map: where the weights go, as accelerate takes it; None for the default device.
        attention: transformers' name of the attention backend; None for its own choice.
        quantization: a quantization config of transformers, or None.
        config: changes of the model's config, by field.
        stored: what the model's config tells of weights that are stored quantized; None where
            they are whole.
    """

    _FIELDS = frozenset({"dtype", "device_map", "attention", "quantization"})

    def __init__(self, dtype: str, stored: Mapping[str, Any] | None = None) -> None:
        """Begin with the precision that the run file or the device asks for."""
        self.owners: dict[str, str] = {}
        self._owner: str | None = None
        self._config: dict[str, Any] = {}
        self._stored = stored
        self.dtype = dtype
        self.device_map: Any = None
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
        """The changes of the model's config; `change_config` adds one."""
        return self._config

    def change_config(self, field: str, value: Any) -> None:
        """Set one field of the model's config.

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
