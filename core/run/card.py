"""The model card: README.md beside the weights, made of the manifest.

Its header is that of the hubs' cards (https://huggingface.co/docs/hub/model-cards).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from luthier.core.data.dataset import VALIDATION, shown

CARD = "README.md"
LIBRARIES = ("luthier", "torch", "transformers", "peft", "tokenizers")
RULE = "---\n"
CONCLUDED = "concluded"
"""The key of a manifest that lists those which plugins added when the run had ended."""


def card_of(name: str, manifest: Mapping[str, Any]) -> str:
    """Return the card of a model.

    Args:
        name: what the run is called.
        manifest: the facts of the run, when it has ended.
    """
    parts = {
        "": _introduction(manifest),
        "Data": _table(("data", "rows", "tokens"), _data(manifest)),
        "Method": _table(("", ""), _method(manifest["settings"], manifest)),
        "Figures": _table(("", "step", "value"), _figures(manifest)),
        "How to load it": _loading(name, manifest),
        "Made with": _versions(manifest),
    }
    # JSON's texts and lists are YAML's, too
    header = "".join(f"{key}: {json.dumps(one)}\n" for key, one in _header(manifest).items())
    text = f"{RULE}{header}{RULE}\n# {name}\n"
    for heading, part in parts.items():
        if part:
            text += f"\n## {heading}\n\n{part}\n" if heading else f"\n{part}\n"
    return text


def is_card_of(text: str, manifest: Mapping[str, Any]) -> bool:
    """Return whether a card is as it was written, by whatever name the run had then."""
    title = re.search(r"^# (.*)$", text, re.MULTILINE)
    return title is not None and text == card_of(title[1], manifest)


def license_in(folder: Path) -> str | None:
    """Return the license that a model's own card names, if it has one."""
    try:
        text = (folder / CARD).read_text(encoding="utf-8")
        header = text.split(RULE, 2)[1] if text.startswith(RULE) else ""
        found = YAML(typ="safe", pure=True).load(header)
    except (OSError, UnicodeDecodeError, IndexError, YAMLError):
        return None
    named = found.get("license") if isinstance(found, dict) else None
    return named if isinstance(named, str) else None


def _header(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the header; a model that is on no hub has no id to be named by."""
    model, settings = manifest["model"], manifest["settings"]
    header: dict[str, Any] = {}
    if model["hub"]:
        header["base_model"] = model["path"]
    if model["license"]:
        header["license"] = model["license"]
    header["library_name"] = "peft" if model["adapter"] else "transformers"
    named = [settings.get(f"{key}.name") for key in ("stage", "tuner", "quantizer")]
    return {**header, "tags": ["luthier", *dict.fromkeys(str(one) for one in named if one)]}


def _introduction(manifest: Mapping[str, Any]) -> str:
    model, settings = manifest["model"], manifest["settings"]
    what = "An adapter" if model["adapter"] else "A model"
    base = f"`{_without_folders(model['path'])}`"
    if model["hub"] == "huggingface":
        base = f"[{model['path']}](https://huggingface.co/{model['path']})"
    trained, whole = (manifest["parameters"][key] for key in ("trained", "all"))
    text = (
        f"{what} trained from {base} by the stage `{settings.get('stage.name')}` of Luthier: "
        f"{trained:,} of {whole:,} parameters ({trained / whole:.2%})."
    )
    best = manifest.get("best")
    if best and best["saved"] and best["step"] != manifest["steps"]:
        text += f" The weights are those of step {best['step']}, the best of {manifest['steps']}."
    return text


def _data(manifest: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    data = manifest["data"]
    paths = {k: v for k, v in data["settings"].items() if k.endswith(".path")}
    trained = [
        _without_folders(str(path)) for key, path in paths.items() if key.startswith("data.")
    ]
    yield (", ".join(trained), *_counts(data))
    for name, one in data.get("validation", {}).items():
        path = paths.get(f"validation.{name}.path", paths.get("validation.path"))
        of = f" ({_without_folders(str(path))})" if path else ", held out"
        yield (name if name == "validation" else f"validation: {name}") + of, *_counts(one)


def _counts(facts: Mapping[str, Any]) -> tuple[str, str]:
    return f"{facts.get('rows', 0):,}", f"{facts.get('tokens', 0):,}"


TOLD = ("stage", "rewards", "tuner", "quantizer", "optimizer")
"""The keys whose plugins a card tells with all their options."""
OF_TRAINING = (
    "learning_rate", "scheduler", "warmup", "weight_decay", "max_grad_norm", "precision",
)  # fmt: skip


def _method(settings: Mapping[str, Any], manifest: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for key in TOLD:
        found = [_plugin(place, settings) for place in _places(key, settings)]
        yield key, ", ".join(found)
    patches = [f"`{one['name']}`" for one in manifest["plugins"] if one["kind"] == "patches"]
    yield "patches", ", ".join(patches)
    yield "chat template", _code(settings.get("template.name"))
    yield "tokens of a row at most", _plain(settings.get("encoding.max_length"))
    processes = manifest["hardware"].get("processes", 1)
    rows = [settings["training.batch_size"], settings["training.gradient_accumulation"], processes]
    yield "rows in a step", f"{rows[0]} x {rows[1]} x {rows[2]}"
    for key in OF_TRAINING:
        yield key.replace("_", " "), _plain(settings.get(f"training.{key}"))
    yield "steps", f"{manifest['steps']:,}"
    yield "seed", str(settings["training.seed"])


def _places(key: str, settings: Mapping[str, Any]) -> list[str]:
    """Return the keys at which plugins are named: the key itself, or those of a list's items."""
    ends = [one.removesuffix(".name") for one in settings if one.endswith(".name")]
    return [one for one in ends if one == key or re.fullmatch(rf"{key}\.\d+", one)]


def _plugin(place: str, settings: Mapping[str, Any]) -> str:
    told = ", ".join(f"{k} {one}" for k, one in _options(place, settings).items())
    return f"`{settings[f'{place}.name']}`" + (f" ({told})" if told else "")


def _options(key: str, settings: Mapping[str, Any]) -> dict[str, str]:
    """Return what a plugin was given: the items of a list together, nothing that is empty."""
    found: dict[str, str] = {}
    for option, one in settings.items():
        name = option.removeprefix(f"{key}.")
        if name in {option, "name"} or one is None or one in ([], {}):
            continue
        stem, _, last = name.rpartition(".")
        name = stem if last.isdecimal() else name
        value = _without_folders(shown(one)) if isinstance(one, str) else _plain(one)
        found[name] = f"{found[name]} {value}" if name in found else value
    return found


def _figures(manifest: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    figures = manifest.get("figures", {})
    for figure, value, step in _stepped(figures.get("training", {})):
        yield f"training {figure}", step, value
    for name, one in figures.get(VALIDATION, {}).items():
        of = "" if name == VALIDATION else f" of {name}"
        for figure, value, step in _stepped(one):
            yield f"validation {figure}{of}", step, value
    best = manifest.get("best")
    if best:
        yield f"best validation {best['figure']}", str(best["step"]), f"{best['value']:.4f}"
    for key in manifest.get(CONCLUDED, ()):
        for names, value in _numbers(manifest[key]):
            yield " ".join([key, *(one for one in names if one != VALIDATION)]), "", value


def _stepped(figures: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, value in figures.items():
        if name != "step":
            yield name, f"{value:.4f}", str(figures["step"])


def _numbers(told: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the numbers of what a plugin told, and the keys that each stands behind."""
    if isinstance(told, Mapping):
        for key, one in told.items():
            yield from (((str(key), *keys), value) for keys, value in _numbers(one))
    elif isinstance(told, int | float) and not isinstance(told, bool):
        yield (), f"{told:.4f}" if isinstance(told, float) else f"{told:,}"


def _loading(name: str, manifest: Mapping[str, Any]) -> str:
    adapter = manifest["model"]["adapter"]
    library, cls = ("peft", "AutoPeftModelForCausalLM") if adapter else (
        "transformers", "AutoModelForCausalLM"
    )  # fmt: skip
    imports = [f"from {library} import {cls}", "from transformers import AutoTokenizer"]
    if not adapter:
        imports = [f"from transformers import {cls}, AutoTokenizer"]
    lines = [
        *imports, "", 'folder = "."  # the one that this page is in',
        f"model = {cls}.from_pretrained(folder)",
        "tokenizer = AutoTokenizer.from_pretrained(folder)",
    ]  # fmt: skip
    text = "```python\n" + "\n".join(lines) + "\n```\n\n"
    text += f"Or talk to it, by its run folder: `luthier chat {name}`."
    if heads := manifest["model"]["value_heads"]:
        text += f" Its value heads ({', '.join(heads)}) are in `value_head.safetensors`."
    return text


def _versions(manifest: Mapping[str, Any]) -> str:
    versions = manifest["versions"]
    told = [f"{name} {versions[name]}" for name in LIBRARIES if name in versions]
    told.append(f"Python {versions['python']}")
    hardware = manifest["hardware"]
    return (
        f"{', '.join(told)}, on {hardware['device']} ({hardware['system']}, {hardware['machine']})."
    )


def _table(heads: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    """Return a table of the rows that tell something; nothing where there are none."""
    told = [row for row in rows if row[-1]]
    if not told:
        return ""
    lines = [heads, ("---",) * len(heads), *told]
    return "\n".join(
        "| " + " | ".join(one.replace("|", "\\|") for one in row) + " |" for row in lines
    )


def _without_folders(path: str) -> str:
    """Return a path without the folders of this machine; a URL or a hub's id as it is."""
    is_local = "://" not in path and Path(path.rpartition(":")[2]).is_absolute()
    return Path(path).name if is_local else path


def _code(value: Any) -> str:
    return f"`{value}`" if value else ""


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)
