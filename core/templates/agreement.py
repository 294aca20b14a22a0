"""Holding a chat template against a tokenizer: its own chat template, and what is promised."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from luthier.core.errors import TemplateError
from luthier.core.templates.brought import Brought
from luthier.core.templates.checking import Checked, Difference
from luthier.core.templates.corpus import Conversation, corpus_for
from luthier.core.templates.encoding import Encoded, encoded
from luthier.core.templates.fitting import fitted
from luthier.core.templates.foreign import JinjaTemplate
from luthier.core.templates.template import ChatTemplate

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MOST_TOKENS = 8
"""Tokens that are shown of each side of a difference."""


def check_tokenizer(
    template: ChatTemplate, tokenizer: PreTrainedTokenizerBase, *, compare: bool = True
) -> Checked:
    """Return how a template agrees with a tokenizer on the built-in corpus.

    Where the tokenizer has a chat template of its own, the ids of both are compared, with and
    without a generation prompt. Of every conversation that ends in an answer, these are checked
    (and noted, where the authors' own template is no better):

    - the ids of the prompt are those that the trained ids begin with, unless the prompt begins
      thoughts that the answer has not;
    - the answer ends in a token that is trained, and that stops generation;
    - each turn extends the one before, but for thoughts that the template says it drops;
    - there is one BOS if the text has one, and none otherwise.

    Args:
        template: any template; what it leaves open is taken from the tokenizer.
        tokenizer: a model's.
        compare: whether it should be the tokenizer's own; one that a user wrote need not.
    """
    template = fitted(template, tokenizer)
    own = _own_template(tokenizer) if compare else None
    checked = Checked()
    source, tools = own.source if own else template.jinja(), template.tools is not None
    for one in corpus_for(source, tools=tools):
        if own is not None:
            for prompt in (False, True):
                _compare(template, own, tokenizer, one, prompt=prompt, checked=checked)
        if one.messages[-1]["role"] == "assistant":
            _check_promises(template, own, tokenizer, one, checked)
    if not (checked.passed or checked.failed or checked.refused):
        checked.refused.append(("the built-in corpus", "the template renders no answer of it"))
    return checked


def _own_template(tokenizer: PreTrainedTokenizerBase) -> JinjaTemplate | None:
    source = tokenizer.chat_template
    if isinstance(source, dict):
        source = source.get("default")
    if not source:
        return None
    brought = Brought(source, tokenizer.bos_token or "", tokenizer.eos_token or "")
    return brought.template()


def _compare(
    template: ChatTemplate,
    own: JinjaTemplate,
    tokenizer: PreTrainedTokenizerBase,
    one: Conversation,
    *,
    prompt: bool,
    checked: Checked,
) -> None:
    how: dict[str, Any] = {
        "generation_prompt": prompt, "bos_token": own.bos_token, "eos_token": own.eos_token,
        **one.options,
    }  # fmt: skip
    name = f"{one.name}, with a generation prompt" if prompt else one.name
    try:
        expected = own.text(one.messages, one.tools, **how)
    except TemplateError:
        expected = None  # the authors refuse it, and so has the template to
    try:
        pieces = template.render(one.messages, one.tools, **how).pieces
        found = encoded([pieces], tokenizer, template.special_tokens)[0]
    except TemplateError as fault:
        if expected is None:
            checked.passed += 1
        else:
            checked.refused.append((name, str(fault)))
        return
    text = "".join(piece.text for piece in pieces)
    if expected is None:
        checked.failed.append(Difference(name, "a refusal", text))
        return
    whole = [int(i) for i in tokenizer(expected, add_special_tokens=False)["input_ids"]]
    if list(differing(whole, found, tokenizer)):
        tokens = _differing_tokens(whole, found, tokenizer)
        checked.failed.append(Difference(name, expected, text, tokens))
    else:
        checked.passed += 1


def differing(
    whole: list[int], found: Encoded, tokenizer: PreTrainedTokenizerBase
) -> Iterator[tuple[slice, slice]]:
    """Yield where ids differ from those of the whole text, but for where the loss changes.

    There text is cut, so that a prompt's ids are what the trained ids begin with; where no special
    token stands at the cut, the tokens next to it may be others than those of the whole text.

    Args:
        whole: the ids of the whole text.
        found: the ids of its pieces.
        tokenizer: what gave both.

    Yields:
        The differing ids among `whole`, and those among `found`, which stand for the same text.
    """
    if whole == found.ids:
        return
    cuts = [n + 1 for n, (a, b) in enumerate(pairwise(found.mask)) if a != b]
    begun: tuple[int, int] | None = None
    for tag, a0, a1, b0, b1 in SequenceMatcher(None, whole, found.ids, False).get_opcodes():  # noqa: FBT003
        if tag == "equal" and begun is None:
            continue
        begun = begun or (a0, b0)
        ours, theirs = slice(begun[1], b1), slice(begun[0], a1)
        if tokenizer.decode(whole[theirs]) == tokenizer.decode(found.ids[ours]):
            begun = None
            if not any(ours.start <= cut <= ours.stop for cut in cuts):
                yield theirs, ours
    if begun is not None:
        yield slice(begun[0], len(whole)), slice(begun[1], len(found.ids))


def _differing_tokens(
    whole: list[int], found: Encoded, tokenizer: PreTrainedTokenizerBase
) -> tuple[str, str]:
    """Return the tokens of the first difference on both sides, with two that stand before them."""
    theirs, ours = next(differing(whole, found, tokenizer))

    def shown(ids: list[int], at: slice) -> str:
        some = ids[max(0, at.start - 2) : min(at.stop, at.start + MOST_TOKENS)]
        return " ".join(f"{i}:{str(tokenizer.decode([i]))!r}" for i in some)

    return shown(whole, theirs), shown(found.ids, ours)


def _check_promises(
    template: ChatTemplate,
    own: JinjaTemplate | None,
    tokenizer: PreTrainedTokenizerBase,
    one: Conversation,
    checked: Checked,
) -> None:
    try:
        broken = list(_broken_promises(template, tokenizer, one))
        unlike = list(_unlike_before(template, tokenizer, one))
    except TemplateError as fault:
        # whether it should refuse the conversation is what the comparison tells
        if own is None and _is_rendered(template, one):
            checked.refused.append((one.name, str(fault)))  # it is the tokenizer that does not fit
        return
    theirs = bool(unlike) and own is not None and not _is_whole(own, one)
    checked.noted += unlike if theirs else []
    broken += [] if theirs else unlike
    checked.failed += broken
    checked.passed += not broken


def _is_rendered(template: ChatTemplate, one: Conversation) -> bool:
    try:
        template.render(one.messages, one.tools, **one.options)
    except TemplateError:
        return False
    return True


def _broken_promises(
    template: ChatTemplate, tokenizer: PreTrainedTokenizerBase, one: Conversation
) -> Iterator[Difference]:
    whole = template.encode(one.messages, tokenizer, one.tools, **one.options)
    trained = [i for i, counted in zip(whole.ids, whole.mask, strict=True) if counted]
    # the end of an earlier answer is trained where the authors print one
    if not trained or trained[-1] not in template.stop_ids(tokenizer):
        ends = " or ".join(map(repr, template.ends(tokenizer.eos_token)))
        said = f"{one.name}: the answer's end is not trained"
        yield Difference(said, ends, str(tokenizer.decode(trained[-1:])))
    bos = tokenizer.bos_token_id
    rendered = template.render(one.messages, one.tools, bos_token=tokenizer.bos_token)
    printed = sum(p.special and p.text == tokenizer.bos_token for p in rendered.pieces)
    if bos not in {None, tokenizer.eos_token_id} and whole.ids.count(bos) != printed:
        said = f"{one.name}: the ids hold another number of BOS than the text"
        yield Difference(said, str(printed), str(whole.ids.count(bos)))


def _unlike_before(
    template: ChatTemplate, tokenizer: PreTrainedTokenizerBase, one: Conversation
) -> Iterator[Difference]:
    """Yield where a conversation does not begin with its prompt, or with its earlier turns."""

    def encode(end: int, **how: Any) -> Encoded:
        return template.encode(one.messages[:end], tokenizer, one.tools, **how, **one.options)

    def compare(said: str, before: list[int]) -> Iterator[Difference]:
        if whole[: len(before)] != before:
            found = tokenizer.decode(whole)
            yield Difference(f"{one.name}: {said}", str(tokenizer.decode(before)), str(found))

    whole = encode(len(one.messages)).ids
    thinking = template.thinking
    if not _opens_thoughts_alone(template, one):
        prompt = encode(-1, generation_prompt=True).ids
        yield from compare("the prompt is not what the trained ids begin with", prompt)
    if thinking is not None and thinking.kept != "all":
        return  # what the template says of it
    for n, message in enumerate(one.messages[:-1]):
        if message["role"] == "assistant":
            # up to the end of what is said: a last answer may be ended by another token
            found = encode(n + 1)
            ids, mask = found.ids, found.mask
            said = len(mask) - 1 - mask[::-1].index(True)
            yield from compare(f"message {n + 1} is another in what goes on", ids[:said])


def _opens_thoughts_alone(template: ChatTemplate, one: Conversation) -> bool:
    """Whether the prompt begins thoughts that the answer, as it is written, does not have."""
    thinking = template.thinking
    if thinking is None or not thinking.prompted:
        return False
    return thinking.kept == "none" or not one.messages[-1].get("reasoning_content")


def _is_whole(own: JinjaTemplate, one: Conversation) -> bool:
    """Whether the authors' own text of a conversation begins with its prompt and earlier turns."""
    text = own.text(one.messages, one.tools, **one.options)
    ends = [n for n, message in enumerate(one.messages) if message["role"] == "assistant"]
    return all(
        text.startswith(
            own.text(one.messages[:n], one.tools, generation_prompt=True, **one.options)
        )
        for n in ends
    )
