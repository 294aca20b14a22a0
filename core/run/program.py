"""The commands as functions: `train`, `resume`, `check`, `load`; and a run `settled` for others."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from luthier.core.device import Device, present
from luthier.core.errors import BadModel, BadRunFolder, LuthierError
from luthier.core.model.adapters import ADAPTER_CONFIG
from luthier.core.model.hubs import fetched, require_no_misspelt_folder
from luthier.core.problems import Place
from luthier.core.run.execution import execute
from luthier.core.run.folder import RunFolder, write_text_whole
from luthier.core.run.previous import bring_back, set_aside
from luthier.core.run.ranks import is_first
from luthier.core.run.reporting import Reporter, quiet_libraries
from luthier.core.runfile import Run, read_tree, resolve
from luthier.core.runfile.nodes import Node, node_of
from luthier.core.runfile.writing import annotated
from luthier.core.wiring import first_answer, manager_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from luthier.core.chat import Engine
    from luthier.core.model.opening import LocatedModel, OpenModel

logger = logging.getLogger(__name__)

RunLike = str | Path | Mapping[str, Any]
"""A run file's path, or its contents."""
Purpose = Literal["training", "inference"]


def check(run: RunLike, overrides: Sequence[str] = (), *, device: Device | None = None) -> Run:
    """Return a run file resolved, or raise with everything that is wrong with it.

    Imports no heavy package and loads no weights.

    Args:
        run: a run file, or its contents.
        overrides: `key.path=value` and `~key.path`, as on the command line.
        device: what to judge for; this machine's where it is None.

    Raises:
        BadRunFile: with every problem, each with place and remedy.
    """
    tree, name = _tree_of(run, overrides)
    return resolve(tree, name=name, device=device)


def settled(run: RunLike, overrides: Sequence[str] = (), *, trust_plugins: bool = False) -> Run:
    """Return a run as its training would have it; no weights are loaded.

    Args:
        run: a run file, its contents, or a run folder.
        overrides: `key.path=value` and `~key.path`, as on the command line.
        trust_plugins: let the plugin files that a run folder's run.yaml names be run.

    Raises:
        BadRunFile: the run file is wrong.
        BadRunFolder: the folder holds no run, or names plugin files that are not trusted.
    """
    if not isinstance(run, Mapping) and Path(run).is_dir():
        folder = RunFolder(Path(run).absolute())
        folder.require_run()
        return _stored_run(folder, overrides, trust_plugins=trust_plugins, purpose="training")
    tree, name = _tree_of(run, overrides)
    return _settled(tree, resolve(tree, name=name), "training")


def train(
    run: RunLike,
    overrides: Sequence[str] = (),
    *,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> RunFolder:
    """Train what a run file describes and return its run folder.

    Args:
        run: a run file, or its contents.
        overrides: `key.path=value` and `~key.path`, as on the command line.
        overwrite: delete a run that stands in the output folder already, once data and model of
            this one are found to be sound.
        reporter: who is told of it; the log alone where it is None.

    Raises:
        BadRunFile: the run file is wrong; nothing has been written.
        BadRunFolder: the output folder holds a run already, or another process is using it.
        LuthierError: the data or the model is not what the file says.
    """
    tree, name = _tree_of(run, overrides)
    resolved = _settled(tree, resolve(tree, name=name), "training")
    folder = RunFolder(resolved.output)
    if is_first():
        folder.require_clearable() if overwrite else folder.require_free()
    told = reporter or Reporter()
    told.say("run", str(folder.path))
    for note in resolved.notes:
        told.say("model", note)
    with folder.locked():
        if is_first():
            _begin(folder, resolved, overwrite=overwrite)
        try:
            execute(resolved, folder, told, resuming=False)
        except (LuthierError, KeyboardInterrupt):
            if is_first() and not folder.manifest.exists():
                bring_back(folder)  # before the first step there is nothing to go on with
            raise
    return folder


def _begin(folder: RunFolder, run: Run, *, overwrite: bool) -> None:
    """Make the folder of a new run, its run.yaml in it."""
    if overwrite:
        set_aside(folder)
    folder.require_free()  # another process may have trained here meanwhile
    write_text_whole(folder.run_file, annotated(run.tree))


def resume(
    path: str | Path,
    *,
    accept_changes: bool = False,
    trust_plugins: bool = False,
    reporter: Reporter | None = None,
) -> RunFolder:
    """Go on with a run that was interrupted, as if it never had been.

    Args:
        path: the run folder.
        accept_changes: go on though settings, data, plugin files or processes have changed.
        trust_plugins: let the plugin files that its run.yaml names be run.
        reporter: who is told of it.

    Raises:
        BadRunFolder: there is no run there, something of it has changed, or it is in use.
        LuthierError: as for `train`.
    """
    folder = RunFolder(Path(path).absolute())
    folder.require_run()
    told = reporter or Reporter()
    told.say("run", str(folder.path))
    with folder.locked():
        resolved = _stored_run(folder, trust_plugins=trust_plugins, purpose="training")
        if folder.model.is_dir():
            told.say("run", f"{path} has ended already; its model is {folder.model}")
            return folder
        execute(resolved, folder, told, resuming=True, accept_changes=accept_changes)
    return folder


def load(
    path: str | Path,
    overrides: Sequence[str] = (),
    *,
    trust_plugins: bool = False,
) -> Engine:
    """Return what answers conversations with a trained model.

    Args:
        path: a run folder, a folder that `save_pretrained` wrote, a Hub id or a built-in name.
        overrides: as on the command line, such as `generation.temperature=0`.
        trust_plugins: let the plugin files that the folder's run.yaml names be run.

    Raises:
        BadRunFolder: the run has not ended, so there is no model yet.
        BadModel: there is no model there.
    """
    run = run_to_serve(path, overrides, trust_plugins=trust_plugins)
    for note in run.notes:
        logger.warning("%s", note)
    with quiet_libraries():
        _, opened = opened_to_serve(run)
        manager = manager_of(run.selected)
        engine: Engine = first_answer(
            manager, "build_engine", opened=opened, generation=run.generation
        )
    return engine


def opened_to_serve(run: Run) -> tuple[LocatedModel, OpenModel]:
    """Return the model of a run that `run_to_serve` gave, on the run's device."""
    from luthier.core.model.opening import locate, model_spec, open_model

    located = locate(model_spec(run, training=False))
    opened = open_model(located, training=False)
    if not hasattr(opened.model, "hf_device_map"):  # else each layer is where it belongs
        opened.model.to({"rocm": "cuda"}.get(run.device.kind, run.device.kind))
    return located, opened


def load_tokenizer(path: str | Path) -> PreTrainedTokenizerBase:
    """Return the tokenizer of whatever `load` takes; no weights are loaded.

    Args:
        path: a run folder, a folder that `save_pretrained` wrote, a Hub id or a built-in name.

    Raises:
        BadModel: there is no tokenizer there.
    """
    from luthier.core.model.opening import locate, model_spec

    run = run_to_serve(path, (), trust_plugins=False)
    with quiet_libraries():
        return locate(model_spec(run, training=False)).tokenizer


def _tree_of(run: RunLike, overrides: Sequence[str]) -> tuple[Node, str]:
    if isinstance(run, Mapping):
        tree = node_of(dict(run), Place("run"))
        from luthier.core.runfile.reading import apply_overrides

        apply_overrides(tree, overrides)
        return tree, "run"
    path = Path(run)
    return read_tree(path, overrides), path.stem


def _settled(tree: Node, run: Run, purpose: Purpose) -> Run:
    """Return the run as torch's device and a hub's files have it, where either tells more."""
    folder = None
    if run.on_hub:
        require_no_misspelt_folder(run.model.path, run.model_base)
        with quiet_libraries():
            folder = fetched(run.model.hub, run.model.path, run.model.revision)
    device = present()
    if folder is None and device.traits == run.device.traits:
        return run
    return resolve(tree, name=run.output.name, device=device, fetched=folder, purpose=purpose)


def _stored_run(
    folder: RunFolder, overrides: Sequence[str] = (), *, trust_plugins: bool, purpose: Purpose
) -> Run:
    tree = read_tree(folder.run_file, overrides)
    plugins = tree.mapping.get("plugins")
    if plugins is not None and plugins.value not in (None, []) and not trust_plugins:
        names = ", ".join(str(node.value) for node in plugins.items or [plugins])
        raise BadRunFolder(
            f"this run was made with the plugin files {names}. "
            "If you trust them, run it with `--trust-plugins`."
        )
    tree.mapping["output"] = Node(str(folder.path), Place(str(folder.run_file)))
    return _settled(tree, resolve(tree, name=folder.path.name, purpose=purpose), purpose)


def run_to_serve(path: str | Path, overrides: Sequence[str], *, trust_plugins: bool) -> Run:
    """Return the run by which a trained model is opened; `load` tells of arguments and errors."""
    from luthier.core.runfile.reading import apply_overrides

    place = Place(str(path))
    folder = RunFolder(Path(path).absolute())
    folder.require_no_file()
    if not folder.run_file.is_file():
        tree = node_of({"model": _model_of(Path(path), str(path))}, place)
        apply_overrides(tree, overrides)
        return _settled(tree, resolve(tree, name="chat", purpose="inference"), "inference")
    if not folder.model.is_dir():
        raise BadRunFolder(
            f"the run in {path} has not ended, so there is no model yet. "
            f"Go on with it: `luthier resume {path}`."
        )
    tree = read_tree(folder.run_file)
    run = _stored_run(folder, overrides, trust_plugins=trust_plugins, purpose="inference")
    if not any((folder.model / name).is_file() for name in ("config.json", ADAPTER_CONFIG)):
        raise BadRunFolder(
            f"{folder.model} holds neither a config.json nor an {ADAPTER_CONFIG}, so it is no "
            f"model. Put it back from a copy, or delete it and go on: `luthier resume {path}`."
        )
    model, adapters = tree.mapping["model"], list[str]()
    if (folder.model / ADAPTER_CONFIG).is_file():
        beneath = run.model.adapters[: -1 if run.model.continue_adapter else None]
        adapters = [*beneath, str(folder.model)]
    else:
        model.mapping["path"] = node_of(str(folder.model), place)
    model.mapping["adapters"] = node_of(adapters, place)
    apply_overrides(tree, overrides)
    return _settled(tree, resolve(tree, name="chat", purpose="inference"), "inference")


def _model_of(path: Path, name: str) -> dict[str, Any]:
    """Return the model section for a path that is no run folder; an adapter brings its base."""
    config = path / ADAPTER_CONFIG
    if not config.is_file():
        return {"path": str(path.absolute()) if path.is_dir() else name}
    try:
        base = json.loads(config.read_text(encoding="utf-8")).get("base_model_name_or_path")
    except (ValueError, AttributeError) as fault:
        raise BadModel(
            f"{config} is no config of an adapter: {fault}. Save the adapter again."
        ) from fault
    if not base:
        raise BadModel(f"{config} names no base model. Add `base_model_name_or_path` to it.")
    return {"path": base, "adapters": [str(path.absolute())]}
