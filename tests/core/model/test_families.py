"""Families: what they say of themselves, and that what they say goes together."""

import json
from collections import Counter

import pytest

from luthier.core.errors import LuthierError, UnknownPlugin
from luthier.core.model.checkpoints import checkpoints, short_name
from luthier.core.model.recognition import families_of
from luthier.core.model.shelf import described, rows_of, without_rows
from luthier.registry import Catalogue

CATALOGUE = Catalogue.installed()
FAMILIES = {n: f for n, f in families_of(CATALOGUE).items() if f.builtin == ()}
CHECKPOINTS = [one for family in FAMILIES.values() for one in family.checkpoints]


def test_every_checkpoint_has_a_source_that_is_a_page():
    for one in CHECKPOINTS:
        pages = one.source.split()
        assert pages, one.name
        assert all(page.startswith("https://") for page in pages), one.name


def test_no_two_checkpoints_have_one_name_or_one_id():
    assert max(Counter(one.name for one in CHECKPOINTS).values()) == 1
    for kind in ("hub", "modelscope"):
        ids = Counter(value.lower() for one in CHECKPOINTS if (value := getattr(one, kind)))
        assert [name for name, times in ids.items() if times > 1] == []


def test_a_short_name_is_no_path_and_no_built_in_name():
    made = {name for family in families_of(CATALOGUE).values() for name in family.builtin}
    for one in CHECKPOINTS:
        assert one.name == one.name.lower()
        assert "/" not in one.name
        assert one.name not in made


def test_every_chat_template_of_a_family_is_installed():
    installed = set(CATALOGUE.names("templates"))
    for name, family in FAMILIES.items():
        own = {family.template, family.general_template, *family.chat_templates}
        named = own | {one.template for one in family.checkpoints}
        assert named - {None} <= installed, name


def test_a_checkpoint_names_a_template_only_where_it_is_not_its_family_s():
    for name, family in FAMILIES.items():
        for one in family.checkpoints:
            assert one.template != family.template, f"{name}: {one.name}"


def test_each_architecture_that_several_families_have_has_one_general_family():
    shared = Counter(one for family in FAMILIES.values() for one in family.architectures)
    for architecture in [one for one, times in shared.items() if times > 1]:
        kin = {n: f for n, f in FAMILIES.items() if architecture in f.architectures}
        # an architecture's other name tells by the model's type, such as InternLM3's
        kin = {n: f for n, f in kin.items() if set(f.model_types) & set(general_types(kin))}
        general = [n for n, f in kin.items() if f.general_template is not None]
        assert len(general) == 1, f"{architecture}: {general}"


def general_types(kin):
    return [t for f in kin.values() if f.general_template is not None for t in f.model_types]


def test_the_model_types_of_families_are_those_of_transformers_or_come_with_code():
    from transformers import CONFIG_MAPPING

    for name, family in FAMILIES.items():
        if not family.brings_code:
            known = [one for one in family.model_types if one in CONFIG_MAPPING]
            assert known or family.any_architecture, name


def test_no_code_is_asked_for_where_transformers_holds_the_architecture():
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    for name, family in FAMILIES.items():
        if family.brings_code:
            assert not set(family.model_types) & set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES), name


@pytest.mark.parametrize(
    ("end", "name"),
    [
        ("Qwen2.5-7B-Instruct", "qwen2.5-7b-instruct"),
        ("Llama-2-7b-chat-hf", "llama-2-7b-chat"),
        ("Meta-Llama-3-8B", "llama-3-8b"),
        ("phi-1_5", "phi-1.5"),
    ],
)
def test_a_short_name_is_the_end_of_an_id_as_people_write_it(end, name):
    assert short_name(end) == name


def test_a_table_of_checkpoints_is_read_column_by_column():
    table = """
        owner/One-hf  =        7B  4096  mit
        owner/Two     other/=  -   -     -    second
    """
    one, two = checkpoints(table, "https://a", "https://b", template="chatml")
    assert one.model_dump() == {
        "name": "one", "hub": "owner/One-hf", "modelscope": "owner/One-hf", "parameters": "7B",
        "context": 4096, "license": "mit", "template": "chatml", "source": "https://a https://b",
    }  # fmt: skip
    assert (two.name, two.modelscope, two.context) == ("second", "other/Two", None)
    assert two.id_on("modelscope") == "other/Two"
    with pytest.raises(LuthierError, match="5 columns, or 6: owner/One = 7B"):
        checkpoints("owner/One = 7B", "https://a")


def test_a_family_that_lists_none_says_what_to_write():
    assert without_rows("tiny").endswith(": write `model: tiny`, which is built in.")
    assert without_rows("auto").endswith(": name a folder, or a hub's id.")


def test_the_list_of_checkpoints_fits_a_terminal_and_marks_what_was_not_run():
    text = described(rows_of())
    assert max(map(len, text.split("\n"))) <= 80
    baichuan = text.split("\n\n")[
        [one.partition("\n")[0] for one in text.split("\n\n")].index("qwen")
    ]
    assert "architecture not run" in baichuan
    assert json.loads(json.dumps([row._asdict() for row in rows_of("qwen3")]))[0]["hub"]
    with pytest.raises(UnknownPlugin, match="Did you mean 'qwen2'"):
        rows_of("qwn2")


def test_the_page_of_models_has_each_family_with_its_checkpoints(repository):
    page = (repository / "docs" / "models.md").read_text(encoding="utf-8")
    listed = {name: family for name, family in FAMILIES.items() if not family.any_architecture}
    for name, family in listed.items():
        classes = ", ".join(f"`{one}`" for one in family.architectures)
        code = "code comes with the model" if family.brings_code else ""
        assert f"| `{name}` | {len(family.checkpoints)} | {classes} | {code} |" in page
    assert page.count("\n| `") == len(listed)
    assert f"{len(CHECKPOINTS)} checkpoints of {len(listed)} families" in page
