"""The page of optimizers says of each what its rules say."""

import pytest

from luthier.core.runfile.settings import RULES
from luthier.core.selection import plugin_of
from luthier.registry import Catalogue

COLUMNS = ("accumulation", "clipping by norm", "several processes", "sharded", "offloaded")
TRAINS = {"low-rank": "low-rank pairs", "trains-base-weights": "base weights"}


def cells_of(name, *, layerwise):
    """Return the computed cells of an optimizer's row."""
    cls = plugin_of(Catalogue.installed().find("optimizers", name))
    plugin = cls(layerwise=True) if layerwise else cls()
    traits = plugin.traits | plugin.traits_of_options()
    refused = {rule.trait for rule in plugin.refuses}
    against = {rule.key for rule in RULES if rule.trait in traits}
    free = (
        "gradient_accumulation" not in against,
        "max_grad_norm" not in against,
        "one-process" not in traits,
        not refused & {"shards-weights", "shards-optimizer"},
        "offloads-optimizer" not in refused,
    )
    trains = next((TRAINS[need.trait] for need in plugin.needs if need.trait in TRAINS), "all")
    install = f"`luthier[{plugin.extra}]`" if plugin.extra else ""
    return [*("yes" if one else "no" for one in free), trains, install]


@pytest.fixture(scope="module")
def rows(repository):
    text = (repository / "docs" / "optimizers.md").read_text(encoding="utf-8")
    table = text.partition("| optimizer |")[2].partition("\n\n")[0].splitlines()
    found = {}
    for line in table[2:]:
        name, _, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        found[name] = cells
    return found


def test_each_optimizer_has_a_row_of_what_it_supports(rows):
    expected = {}
    for name in Catalogue.installed().names("optimizers"):
        cls = plugin_of(Catalogue.installed().find("optimizers", name))
        expected[f"`{name}`"] = cells_of(name, layerwise=False)
        if "layerwise" in cls.model_fields:
            expected[f"`{name}`, `layerwise: true`"] = cells_of(name, layerwise=True)
    assert rows == expected


def test_the_columns_are_those_that_are_computed(repository):
    text = (repository / "docs" / "optimizers.md").read_text(encoding="utf-8")
    assert " | ".join(COLUMNS) in text
