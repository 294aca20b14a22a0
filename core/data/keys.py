"""What prepared rows depend on: where any of it changes, they are made anew."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from luthier.core.data.dataset import DatasetSpec
from luthier.core.data.standard import Aligned
from luthier.core.model.opening import LocatedModel
from luthier.core.runfile import Run


def key_of(run: Run, spec: DatasetSpec, aligned: Aligned, located: LocatedModel) -> dict[str, Any]:
    """Return all that the encoded rows of a dataset depend on.

    Args:
        run: the resolved run.
        spec: the dataset.
        aligned: its rows; their fingerprint tells of the data.
        located: the model that they are encoded for.
    """
    from luthier.core.run.manifest import plugins_of

    template = located.template
    encoders = [one for one in run.selected if hasattr(one.plugin, "encode_dataset")]
    plugins = [spec.source, spec.format, *encoders]
    named = {(one.kind, one.name) for one in plugins}
    jinja = template.jinja() if template is not None else ""
    return {
        "rows": aligned.rows.fingerprint,
        "bad_rows": spec.section.bad_rows,
        "encoding": run.encoding.model_dump(mode="json"),
        "plugins": [one.plugin.model_dump(mode="json") for one in plugins],
        "versions": [one for one in plugins_of(run) if (one["kind"], one["name"]) in named],
        "libraries": [metadata.version(name) for name in ("luthier", "tokenizers", "transformers")],
        "template": template and [jinja, template.model_dump(mode="json")],
        "day": str(date.today()) if "strftime_now" in jinja else None,
        "tokenizer": _tokenizer_text(located.tokenizer),
    }


def _tokenizer_text(tokenizer: Any) -> str:
    """Return a hash of all that a tokenizer's ids depend on."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    rules = backend.to_str() if backend is not None else _saved_text(tokenizer)
    told = [type(tokenizer).__name__, rules, *map(str, tokenizer.all_special_tokens)]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _saved_text(tokenizer: Any) -> str:
    """Return a text that changes with any file of a tokenizer of Python: its rules stand there."""
    with TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        files = sorted(Path(folder).iterdir())
        return json.dumps([(f.name, hashlib.sha256(f.read_bytes()).hexdigest()) for f in files])
