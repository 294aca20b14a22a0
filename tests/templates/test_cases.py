"""Each template's text, to the character.

The texts of cases.jsonl were recorded when all templates agreed with renderings of the authors' own
templates on a thousand other conversations. Change one only with its source at hand.
"""

from pathlib import Path

from luthier.core.templates.checking import check_cases

from .test_every_template import NAMES

CASES = Path(__file__).with_name("cases.jsonl")


def test_every_template_renders_its_cases_to_the_character():
    checked = check_cases(CASES)
    assert list(map(str, checked.failed)) == []
    assert checked.refused == []
    assert checked.passed > 4 * len(NAMES)


def test_every_template_has_cases():
    text = CASES.read_text(encoding="utf-8")
    assert [name for name in NAMES if f'"id": "{name}/' not in text] == []
