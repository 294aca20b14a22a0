"""EVA: LoRA's first matrices begin as the first directions of what their layers are given."""

from collections import defaultdict

import pytest
import torch
from transformers import AutoModelForCausalLM

from luthier.core import BadModel, train
from luthier.plugins.families.tiny.making import tiny_model
from tests.plugins.watching import watched

RANK = 3


def inputs_of(job, names):
    """Return what layers of the model as it was get at trained tokens, by name, of axes (T, I)."""
    model = AutoModelForCausalLM.from_pretrained(tiny_model()).eval()
    found = defaultdict(list)
    for name in names:
        model.get_submodule(name).register_forward_pre_hook(
            lambda _, given, name=name: found[name].append(given[0][0])
        )
    rows = [job.dataset[n] for n in range(len(job.dataset))]
    for row in rows:
        with torch.no_grad():
            model(input_ids=torch.tensor(row["input_ids"])[None])
    counted_T = torch.cat([torch.tensor(row["labels"]) for row in rows]) != -100
    return {name: torch.cat(parts)[counted_T] for name, parts in found.items()}


@pytest.mark.parametrize("pattern", [{}, {"q_proj": 2}], ids=["one rank", "a rank of its own"])
def test_the_first_matrices_are_the_first_singular_vectors_of_the_inputs(small_run, pattern):
    tuner = {"name": "lora", "rank": RANK, "init": "eva", "rank_pattern": pattern}
    # in a first step B is zero, and A has no gradient
    contents = small_run(tuner=tuner, training={"max_steps": 1, "batch_size": 12})
    seen = watched(contents)
    ends = ".lora_A.default.weight"
    matrices = {
        name.removeprefix("base_model.model.").removesuffix(ends): one
        for name, one in seen.after.items()
        if name.endswith(ends)
    }
    assert len(matrices) == 28
    for name, inputs_TI in inputs_of(seen.job, matrices).items():
        rank = pattern.get(name.rpartition(".")[2], RANK)
        assert len(matrices[name]) == rank
        # PEFT takes the mean away, as an incremental decomposition does that goes on from batches
        centred_TI = inputs_TI - inputs_TI.mean(0)
        _, values_C, directions_CI = torch.linalg.svd(centred_TI, full_matrices=False)
        likeness_RR = (matrices[name] @ directions_CI[:rank].T).abs()
        # its decomposition draws at random, and is near where values hardly fall: 0.02 at most
        torch.testing.assert_close(likeness_RR, torch.eye(rank), atol=0.05, rtol=0)
        held = (centred_TI @ matrices[name].T).norm() / values_C[:rank].norm()
        assert 0.999 < held < 1.0001


def test_rows_of_fewer_tokens_than_directions_are_looked_at_together(small_run, data_file, capsys):
    row = '{"instruction": "Say %s.", "output": "%s."}\n'
    data_file.write_text("".join(row % (word, word) for word in ("yes", "no", "well", "so", "ah")))
    tuner = {"name": "lora", "rank": 10, "init": "eva", "targets": "mlp-up", "layers": [-1]}
    seen = watched(small_run(tuner=tuner, training={"max_steps": 1, "batch_size": 1}))
    counts = [sum(one != -100 for one in row["labels"]) for row in seen.job.dataset]
    assert counts == [4, 3, 4, 3, 4]  # a batch of three rows, and two that are left out
    matrix_RI = seen.after["base_model.model.model.layers.3.mlp.up_proj.lora_A.default.weight"]
    torch.testing.assert_close(matrix_RI @ matrix_RI.T, torch.eye(10), atol=1e-4, rtol=0)
    assert "skipping" not in capsys.readouterr().out  # as PEFT prints without end


def test_fewer_trained_tokens_than_directions_are_refused_with_the_ways_out(small_run, tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"instruction": "Say yes.", "output": "Yes."}\n')
    tuner = {"name": "lora", "rank": 64, "init": "eva"}
    with pytest.raises(
        BadModel, match=r"takes 64 directions .* have \d trained tokens\. Give more"
    ):
        train(small_run(tuner=tuner))
