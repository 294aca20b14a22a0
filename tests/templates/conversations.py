"""Conversations that chat templates are tested on, in words of our own."""

from hypothesis import strategies as st

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "find_train",
            "description": 'Finds a train — "fast" <b>.',
            "parameters": {
                "type": "object",
                "properties": {
                    "to": {"type": "string", "description": "Where to, such as Köln"},
                    "n": {"type": "integer", "description": "how many"},
                    "more": {"type": "object", "description": "the rest", "properties": {}},
                },
                "required": ["to"],
            },
        },
    }
]


def called(*calls):
    """Return the calls of a message, in OpenAI's form."""
    return [
        {
            "id": f"abcdefgh{n}",
            "type": "function",
            "function": {"name": name, "arguments": arguments},
        }
        for n, (name, arguments) in enumerate(calls)
    ]


SYSTEM = {"role": "system", "content": "Be brief."}
ASKED = {"role": "user", "content": "Hi there."}
ANSWERED = {"role": "assistant", "content": "Hello."}
AGAIN = {"role": "user", "content": "And now?"}
LAST = {"role": "assistant", "content": "Still here."}
THOUGHT = {**LAST, "reasoning_content": "They ask again."}
CALLED = {
    "role": "assistant",
    "content": "",
    "tool_calls": called(("find_train", {"to": "Köln", "n": 2, "more": {"quiet": True}})),
}
SAID_AND_CALLED = {**CALLED, "content": "Let me look."}
CALLED_TWICE = {
    **CALLED,
    "tool_calls": called(("find_train", {"to": "Köln"}), ("find_train", {"to": "Bonn", "n": 1})),
}
RESULT = {
    "role": "tool", "tool_call_id": "abcdefgh0", "name": "find_train", "content": '{"ok": true}',
}  # fmt: skip
OTHER_RESULT = {
    "role": "tool", "tool_call_id": "abcdefgh1", "name": "find_train", "content": "none",
}  # fmt: skip

CHATS = {
    "one turn": [ASKED, ANSWERED],
    "two turns": [ASKED, ANSWERED, AGAIN, LAST],
    "a system message": [SYSTEM, ASKED, ANSWERED, AGAIN, LAST],
    "thoughts": [ASKED, ANSWERED, AGAIN, THOUGHT],
}
CHATS_WITH_TOOLS = {
    "a call": [ASKED, CALLED],
    "a call beside text": [ASKED, SAID_AND_CALLED],
    "two calls": [ASKED, CALLED_TWICE],
    "two results": [ASKED, CALLED_TWICE, RESULT, OTHER_RESULT, LAST],
    "a system message and a result": [SYSTEM, ASKED, CALLED, RESULT, LAST],
}

contents = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@st.composite
def random_chats(draw, *, tools=False):
    """A conversation of one to three turns, with and without a system message and thoughts.

    With tools, some answers call one, are given a result, and go on.
    """
    chat = [{"role": "system", "content": draw(contents)}] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(1, 3))):
        answer = {"role": "assistant", "content": draw(contents)}
        if draw(st.booleans()):
            answer["reasoning_content"] = draw(contents)
        chat.append({"role": "user", "content": draw(contents)})
        if tools and draw(st.booleans()):
            arguments = {"to": draw(contents), "n": draw(st.integers(-3, 99))}
            call = {**CALLED, "tool_calls": called(("find_train", arguments))}
            chat += [call, {**RESULT, "content": draw(contents)}]
        chat.append(answer)
    return chat
