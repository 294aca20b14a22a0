"""Texts that are the same, and texts that nearly are."""

import random

import pytest

from luthier.core.data.nearness import Nearness, Sameness, likeness, shingles_of, signature

WORDS = [f"word{n}" for n in range(500)]


def texts(count, seed=0, length=60):
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=length)) for _ in range(count)]


def changed(text, words):
    told = text.split()
    for at in range(words):
        told[at * 7] = f"other{at}"
    return " ".join(told)


def pairs_of(found):
    with Nearness() as nearness:
        for text in found:
            nearness.add(text)
        return nearness.pairs()


def test_the_same_texts_are_found_with_the_first_of_them():
    same = Sameness()
    for text in ("a", "b", "a", "c", "a", "b"):
        same.add(text)
    assert sorted(same.pairs()) == [(2, 0), (4, 0), (5, 1)]


def test_of_no_texts_none_are_the_same():
    assert list(Sameness().pairs()) == []
    assert pairs_of([]) == []


def test_texts_that_differ_in_a_word_are_near_and_others_are_not():
    many = texts(300)
    near = [changed(text, 1) for text in many[:50]]
    assert pairs_of([*many, *near]) == [(300 + n, n) for n in range(50)]
    assert pairs_of(many) == []


def test_capitals_and_white_space_make_no_other_text():
    text = texts(1)[0]
    assert pairs_of([text, text.upper().replace(" ", "\n ")]) == [(1, 0)]


def test_texts_of_a_script_without_spaces_are_compared_too():
    draw = random.Random(1)
    text = "".join(chr(0x4E00 + draw.randrange(2000)) for _ in range(200))
    assert pairs_of([text, text[:100] + "好" + text[100:]]) == [(1, 0)]


def test_short_texts_are_not_near_each_other():
    assert pairs_of(["What is 1 plus 1?", "What is 1 plus 2?"]) == []


@pytest.mark.parametrize("words", [1, 3, 8])
def test_what_texts_share_is_estimated_well(words):
    off = []
    for text in texts(40, seed=words):
        one, other = shingles_of(text), shingles_of(changed(text, words))
        both, any_of = (
            len({*one.tolist()} & {*other.tolist()}),
            len({*one.tolist(), *other.tolist()}),
        )
        off.append(float(likeness(signature(one), signature(other))) - both / any_of)
    assert abs(sum(off) / len(off)) < 0.03
    assert max(map(abs, off)) < 0.2
