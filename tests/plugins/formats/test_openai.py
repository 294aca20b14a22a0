"""Messages of OpenAI's form: what is kept of them, and what the loss is not to count."""

from luthier.core.data import Conversation
from luthier.core.data.dataset import standardized

QUESTION, ANSWER = {"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Me."}


def first(spec):
    return next(iter(standardized(spec)))


def test_calls_results_and_thoughts_are_kept_and_nulls_left_out(spec_of):
    call = {
        "id": "c1",
        "type": "function",
        "function": {"name": "add", "arguments": '{"a": 1}'},
    }
    chat = [
        {"role": "developer", "content": "Be brief.", "name": None},
        {"role": "user", "content": [{"type": "text", "text": "One "}, "and?"], "tool_calls": None},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "1", "tool_call_id": "c1", "name": "add"},
        {**ANSWER, "reasoning_content": "A sum.", "tool_calls": []},
    ]
    found = first(spec_of([{"messages": chat, "tools": None}], format="openai"))
    assert found == Conversation(
        [
            {"role": "user", "content": "One and?"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [
                    {
                        "id": "c1",
                        "type": "function",
                        "function": {"name": "add", "arguments": {"a": 1}},
                    }
                ],
            },
            {"role": "tool", "content": "1", "tool_call_id": "c1", "name": "add"},
        ],
        [{**ANSWER, "reasoning_content": "A sum."}],
        "Be brief.",
    )


def test_train_and_weight_say_what_the_loss_is_not_to_count(spec_of):
    chat = [
        QUESTION, {**ANSWER, "weight": 0}, {**QUESTION, "weight": 0},
        {**ANSWER, "train": False}, QUESTION, {**ANSWER, "train": True},
    ]  # fmt: skip
    found = first(spec_of([{"messages": chat}], format="openai"))
    assert [one.get("train") for one in found.prompt] == [None, False, None, False, None]
    assert found.response == [ANSWER]


def test_a_completion_alone_is_counted_of_a_prompt_and_its_completion(spec_of):
    rows = [
        {"prompt": "Who?", "completion": "Me."},
        {"prompt": [QUESTION, ANSWER, QUESTION], "completion": [ANSWER]},
    ]
    plain, long = standardized(spec_of(rows, format="openai"))
    assert plain == Conversation([QUESTION], [ANSWER])
    assert long == Conversation([QUESTION, {**ANSWER, "train": False}, QUESTION], [ANSWER])


def test_a_completion_may_be_the_json_of_a_list(spec_of):
    row = {"prompt": "Name them.", "completion": '[{"name": "Ada"}]'}
    assert first(spec_of([row], format="openai")).response[0]["content"] == '[{"name": "Ada"}]'


def test_messages_may_be_the_json_text_that_a_table_holds(spec_of):
    text = 'messages\n"[{""role"": ""user"", ""content"": ""Who?""}, '
    text += '{""role"": ""assistant"", ""content"": ""Me.""}]"\n'
    found = first(spec_of(text, name="data.csv", format="openai"))
    assert found == Conversation([QUESTION], [ANSWER])


def test_the_nulls_with_which_parquet_fills_messages_up_are_left_out(spec_of, tmp_path):
    import pyarrow as pa
    from pyarrow.parquet import write_table

    calling = {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}
    chat = [
        QUESTION,
        calling,
        {"role": "tool", "content": "x", "name": "f"},
        {**ANSWER, "train": False},
    ]
    spec = spec_of("-", name="data.parquet", format="openai")
    write_table(pa.Table.from_pylist([{"messages": chat}]), tmp_path / "data.parquet")
    found = first(spec)
    assert [sorted(one) for one in found.prompt] == [
        ["content", "role"], ["content", "role", "tool_calls"], ["content", "name", "role"],
    ]  # fmt: skip
    assert found.response == [{**ANSWER, "train": False}]
