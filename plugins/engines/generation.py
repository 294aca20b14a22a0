"""Generation with transformers. A sibling of the engine's plugin, since it needs torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Event, Thread
from typing import Any

import jinja2
import torch
from transformers import StoppingCriteria, TextIteratorStreamer

from luthier.core import TemplateError
from luthier.core.model.generation import generation_config, within_positions
from luthier.core.model.opening import OpenModel
from luthier.core.run.reporting import quiet_libraries
from luthier.core.sections import GenerationSection
from luthier.core.templates import Message


class TransformersChat:
    """Answers conversations with an open model."""

    def __init__(self, opened: OpenModel, generation: GenerationSection) -> None:
        """Answer with `opened`, by the settings of `generation` over the model's own."""
        self.opened, self.model = opened, opened.model.eval()
        self.tokenizer = opened.tokenizer
        self.template = opened.template
        self.settings = generation_config(opened, generation)

    def prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        """Return the ids that the model goes on from.

        Raises:
            TemplateError: the conversation cannot be rendered, or there is no template at all.
        """
        if self.template is not None:
            return self.template.encode(messages, self.tokenizer, generation_prompt=True).ids
        if not self.tokenizer.chat_template:
            raise TemplateError(
                "this model has no chat template; name one with `--template NAME` "
                "(`luthier plugins templates` lists them)"
            )
        try:
            found: Any = self.tokenizer.apply_chat_template(
                [dict(message) for message in messages],
                add_generation_prompt=True,
                return_dict=True,
            )
        except jinja2.TemplateError as fault:
            raise TemplateError(f"the model's chat template refuses this: {fault}") from fault
        return [int(i) for i in found["input_ids"]]

    def stream(self, messages: Sequence[Message]) -> Iterator[str]:
        """Yield the answer in stretches; leaving the iterator ends the generation.

        Raises:
            TemplateError: the conversation cannot be rendered.
            BadModel: it is longer than the model has positions.
        """
        ids_1T = torch.tensor([self.prompt_ids(messages)], device=self.model.device)
        settings = within_positions(self.opened, self.settings, ids_1T.shape[1])
        streamer = TextIteratorStreamer(self.tokenizer, skip_prompt=True, skip_special_tokens=True)
        left, faults = _Left(), list[BaseException]()

        def generate() -> None:
            try:
                with quiet_libraries():
                    self.model.generate(
                        input_ids=ids_1T,
                        attention_mask=torch.ones_like(ids_1T),
                        generation_config=settings,
                        streamer=streamer,
                        stopping_criteria=[left],
                    )
            except BaseException as fault:  # noqa: BLE001 - handed to the reading thread below
                faults.append(fault)
                streamer.end()  # type: ignore[no-untyped-call]

        thread = Thread(target=generate, daemon=True)
        thread.start()
        try:
            for text in streamer:
                if text:
                    yield text
        finally:
            left.event.set()
            thread.join()
        if faults:
            raise faults[0]

    def answer(self, messages: Sequence[Message]) -> str:
        """Return the whole answer."""
        return "".join(self.stream(messages))


class _Left(StoppingCriteria):
    """Stops generation when nobody reads any more."""

    def __init__(self) -> None:
        self.event = Event()

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:  # noqa: ARG002
        done = self.event.is_set()
        return torch.full((input_ids.shape[0],), done, device=input_ids.device, dtype=torch.bool)
