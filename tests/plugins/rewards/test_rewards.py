"""What scores answers: texts, the data's own answers, a server, a reward model."""

import json
import shutil
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from types import SimpleNamespace

import pytest
import safetensors.torch
import torch
from pydantic import ValidationError

from luthier.core import LuthierError, train
from luthier.core.errors import BadModel
from luthier.core.model.opening import locate, model_spec, open_model
from luthier.core.model.value_head import load_value_heads
from luthier.core.run.folder import RunFolder
from luthier.core.run.job import TrainingJob
from luthier.core.run.program import load_tokenizer, settled
from luthier.core.samples import Sample
from luthier.core.training.recording import read_metrics
from luthier.plugins.rewards.contains import ContainsReward
from luthier.plugins.rewards.http import HttpReward
from luthier.plugins.rewards.matches import MatchesReward
from luthier.plugins.rewards.reward_model import RewardModelReward
from luthier.plugins.rewards.scoring import scorer_of

PAIRS = [
    {"prompt": f"What is {a} plus {b}?", "chosen": f"It is {a + b}.", "rejected": f"No idea {a}"}
    for a in range(4) for b in range(4)
]  # fmt: skip


def sample(answer, reference="", prompt="Q: "):
    return Sample(prompt, answer, reference, [5, 6], [7, 8, 9])


def test_a_text_is_found_in_an_answer_or_not():
    scores_of = ContainsReward(text="Yes", weight=2.0).build_reward(job=None)
    assert scores_of([sample("Yes."), sample("yes"), sample("No")]) == [2, 0, 0]
    scores_of = ContainsReward(text="Yes", ignore_case=True).build_reward(job=None)
    assert scores_of([sample("yes")]) == [1]


def test_an_answer_is_compared_with_that_of_the_row():
    whole = MatchesReward().build_reward(job=None)
    assert whole([sample(" 42 ", "42"), sample("It is 42", "42"), sample("", "")]) == [1, 0, 1]
    last = MatchesReward(pattern=r"-?\d+").build_reward(job=None)
    assert last([sample("6 times 7 is 42.", "So: 42"), sample("none", "42")]) == [1, 0]
    group = MatchesReward(pattern=r"#### (.+)").build_reward(job=None)
    assert group([sample("#### 7", "so\n#### 7"), sample("7", "#### 7")]) == [1, 0]


def test_a_pattern_that_is_none_is_refused():
    with pytest.raises(ValidationError, match="no regular expression"):
        MatchesReward(pattern="(")


class Scoring(BaseHTTPRequestHandler):
    """Scores texts by their length, or replies what the test wants."""

    reply = None
    asked = None

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).asked = json.loads(body)
        scores = {"scores": [len(text) for text in self.asked["messages"]]}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.reply or json.dumps(scores).encode())

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def server():
    made = HTTPServer(("127.0.0.1", 0), Scoring)
    thread = Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{made.server_port}/score"
    made.shutdown()
    thread.join()
    made.server_close()
    Scoring.reply = None


def test_a_server_is_sent_prompts_with_answers_and_returns_their_scores(server):
    tokenizer = load_tokenizer("tiny")
    asked, answered = "<|im_start|>user\nHi.<|im_end|>\n<|im_start|>assistant\n", "Yes.<|im_end|>"
    ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in (asked, answered)]
    job = SimpleNamespace(opened=SimpleNamespace(tokenizer=tokenizer))
    scores_of = HttpReward(url=server, weight=0.5).build_reward(job=job)
    # with special tokens, as who serves a reward model for LLaMA-Factory is sent them
    assert scores_of([Sample("user Hi.", "Yes.", "", *ids)]) == [len(asked + answered) / 2]
    assert Scoring.asked == {"model": "reward", "messages": [asked + answered]}


@pytest.mark.parametrize(
    "reply",
    [b"no JSON", b"[1, 2]", b'{"scores": [1]}', b'{"scores": [1, "2"]}', b'{"scores": [1, true]}'],
)
def test_a_server_that_replies_something_else_is_told_of(server, reply):
    Scoring.reply = reply
    with pytest.raises(LuthierError, match=server):
        HttpReward(url=server).asked(["a", "b"])


def test_a_server_that_is_not_there_is_told_of():
    with pytest.raises(LuthierError, match="luthier resume"):
        HttpReward(url="http://127.0.0.1:9/", timeout=1).asked(["a"])


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/x", "scores", "http://"])
def test_what_is_no_address_of_the_web_is_refused(url):
    with pytest.raises(ValidationError, match="begins with http"):
        HttpReward(url=url)


# --- a reward model ------------------------------------------------------------------------------


@pytest.fixture
def reward_run(small_run, tmp_path):
    """A run folder of the stage rm."""
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PAIRS))

    def make(tuner, **changes):
        return train(
            small_run(
                stage="rm", data=[str(tmp_path / "pairs.jsonl")], tuner=tuner,
                training={"max_steps": 4, "batch_size": 4, "learning_rate": 1e-2},
                output=str(tmp_path / "rm"), **changes,
            )
        )  # fmt: skip

    return make


LORA = {"name": "lora", "rank": 4}
SAMPLES = [Sample("", "", "", [5, 6, 7], [8, 9]), Sample("", "", "", [5], [8, 9, 10, 11])]


def opened_job(run_contents):
    run = settled(run_contents)
    located = locate(model_spec(run, training=True))
    opened = open_model(located, training=True)
    return TrainingJob(run, None, opened, [], {}, "float32", located.manager)


def scored(run_contents, folder):
    job = opened_job(run_contents)
    return scorer_of(job, str(folder.path), 2)(SAMPLES), job.opened


@pytest.mark.parametrize("tuner", ["full", LORA], ids=["full", "lora"])
def test_a_shared_base_scores_as_a_model_of_its_own_does(reward_run, small_run, tuner):
    folder = reward_run(LORA)
    shared, opened = scored(small_run(tuner=LORA), folder)
    assert list(opened.model.peft_config) == ["default", "reward"]
    # a policy of whole weights has no base to share
    own, opened = scored(small_run(tuner="full"), folder)
    assert not hasattr(opened.model, "peft_config")
    torch.testing.assert_close(shared, own, atol=1e-6, rtol=0)


def test_a_reward_model_of_whole_weights_is_opened_beside(reward_run, small_run):
    folder = reward_run("full")
    _, opened = scored(small_run(tuner=LORA), folder)
    assert list(opened.model.peft_config) == ["default"]


def test_another_tokenizer_is_refused(reward_run, small_run):
    folder = reward_run("full")
    other = small_run(tuner=LORA, model={"path": "tiny", "add_tokens": ["<new>"]})
    with pytest.raises(BadModel, match="another tokenizer"):
        scored(other, folder)


def test_no_answers_at_once_are_no_batch():
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        RewardModelReward(path="rm", batch_size=0)


def test_two_reward_models_lie_on_one_base_and_score_as_each_would_alone(
    reward_run, small_run, tmp_path
):
    first = reward_run(LORA)
    second = RunFolder(shutil.copytree(first.path, tmp_path / "rm-2"))
    file = second.model / "adapter_model.safetensors"
    weights = {name: 2 * one for name, one in safetensors.torch.load_file(file).items()}
    safetensors.torch.save_file(weights, file)
    run = small_run(
        stage="ppo", tuner=LORA,
        rewards=[
            {"name": "reward-model", "path": str(first.path)},
            {"name": "reward-model", "path": str(second.path), "weight": 0.5},
        ],
    )  # fmt: skip
    job = opened_job(run)
    assert [str(one) for one in job.run.of("rewards")] == [
        "rewards/reward-model", "rewards/reward-model (2)",
    ]  # fmt: skip
    found = job.manager.hook.build_reward(job=job)
    assert list(job.opened.model.peft_config) == ["default", "reward", "reward-2"]
    one, other = (scored(small_run(tuner=LORA), folder)[0] for folder in (first, second))
    torch.testing.assert_close(found[0](SAMPLES), one, atol=1e-6, rtol=0)
    torch.testing.assert_close([2 * n for n in found[1](SAMPLES)], other, atol=1e-6, rtol=0)


def test_what_ppo_saves_has_its_own_adapter_and_head_alone(reward_run, small_run, tmp_path):
    folder = reward_run(LORA)
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "What is 1 plus 1?"}\n' * 4)
    run = small_run(
        stage={"name": "ppo", "max_new_tokens": 4}, tuner=LORA,
        rewards=[{"name": "reward-model", "path": str(folder.path)}],
        data=[{"path": str(tmp_path / "prompts.jsonl"), "format": "prompts"}],
        training={"max_steps": 2, "batch_size": 4, "log_every": 1},
    )  # fmt: skip
    trained = train(run)
    assert list(load_value_heads(trained.model)) == ["value"]
    assert not [one for one in trained.model.iterdir() if one.is_dir()]
    assert all(row["reward"] != 0 for row in read_metrics(trained))
