"""Rollouts: answers that the model samples, their scores, and updates on them.

One step of the loop is a batch of prompts: answers are sampled, scored and weighed, and then
trained on in one or more updates, the last of which the loop itself takes. So checkpoints, the
schedule and the data stand where they do in every stage, and no rollout is ever cut in two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import cross_entropy
from transformers import GenerationConfig

from luthier.core import BadModel
from luthier.core.model.generation import within_positions, without_own_settings
from luthier.core.model.modes import evaluated
from luthier.core.model.padding import pad_id_of
from luthier.core.model.value_head import position_ids_of
from luthier.core.run.reporting import quiet_libraries
from luthier.core.samples import Sample
from luthier.core.training import Trainer
from luthier.core.training.padded import require_pads_unseen
from luthier.plugins.stages.policies import masked_mean
from luthier.plugins.stages.reference import Reference
from luthier.plugins.stages.rewarding import Rewards
from luthier.plugins.stages.sampled import Rollout, Told, counted_prompts

if TYPE_CHECKING:
    from luthier.core.run.job import TrainingJob
    from luthier.plugins.stages.online import OnlineStage


class RolloutTrainer(Trainer):
    """Trains on answers that it samples; a subclass says what a token counts for, and the loss."""

    means: tuple[str, ...] = ("reward", "kl", "entropy", "answer_tokens", "ended")
    falling = frozenset({"kl"})
    head: str | None = None
    """The name of the value head that the policy has, if it has one."""

    def __init__(self, job: TrainingJob, stage: OnlineStage) -> None:
        """Set up the loop, the reference and the rewards.

        Raises:
            BadModel: no token ends an answer, or the model does not leave out pads.
        """
        super().__init__(job)
        self.stage: Any = stage
        self.reference = Reference(job)
        self.rewards = Rewards(job)
        self._sampling = _sampling_of(job, stage)
        evaluated_at_once = self.args.eval_batch_size if job.validation else 1
        if max(self._train_batch_size, evaluated_at_once) > 1:
            with self.accelerator.autocast():
                require_pads_unseen(job.opened.model)

    # --- what a subclass says ---------------------------------------------------------------

    def weigh(self, rollout: Rollout) -> None:
        """Fill in the advantages of a rollout."""
        raise NotImplementedError

    def loss_of(self, told: Told, rollout: Rollout) -> torch.Tensor:
        """Return the loss of some answers, a number.

        Args:
            told: what the model makes of them now.
            rollout: those answers.
        """
        raise NotImplementedError

    def standing(self) -> tuple[float, ...]:
        """Return what the last of `means` name that are no means of answers."""
        return ()

    # --- the loop ---------------------------------------------------------------------------

    def training_step(
        self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Sample answers to a batch of prompts, and train on them; return the mean loss."""
        del num_items_in_batch
        if begin := getattr(self.optimizer, "train", None):  # of one that averages
            begin()
        rollout = self.sampled(self._prepare_inputs(inputs))
        self.weigh(rollout)
        model.train()
        losses, entropies = [], []
        for number, numbers in enumerate(self._updates(len(rollout))):
            if number:
                self._take_step(model)
            part = rollout.at(numbers)
            with self.compute_loss_context_manager():
                told = self.told(model, part)
                loss = self.loss_of(told, part)
            self.accelerator.backward(loss)
            losses.append(loss.detach())
            entropies.append(masked_mean(told.entropy, part.mask))
        mean = torch.stack(losses).mean()
        self._keep(self._window, rollout, mean, torch.stack(entropies).mean())
        return mean

    def _updates(self, answers: int) -> Iterator[torch.Tensor]:
        """Yield the numbers of the answers of each update, in an order of chance."""
        size = self.stage.minibatch_size or answers
        for _ in range(self.stage.update_epochs):
            yield from torch.split(torch.randperm(answers), size)

    def _take_step(self, model: Any) -> None:
        if self.args.max_grad_norm:
            self.accelerator.clip_grad_norm_(model.parameters(), self.args.max_grad_norm)
        optimizer: Any = self.optimizer
        optimizer.step()
        optimizer.zero_grad()

    def prediction_step(self, model: Any, inputs: dict[str, Any], *_: Any, **__: Any) -> Any:
        """Sample answers to prompts that are held out; the loss is their mean reward, negated."""
        del model
        prompts = counted_prompts(self._prepare_inputs(inputs))
        if not len(prompts["counted"]):
            return torch.zeros((), device=self.args.device), None, None
        rollout = self.sampled(prompts)
        loss = -rollout.scores.mean()
        self._keep(self._evaluated, rollout, loss, masked_mean(rollout.entropy, rollout.mask))
        return loss, None, None

    def _keep(
        self, figures: Any, rollout: Rollout, loss: torch.Tensor, entropy: torch.Tensor
    ) -> None:
        """Keep what the logged means are made of: of each answer."""
        answers = torch.tensor(float(len(rollout)), device=loss.device)
        told = (
            rollout.scores.sum(), rollout.kl.sum(), entropy * answers, rollout.mask.sum(),
            self._ended(rollout.ids, rollout.mask).sum(),
            *(answers * one for one in self.standing()),
        )  # fmt: skip
        # of several processes figures expect what transformers makes of a loss
        summed = loss * answers * self.accelerator.num_processes
        figures.add(summed, answers, rollout.mask.sum(), rollout.seen.sum(), *told)

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: Any) -> None:  # noqa: ARG002
        return None  # each update has a loss of its own

    # --- answers ----------------------------------------------------------------------------

    def sampled(self, prompts: dict[str, Any]) -> Rollout:
        """Return answers to a batch of prompts, with their scores and probabilities.

        Args:
            prompts: what `PromptCollator` gives.
        """
        model = self.job.opened.model
        ids_BP, seen_BP = prompts["input_ids"], prompts["attention_mask"]
        settings = within_positions(self.job.opened, self._sampling, ids_BP.shape[1])
        with evaluated(model), torch.no_grad(), self.accelerator.autocast(), quiet_libraries():
            with without_own_settings(model):
                ids_BT = model.generate(
                    input_ids=ids_BP, attention_mask=seen_BP, generation_config=settings
                )
            answers_BA = ids_BT[:, ids_BP.shape[1] :]
            mask_BA = self._mask(answers_BA)
            seen_BT = torch.cat([seen_BP, mask_BA], dim=1)
            scores_B = self._scores(prompts, answers_BA, mask_BA)
            blank_BA = torch.zeros(mask_BA.shape, device=mask_BA.device)
            rollout = Rollout(ids_BT, seen_BT, mask_BA, scores_B, *[blank_BA] * 5)
            self._tell(rollout)
        return rollout

    def _tell(self, rollout: Rollout) -> None:
        """Fill in the probabilities, their entropies and the values of a rollout."""
        parts = [rollout.at(numbers) for numbers in self._parts(len(rollout))]
        told = [self.told(self.job.trainee, part) for part in parts]
        rollout.logps = torch.cat([one.logps for one in told])
        rollout.entropy = torch.cat([one.entropy for one in told])
        if self.head is not None:
            rollout.values = torch.cat([one.values for one in told if one.values is not None])
        with self.reference():
            found = [self._logps(self._logits(self.job.opened.model, p), p) for p in parts]
        rollout.reference = torch.cat(found)

    def _parts(self, answers: int) -> Sequence[torch.Tensor]:
        return torch.split(torch.arange(answers), self.stage.minibatch_size or answers)

    def told(self, model: Any, rollout: Rollout) -> Told:
        """Return what a model makes of answers: the policy, or what the loop wraps it in."""
        values_BA = None
        if self.head is None:
            logits_BAV = self._logits(model, rollout)
        else:
            answers = slice(-rollout.mask.shape[1] - 1, -1)
            valued = model(rollout.ids, rollout.seen, head=self.head, logits=True)
            logits_BAV, values_BA = valued.logits[:, answers], valued.values[:, answers]
        logits_BAV = logits_BAV.float() / self.stage.temperature
        with torch.no_grad():
            spread_BAV = logits_BAV.log_softmax(-1)
            entropy_BA = -(spread_BAV.exp() * spread_BAV).sum(-1)
        return Told(self._logps(logits_BAV, rollout, scaled=True), values_BA, entropy_BA)

    def _logits(self, model: Any, rollout: Rollout) -> torch.Tensor:
        """Return the logits of the tokens of answers, (B, A, V)."""
        positions = position_ids_of(self.job.opened.model, rollout.seen)
        output = model(input_ids=rollout.ids, attention_mask=rollout.seen, **positions)
        logits_BAV: torch.Tensor = output.logits[:, -rollout.mask.shape[1] - 1 : -1]
        return logits_BAV

    def _logps(
        self, logits_BAV: torch.Tensor, rollout: Rollout, *, scaled: bool = False
    ) -> torch.Tensor:
        """Return the log-probabilities of the tokens of answers, zero at pads."""
        answers_BA = rollout.ids[:, -rollout.mask.shape[1] :]
        if not scaled:
            logits_BAV = logits_BAV.float() / self.stage.temperature
        found = -cross_entropy(logits_BAV.flatten(0, 1), answers_BA.flatten(), reduction="none")
        return found.view_as(answers_BA) * rollout.mask

    def _mask(self, answers_BA: torch.Tensor) -> torch.Tensor:
        """Return which tokens belong to an answer: those up to the first that ends one."""
        ends_BA = self._ends(answers_BA)
        return (ends_BA.cumsum(1) - ends_BA == 0).long()

    def _ends(self, answers_BA: torch.Tensor) -> torch.Tensor:
        stops = torch.tensor(self._sampling.eos_token_id, device=answers_BA.device)
        return torch.isin(answers_BA, stops).long()

    def _ended(self, ids_BT: torch.Tensor, mask_BA: torch.Tensor) -> torch.Tensor:
        """Return which answers have an end; the others were cut off."""
        return (self._ends(ids_BT[:, -mask_BA.shape[1] :]) * mask_BA).any(1)

    def _scores(
        self, prompts: dict[str, Any], answers_BA: torch.Tensor, mask_BA: torch.Tensor
    ) -> torch.Tensor:
        """Return the summed scores of answers, (B,)."""
        samples = self._samples(prompts, answers_BA, mask_BA)
        scores = torch.tensor(self.rewards(samples), device=answers_BA.device)
        cut = ~self._ended(answers_BA, mask_BA)
        penalty: float = self.stage.missing_end_penalty
        return scores - penalty * cut

    def _samples(
        self, prompts: dict[str, Any], answers_BA: torch.Tensor, mask_BA: torch.Tensor
    ) -> list[Sample]:
        def kept(ids_BT: torch.Tensor, mask_BT: torch.Tensor) -> list[list[int]]:
            return [ids[seen.bool()].tolist() for ids, seen in zip(ids_BT, mask_BT, strict=True)]

        def text(ids: list[int]) -> str:
            return str(self.job.opened.tokenizer.decode(ids, skip_special_tokens=True))

        asked = kept(prompts["input_ids"], prompts["attention_mask"])
        answered = kept(answers_BA, mask_BA)
        return [
            Sample(text(prompt), text(answer), text(reference), prompt, answer)
            for prompt, answer, reference in zip(
                asked, answered, prompts["references"], strict=True
            )
        ]


def _sampling_of(job: TrainingJob, stage: OnlineStage) -> GenerationConfig:
    """Return how answers are sampled: by the model's own probabilities, none of which is cut.

    Raises:
        BadModel: no token ends an answer.
    """
    tokenizer, template = job.opened.tokenizer, job.opened.template
    stops = template.stop_ids(tokenizer) if template is not None else [tokenizer.eos_token_id]
    if not stops or stops == [None]:
        raise BadModel(
            "nothing ends an answer: the tokenizer has no end-of-sequence token, and the chat "
            "template names none. Name a `template` that does."
        )
    return GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=True, temperature=stage.temperature, top_k=0, top_p=1.0,
        max_new_tokens=stage.max_new_tokens, eos_token_id=stops, use_cache=True,
        pad_token_id=pad_id_of(tokenizer),
    )  # fmt: skip
