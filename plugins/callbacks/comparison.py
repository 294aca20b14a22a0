"""How much answers are like those of the data: BLEU-4, ROUGE-1, -2 and -L, and whether they match.

Chinese has no spaces between words, so jieba (https://github.com/fxsjy/jieba) puts some there: in
any text that has a Han character, before either figure is made.
"""

from __future__ import annotations

import functools
import logging
import re
import warnings
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from luthier.core.run.folder import cache_folder

HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
"""Any character of the Unicode blocks of CJK unified and compatibility ideographs."""
ROUGE = {"rouge-1": "rouge1", "rouge-2": "rouge2", "rouge-l": "rougeL"}
"""The names of the figures, and the library's."""
FIGURES = ("accuracy", "bleu-4", *ROUGE)


def compared(pairs: Sequence[tuple[str, str]]) -> dict[str, float]:
    """Return the figures of answers; none where there are none.

    Args:
        pairs: each an answer of the model and the answer of the data.

    Returns:
        `accuracy`, the share of answers that are the data's to the letter, but for spaces around
        them; and, from 0 to 100, `bleu-4` of all answers together and the mean F measures
        `rouge-1`, `rouge-2` and `rouge-l`.
    """
    if not pairs:
        return {}
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.metrics import BLEU

    accuracy = fmean(one.strip() == other.strip() for one, other in pairs)
    # without `effective_order` a set whose answers all have fewer than 4 words would be worth 0
    bleu = BLEU(effective_order=True)
    spaced = [(with_spaces(one), with_spaces(other)) for one, other in pairs]
    corpus = bleu.corpus_score([one for one, _ in spaced], [[other for _, other in spaced]])
    rouge = RougeScorer(list(ROUGE.values()), tokenizer=_Words())
    scores = [rouge.score(other, one) for one, other in spaced]
    rouges = {name: 100 * fmean(one[key].fmeasure for one in scores) for name, key in ROUGE.items()}
    found = {"accuracy": accuracy, "bleu-4": corpus.score, **rouges}
    return {name: round(value, 4) for name, value in found.items()}


def with_spaces(text: str) -> str:
    """Return a text with spaces between its words, if there is any Chinese in it."""
    return " ".join(_jieba().lcut(text)) if HAN.search(text) else text


class _Words:
    """Cuts texts into words: runs of letters, marks and digits, in lower case.

    Of ASCII these are the library's own; it would take no others.
    """

    def tokenize(self, text: str) -> list[str]:
        """Return the words of a text."""
        import regex

        words: list[str] = regex.findall(r"[\p{L}\p{M}\p{N}]+", text.lower())
        return words


@functools.cache
def _jieba() -> Any:
    """Return jieba's cutter of texts, its dictionary read, which takes a second.

    jieba keeps what it made of the dictionary in the folder of all users' temporary files, where
    anybody could put another there; so it gets a folder of the user's own.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it was written for an older Python
        import jieba
    jieba.setLogLevel(logging.WARNING)
    cutter = jieba.Tokenizer()
    cutter.tmp_dir = str(cache_folder())
    cache_folder().mkdir(parents=True, exist_ok=True)
    cutter.initialize()
    return cutter
