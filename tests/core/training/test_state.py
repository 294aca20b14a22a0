"""State goes to disk without pickle, and comes back equal to the bit."""

import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.core.training.state import (
    load_state,
    random_state,
    restore_random_state,
    save_state,
)

numbers = st.integers() | st.floats(allow_nan=False) | st.text() | st.booleans() | st.none()
keys = st.text() | st.integers()
tensors = st.builds(
    lambda values, dtype: torch.tensor(values, dtype=dtype),
    st.lists(st.integers(0, 100), max_size=4),
    st.sampled_from([torch.float32, torch.bfloat16, torch.int64, torch.uint8]),
)
trees = st.recursive(
    numbers | tensors,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(keys, inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
    ),
    max_leaves=8,
)


def same(left, right):
    if isinstance(left, torch.Tensor):
        return torch.equal(left, right) and left.dtype == right.dtype
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right


@given(tree=trees)
@settings(max_examples=60, deadline=None)
def test_what_is_stored_comes_back_equal_in_value_and_type(tree, tmp_path_factory):
    file = tmp_path_factory.mktemp("state") / "tree"
    save_state(tree, file)
    assert same(load_state(file), tree)


def test_the_files_hold_no_pickle(tmp_path):
    save_state({"a": torch.ones(2), "b": [1, "x"]}, tmp_path / "tree")
    assert {file.suffix for file in tmp_path.iterdir()} == {".json", ".safetensors"}


def test_what_only_a_pickle_could_hold_is_refused_with_its_place(tmp_path):
    with pytest.raises(TypeError, match=r"tree\.state\.0 is a object"):
        save_state({"state": [object()]}, tmp_path / "tree")


def test_every_generator_goes_on_from_where_it_was_stored(tmp_path):
    save_state(random_state(), tmp_path / "random")
    drawn = random.random(), np.random.rand(), torch.rand(3)
    restore_random_state(load_state(tmp_path / "random"))
    again = random.random(), np.random.rand(), torch.rand(3)
    assert drawn[:2] == again[:2]
    assert torch.equal(drawn[2], again[2])


def test_the_state_of_an_optimizer_comes_back(tmp_path):
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=1e-3, betas=(0.9, 0.95))
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    save_state(optimizer.state_dict(), tmp_path / "optimizer")
    assert same(load_state(tmp_path / "optimizer"), optimizer.state_dict())
