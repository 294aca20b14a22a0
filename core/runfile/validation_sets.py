"""What a run file says that its model is evaluated on while it trains."""

from __future__ import annotations

from luthier.core.data.dataset import VALIDATION, DatasetSpec, Validation
from luthier.core.problems import described
from luthier.core.runfile.choosing import Chooser
from luthier.core.runfile.datasets import dataset_at
from luthier.core.runfile.nodes import Node, dotted, opened
from luthier.core.sections import DatasetSection

REMEDY = (
    "Write a share of the rows below 1 (`validation: 0.05`), a number of rows "
    "(`validation: 500`), a dataset (`validation: {path: FILE}`), or several by name "
    "(`validation: {mine: {path: FILE}, other: {path: FILE}}`)."
)
OF_TRAINING = ("weight", "repeat")
"""What tells how a dataset is mixed with others: each validation set is looked at alone, once."""


def validation_of(tree: Node, chooser: Chooser) -> Validation:
    """Return what the model is evaluated on, the values of datasets set in place.

    Args:
        tree: the run file.
        chooser: what finds plugins of datasets, and is told what is wrong.
    """
    node = tree.mapping.get(VALIDATION)
    if node is None or node.value is None:
        return Validation()
    node = tree.mapping[VALIDATION] = opened(node, (VALIDATION,))
    value = node.value
    if isinstance(value, float) and 0 < value < 1:
        return Validation(share=value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return Validation(count=value)
    if not isinstance(value, dict) or not value:
        found = "nothing" if value == {} else described(value)
        chooser.tell(node.place, VALIDATION, f"expected rows to evaluate on, found {found}", REMEDY)
        return Validation()
    if "path" in value:
        return _sets({VALIDATION: _set(node, (VALIDATION,), chooser)})
    for name, one in value.items():
        value[name] = _in_long_form(one)
    return _sets({name: _set(one, (VALIDATION, name), chooser) for name, one in value.items()})


def _sets(found: dict[str, DatasetSpec | None]) -> Validation:
    return Validation(sets={name: spec for name, spec in found.items() if spec is not None})


def _in_long_form(node: Node) -> Node:
    """Return a path as the mapping that it is short for; anything else as it is."""
    if not isinstance(node.value, str):
        return node
    return Node({"path": Node(node.value, node.place)}, node.place, node.key_place)


def _set(node: Node, path: tuple[str, ...], chooser: Chooser) -> DatasetSpec | None:
    if not isinstance(node.value, dict):
        said = f"expected a path or a mapping, found {described(node.value)}"
        chooser.tell(node.place, dotted(path), said, REMEDY)
        return None
    spec = dataset_at(node, path, chooser)
    for key in OF_TRAINING:
        if spec and getattr(spec.section, key) != DatasetSection.model_fields[key].default:
            said = "it tells how a dataset is mixed with others, and each validation set is alone"
            chooser.tell(node.mapping[key].place, dotted((*path, key)), said, "Leave it out.")
    return spec
