"""An entry of a dataset_info.json, and the declaration of a dataset that it comes to.

What an entry names is all that it changes: a column or a tag that it leaves out stays what the
format takes it for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from luthier.core.data import BadSource

Formatting = Literal["alpaca", "sharegpt", "openai"]

ALPACA = {
    "prompt": "instruction",
    "query": "input",
    "response": "output",
    "history": "history",
    "system": "system",
    "tools": "tools",
}
"""The option of a format for each column that an entry may name, of rows of alpaca's form."""
CHAT = {"messages": "messages", "system": "system", "tools": "tools"}
"""The same, where rows hold messages."""
PREFERENCE = {"prompt": "prompt", "chosen": "chosen", "rejected": "rejected"}
"""What is called otherwise, or is besides, where rows hold two answers."""
KTO = {"prompt": "prompt", "response": "completion", "kto_tag": "label"}
"""The same, where rows hold an answer that was judged."""
OPENAI_TAGS = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
    "observation_tag": "tool",
    "function_tag": "function_call",
    "system_tag": "system",
}
"""The tags of messages in OpenAI's own form."""
MEDIA = ("images", "videos", "audios")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    def named(self) -> dict[str, str]:
        """Return what it names, by key."""
        return {key: value for key, value in self if isinstance(value, str)}


class Columns(_Part):
    """The columns that an entry names."""

    prompt: str | None = None
    query: str | None = None
    response: str | None = None
    history: str | None = None
    messages: str | None = None
    system: str | None = None
    tools: str | None = None
    images: str | None = None
    videos: str | None = None
    audios: str | None = None
    chosen: str | None = None
    rejected: str | None = None
    kto_tag: str | None = None


class Tags(_Part):
    """The keys and the roles of messages that an entry names."""

    role_tag: str | None = None
    content_tag: str | None = None
    user_tag: str | None = None
    assistant_tag: str | None = None
    observation_tag: str | None = None
    function_tag: str | None = None
    system_tag: str | None = None


class Location(_Part):
    """Where an entry's set is; of several places the first counts."""

    hf_hub_url: str | None = None
    ms_hub_url: str | None = None
    om_hub_url: str | None = None
    script_url: str | None = None
    cloud_file_name: str | None = None
    file_name: str | None = None


class Entry(Location):
    """One set: where it is, of what shape, and what is known of it."""

    formatting: Formatting = "alpaca"
    ranking: bool = False
    subset: str | None = None
    split: str | None = None
    folder: str | None = None
    num_samples: int | None = Field(default=None, ge=1)
    columns: Columns = Columns()
    tags: Tags = Tags()
    licence: str | None = None
    """The licence that its page names; None where it names none."""
    facts: str | None = None
    """The page that tells all this."""
    note: str | None = None

    @classmethod
    def of(cls, values: Any, name: str, file: Path) -> Entry:
        """Return the entry of a name.

        Raises:
            BadSource: it is not what an entry may be; all that is wrong is told.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as fault:
            said = "; ".join(_said(error) for error in fault.errors())
            raise BadSource(f"the entry {name!r} of {file}: {said}", "Mend that entry.") from fault

    def declaration(self, folder: Path, hub: str) -> dict[str, Any]:
        """Return the entry as a dataset of a run file.

        Args:
            folder: where its dataset_info.json is, which relative paths are found from.
            hub: the hub to prefer, where it is on several.

        Raises:
            BadSource: nothing of luthier's reads such a set.
        """
        path, source = self.place(folder, hub)
        shape: dict[str, Any] = {"name": self.format, **self._options()}
        rest = {"split": self.split, "subset": self.subset, "samples": self.num_samples}
        given = {key: value for key, value in rest.items() if value is not None}
        return {"path": path, "source": source, "format": shape, **given}

    def place(self, folder: Path, hub: str) -> tuple[str, dict[str, str]]:
        """Return the path of the set, and its source with the options of that.

        Raises:
            BadSource: it has none, or one that nothing of luthier's reads.
        """
        on_hub = {"hf": self.hf_hub_url, "modelscope": self.ms_hub_url}
        named = [one for one in (hub, *on_hub) if on_hub.get(one)]
        if named:
            inner = {"data_dir": self.folder} if self.folder else {}
            return f"{named[0]}:{on_hub[named[0]]}", {"name": named[0], **inner}
        if self.om_hub_url:
            said = f"the set {self.om_hub_url} is on Modelers alone"
            raise BadSource(said, "Download it, and name its files as `path`.")
        if self.script_url:
            said = f"the set is read by a program, {self.script_url}, and none is run"
            raise BadSource(said, "Have it write its rows to a JSON lines or Parquet file.")
        if self.cloud_file_name:
            return self.cloud_file_name, {"name": "cloud"}
        if self.file_name:
            return str((folder / Path(self.file_name).expanduser()).resolve()), {"name": "files"}
        keys = ", ".join(Location.model_fields)
        raise BadSource("the entry does not say where its set is", f"Add one of: {keys}.")

    @property
    def format(self) -> str:
        """The format of its rows."""
        if self.ranking:
            return "preference"
        if self.columns.kto_tag is not None:
            return "kto"
        names = self.columns.named()
        # columns that name a prompt and no answer are how a set of plain text is declared
        plain = self.formatting == "alpaca" and "prompt" in names and "response" not in names
        return "text" if plain else self.formatting

    def _options(self) -> dict[str, str]:
        names = self.columns.named()
        if media := [key for key in MEDIA if key in names]:
            said = f"the rows hold {media[0]}, and models are trained on text alone"
            raise BadSource(said, "Choose another set.")
        if self.format == "text":
            self._refuse_besides({"prompt": "column"}, names)
            return {"column": names["prompt"]}
        known = self._known()
        self._refuse_besides(known, names)
        tags = self.tags.named()
        if tags and self.formatting == "alpaca":
            said = f"{next(iter(tags))!r} is told of rows that hold messages, and these hold none"
            raise BadSource(said, 'Add `"formatting": "sharegpt"`, or leave `tags` out.')
        if self.formatting == "openai" and tags.items() <= OPENAI_TAGS.items():
            tags = {}  # what the format takes them for, calls and all
        return {**self._understood(), **{known[k]: v for k, v in names.items()}, **tags}

    def _known(self) -> dict[str, str]:
        """Return the option of the format for each column that the entry may name."""
        known = ALPACA if self.formatting == "alpaca" else CHAT
        more = {"preference": PREFERENCE, "kto": KTO}.get(self.format, {})
        if self.formatting != "alpaca":
            more = {key: option for key, option in more.items() if key not in ALPACA}
        return known | more

    def _understood(self) -> dict[str, str]:
        """Return what a format of rows of several forms is to be told, though it is not named."""
        if self.format == self.formatting:
            return {}
        if self.formatting == "alpaca":
            return {"prompt": "instruction"}
        told = {"messages": "conversations"} if self.formatting == "sharegpt" else {}
        if self.format == "kto" and (told or self.columns.messages):
            # the answer is the last message, whatever other columns are called
            told |= {"completion": "", "output": ""}
        return told

    def _refuse_besides(self, known: Mapping[str, str], names: Mapping[str, str]) -> None:
        for key in names:
            if key not in known:
                said = f"the column {key!r} is none that rows of {self.format!r} have here"
                raise BadSource(said, f"Name among `columns`: {', '.join(known)}.")


def _said(error: Any) -> str:
    from luthier.registry.errors import nearest

    *above, last = map(str, error["loc"]) if error["loc"] else [""]
    where = ".".join((*above, last))
    if error["type"] == "extra_forbidden":
        holders: dict[str, type[_Part]] = {"columns": Columns, "tags": Tags}
        holder = holders.get(above[-1] if above else "", Entry)
        meant = nearest(last, holder.model_fields)
        return f"unknown key {where!r}. {meant}Known: {', '.join(holder.model_fields)}"
    return f"{where}: {error['msg']}" if where else str(error["msg"])


def entries_of(file: Path) -> Mapping[str, Any]:
    """Return the entries of a dataset_info.json by name, none of them looked at.

    Raises:
        BadSource: it cannot be read, or is no mapping of names.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as fault:
        said = f"there is no file {file}"
        raise BadSource(
            said, "A relative path is found from the folder of the run file."
        ) from fault
    except OSError as fault:
        said = f"{file} cannot be read: {fault.strerror}"
        raise BadSource(said, "Name a dataset_info.json that you may read.") from fault
    except ValueError as fault:
        at = f":{fault.lineno}:{fault.colno}" if isinstance(fault, json.JSONDecodeError) else ""
        said = f"{file}{at} is no JSON: {getattr(fault, 'msg', fault)}"
        raise BadSource(said, "Mend it there.") from fault
    if not isinstance(found, dict):
        raise BadSource(f"{file} holds no mapping of names", 'Write {"NAME": {"file_name": ...}}.')
    return found


def sound_entries(file: Path) -> Iterator[tuple[str, Entry]]:
    """Yield all entries of a file with their names.

    Raises:
        BadSource: the file, or one of them, is not what it may be.
    """
    for name, values in entries_of(file).items():
        yield name, Entry.of(values, name, file)
