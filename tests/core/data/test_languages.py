"""Languages by rule of thumb."""

import pytest

from luthier.core.data.languages import language_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What is the capital of France, and how large is it?", "English"),
        ("Was ist die Hauptstadt von Frankreich, und wie groß ist sie?", "German"),
        ("Quelle est la capitale de la France et où est-elle ?", "French"),
        ("法国的首都是哪里?", "Chinese"),
        ("フランスの首都はどこですか。", "Japanese"),
        ("프랑스의 수도는 어디입니까?", "Korean"),
        ("Какая столица Франции?", "Cyrillic"),
        ("ما هي عاصمة فرنسا؟", "Arabic"),
        ("qsort xs ys zs", "Latin script"),
        ("1 + 1 = 2", "no letters"),
        ("", "no letters"),
    ],
)
def test_a_language_is_told_by_its_script_and_its_frequent_words(text, language):
    assert language_of(text) == language
