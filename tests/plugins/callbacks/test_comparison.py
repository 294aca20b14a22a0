"""BLEU-4, ROUGE and accuracy of answers, against what the papers' formulas give by hand."""

from math import exp

import pytest

from luthier.core.run.folder import cache_folder
from luthier.plugins.callbacks.comparison import compared

# matches among the n-grams of the answer, for n from 1 to 4, and how many n-grams there are
CAT = ("the cat sat on the mat", "the cat is on the mat")  # 5 of 6, 3 of 5, 1 of 4, 0 of 3
APPLE = ("我喜欢吃苹果", "我喜欢吃香蕉")  # four words each, of which three are the same
LONG = ("a b c d e f", "a b c d e f g h")  # the answer is two words too short


def figures(**expected):
    named = {name.replace("_", "-"): value for name, value in expected.items()}
    return pytest.approx(named, abs=1e-3)


def test_english_is_compared_by_words():
    # no 4-gram matches: sacrebleu counts half a match for the first order of none
    bleu = 100 * (5 / 6 * 3 / 5 * 1 / 4 * 0.5 / 3) ** (1 / 4)
    expected = figures(
        accuracy=0.0, bleu_4=bleu, rouge_1=100 * 5 / 6, rouge_2=100 * 3 / 5, rouge_l=100 * 5 / 6
    )
    assert compared([CAT]) == expected


def test_chinese_is_compared_by_the_words_that_jieba_finds():
    bleu = 100 * (3 / 4 * 2 / 3 * 1 / 2 * 0.5 / 1) ** (1 / 4)
    expected = figures(accuracy=0.0, bleu_4=bleu, rouge_1=75.0, rouge_2=100 * 2 / 3, rouge_l=75.0)
    assert compared([APPLE]) == expected


def test_the_dictionary_of_jieba_is_kept_in_a_folder_of_the_users_own():
    compared([APPLE])
    assert (cache_folder() / "jieba.cache").is_file()


def test_bleu_is_of_all_answers_together_and_rouge_their_mean():
    found = compared([CAT, LONG])
    matches, there = (5 + 6, 3 + 5, 1 + 4, 0 + 3), (6 + 6, 5 + 5, 4 + 4, 3 + 3)
    product = 1.0
    for one, all_ in zip(matches, there, strict=True):
        product *= one / all_
    assert found["bleu-4"] == pytest.approx(100 * exp(1 - 14 / 12) * product ** (1 / 4), abs=1e-3)
    # of LONG all words of the answer are right, and 6 of 8 of the data's are there
    f_long = 2 * 1 * (6 / 8) / (1 + 6 / 8)
    assert found["rouge-1"] == pytest.approx(100 * (5 / 6 + f_long) / 2, abs=1e-3)


def test_the_longest_common_subsequence_may_have_gaps_and_no_other_order():
    found = compared([("a x b y c", "c a b c")])  # a b c, of 5 words and of 4
    precision, recall = 3 / 5, 3 / 4
    expected = 100 * 2 * precision * recall / (precision + recall)
    assert found["rouge-l"] == pytest.approx(expected, abs=1e-3)


def test_answers_of_one_word_are_worth_something_and_empty_ones_nothing():
    assert compared([("4", "4"), (" 5 ", "5")]) == figures(
        accuracy=1.0, bleu_4=100.0, rouge_1=100.0, rouge_2=0.0, rouge_l=100.0
    )
    assert compared([("", "It is four.")]) == figures(
        accuracy=0.0, bleu_4=0.0, rouge_1=0.0, rouge_2=0.0, rouge_l=0.0
    )


@pytest.mark.parametrize("text", ["Это моя кошка", "यह मेरी बिल्ली है", "هذه قطتي الصغيرة"])
def test_words_of_other_scripts_are_words_too(text):
    assert compared([(text, text)])["rouge-2"] == pytest.approx(100)


def test_of_nothing_there_are_no_figures():
    assert compared([]) == {}
