"""The loss is the true token mean, however a step is cut into micro-batches."""

import pytest
import torch

from luthier.core.training import PaddingCollator, token_mean_loss


class Logits(dict):
    def __init__(self, logits_BTV):
        super().__init__(logits=logits_BTV)


def test_the_loss_is_the_mean_over_counted_tokens():
    torch.manual_seed(0)
    logits_BTV = torch.randn(2, 4, 5, dtype=torch.float64)
    labels_BT = torch.tensor([[-100, 1, 2, -100], [-100, -100, -100, 4]])
    log_p = logits_BTV.float().log_softmax(-1)
    expected = -(log_p[0, 0, 1] + log_p[0, 1, 2] + log_p[1, 2, 4]) / 3
    assert token_mean_loss(Logits(logits_BTV), labels_BT).item() == pytest.approx(expected.item())


def test_a_given_count_of_tokens_is_what_is_divided_by():
    logits_BTV = torch.zeros(1, 3, 4)
    labels_BT = torch.tensor([[-100, 1, 2]])
    own = token_mean_loss(Logits(logits_BTV), labels_BT)
    of_eight = token_mean_loss(Logits(logits_BTV), labels_BT, torch.tensor(8))
    assert of_eight.item() == pytest.approx(own.item() * 2 / 8)


def test_pads_are_masked_by_position_so_an_end_token_that_is_the_pad_is_trained():
    end = 7
    batch = PaddingCollator(pad_id=end)(
        [{"input_ids": [1, 2, end], "labels": [-100, 2, end]}, {"input_ids": [1], "labels": [1]}]
    )
    assert batch["labels"].tolist() == [[-100, 2, end], [-100, -100, -100]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["input_ids"].tolist() == [[1, 2, end], [1, end, end]]
