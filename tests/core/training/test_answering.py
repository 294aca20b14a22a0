"""Questions are made of encoded rows of every kind, and answered as a chat would answer them."""

import pytest

from luthier.core.training.answering import Question, questions_of


def row(ids, trained, prefix=""):
    labels = [one if one in trained else -100 for one in ids]
    return {f"{prefix}input_ids": ids, f"{prefix}labels": labels}


ASKED = row([1, 2, 3, 4, 5], {3, 4})
TURNS = row([1, 2, 3, 4, 5, 6, 7], {2, 3, 6, 7})


def test_a_row_asks_what_stands_before_its_last_answer():
    assert questions_of([ASKED, TURNS]) == [
        Question([1, 2], [3, 4]), Question([1, 2, 3, 4, 5], [6, 7]),
    ]  # fmt: skip


def test_packs_ask_what_their_rows_do():
    assert questions_of([[ASKED, TURNS], [ASKED]]) == questions_of([ASKED, TURNS, ASKED])


def test_no_more_questions_are_made_than_are_wanted():
    class Counted(list):
        def __getitem__(self, number):
            read.append(number)
            return super().__getitem__(number)

    read = []
    assert len(questions_of(Counted([ASKED] * 9), 2)) == 2
    assert read == [0, 1]


@pytest.mark.parametrize("ids", [{1, 2, 3, 4, 5}, set()], ids=["all", "none"])
def test_a_row_that_is_trained_as_a_whole_asks_nothing(ids):
    assert questions_of([row([1, 2, 3, 4, 5], ids)]) == []


def test_a_preference_asks_what_both_its_answers_are_to():
    pair = row([1, 2, 3], {3}, "chosen_") | row([1, 2, 4, 5], {4, 5}, "rejected_") | {"row": 0}
    assert questions_of([pair]) == [Question([1, 2], [3])]


def test_a_judged_answer_is_asked_for_whichever_it_is():
    good = row([1, 2, 3], {3}, "desirable_") | row([], {}, "undesirable_")
    bad = row([], {}, "desirable_") | row([1, 4], {4}, "undesirable_")
    assert questions_of([good, bad]) == [Question([1, 2], [3]), Question([1], [4])]


def test_a_prompt_is_asked_with_its_answer_or_without_one():
    prompt = row([1, 2], {1, 2}, "prompt_")
    assert questions_of(
        [prompt | row([1, 2, 3, 4], {3, 4}, "answered_"), prompt,
         prompt | {"answered_input_ids": None, "answered_labels": None}]
    ) == [Question([1, 2], [3, 4]), Question([1, 2], []), Question([1, 2], [])]  # fmt: skip
