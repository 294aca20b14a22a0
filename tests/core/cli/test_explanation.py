"""What `luthier explain` says of hooks is what a run does."""

from itertools import groupby

from luthier.core import check, train, wiring
from luthier.core.cli.explanation import hooks_in_order
from luthier.core.hooks import ANSWERED_BY

PLUGINS = """\
from luthier.core import Plugin, hookimpl

class Wide(Plugin):
    \"\"\"Listens to much and answers nothing.\"\"\"

    @hookimpl
    def locate_model(self): ...
    @hookimpl
    def load_model(self): ...
    @hookimpl
    def attach_adapter(self): ...
    @hookimpl
    def encode_dataset(self): ...
    @hookimpl
    def build_collator(self): ...
    @hookimpl
    def build_optimizer(self): ...
    @hookimpl
    def patch_model(self): ...
    @hookimpl
    def plan_load(self): ...

class Mine(Wide):
    \"\"\"Trains everything.\"\"\"

    @hookimpl
    def attach_adapter(self, model):
        return model

ENTRY_POINTS = {"luthier.patches": {"wide": Wide}, "luthier.tuners": {"mine": Mine}}
"""


def test_what_is_explained_is_what_is_called_in_that_order(
    tmp_path, small_run, data_file, monkeypatch
):
    (tmp_path / "wide.py").write_text(PLUGINS)
    other = tmp_path / "other.jsonl"
    other.write_text('{"instruction": "Who?", "output": "I."}\n')
    run = small_run(
        data=[str(data_file), str(other)], plugins=[str(tmp_path / "wide.py")],
        patches=["wide", "sdpa"], tuner="mine", training={"max_steps": 1},
    )  # fmt: skip
    explained = [
        (hook.partition("(")[0], [owner.partition(" for ")[0] for owner in owners])
        for hook, owners in hooks_in_order(check(run))
    ]
    calls = []
    original = wiring._signed

    def recording(function, chosen, hook):
        signed = original(function, chosen, hook)

        def called(*arguments):
            calls.append((hook, str(chosen)))
            return signed(*arguments)

        return called

    monkeypatch.setattr(wiring, "_signed", recording)
    train(run)
    called = [(hook, [one for _, one in of]) for hook, of in groupby(calls, lambda c: c[0])]
    # the files of both datasets are checked first, one after the other
    assert called.pop(0) == ("check_dataset", ["sources/files"] * 2)
    assert [explained.pop(0), explained.pop(0)] == [("check_dataset", ["sources/files"])] * 2
    assert [hook for hook, _ in called] == [hook for hook, _ in explained]
    for (hook, owners), (_, expected) in zip(called, explained, strict=True):
        # once one has answered, nobody else is asked
        assert owners == (expected[: len(owners)] if hook in ANSWERED_BY else expected), hook
    assert ("build_collator", ["patches/wide", "tuners/mine", "stages/sft"]) in called
