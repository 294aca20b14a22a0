"""A reward from a server: answers are posted to it, and it returns their scores.

The request is JSON: `{"model": "reward", "messages": [TEXT, ...]}`, each text a prompt and its
answer as the template has them, special tokens among them; the reply is
`{"scores": [NUMBER, ...]}`. That is the form of LLaMA-Factory's server of reward models
(https://github.com/hiyouga/LLaMA-Factory).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from pydantic import Field, field_validator

from luthier.core import LuthierError
from luthier.core.problems import shown
from luthier.plugins.rewards.weighted import WeightedReward

if TYPE_CHECKING:
    from luthier.core.run.job import TrainingJob
    from luthier.core.samples import Reward, Sample


class HttpReward(WeightedReward):
    """Score answers by a server of your own."""

    url: str
    """Where prompts and answers are sent, http or https; nothing else is sent anywhere."""
    timeout: Annotated[float, Field(gt=0)] = 60.0
    """Seconds that the server may take."""

    @field_validator("url")
    @classmethod
    def _is_of_the_web(cls, url: str) -> str:
        if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).netloc:
            raise ValueError(f"{url!r} is no address that begins with http:// or https://")
        return url

    def scorer(self, job: TrainingJob) -> Reward:
        """Return what asks the server."""
        decode = job.opened.tokenizer.decode

        def text(sample: Sample) -> str:
            # the special tokens tell a reward model who speaks
            return str(decode([*sample.prompt_ids, *sample.answer_ids]))

        return lambda samples: self.asked([text(sample) for sample in samples])

    def asked(self, texts: Sequence[str]) -> list[float]:
        """Return the server's scores of texts.

        Raises:
            LuthierError: it cannot be reached, or returns something else than a score for each.
        """
        body = json.dumps({"model": "reward", "messages": [*texts]}).encode()
        headers = {"Content-Type": "application/json"}
        try:
            request = Request(self.url, body, headers)  # noqa: S310 - the scheme was looked at
            with urlopen(request, timeout=self.timeout) as reply:  # noqa: S310 - as above
                found = json.load(reply)
        except (URLError, OSError, ValueError) as fault:
            raise LuthierError(
                f"the reward server {self.url} did not answer as it should: {fault}. Start it, or "
                "name another `url`, then go on with `luthier resume`."
            ) from fault
        scores: Any = found.get("scores") if isinstance(found, dict) else None
        listed = isinstance(scores, list) and all(map(_is_number, scores))
        if not listed or len(scores) != len(texts):
            raise LuthierError(
                f"the reward server {self.url} was asked for {len(texts)} scores and replied "
                f'{shown(found)}. It is to reply {{"scores": [...]}}, a number for each message.'
            )
        return [float(score) for score in scores]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
