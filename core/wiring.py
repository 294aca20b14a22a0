"""Plugin managers. Every scope of a run gets one by the same function, with its plugins alone."""

from __future__ import annotations

import functools
import heapq
import inspect
from collections.abc import Callable, Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple

import pluggy

from luthier.core import hooks
from luthier.core.errors import BrokenPlugin, NoAnswer, TwoOwners
from luthier.core.plugin import Plugin
from luthier.registry import Entry


class Selected(NamedTuple):
    """A plugin that a run file chose: its options are set, it has been checked."""

    kind: str
    name: str
    plugin: Plugin
    entry: Entry
    specs: tuple[Any, ...] = ()
    """Hook specifications that plugin-made kinds add to luthier's own."""

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


class Step(NamedTuple):
    """One implementation of a hook, and whose it is."""

    owner: str
    plugin: Plugin
    call: Callable[..., Any]


STEPPED = frozenset({"plan_load", "patch_model", "wrap_attention"})
"""The hooks whose implementations core calls one by one, so that none can wrap the others."""


class _Manager(pluggy.PluginManager):
    """Looks for hooks in a plugin's class: pluggy would read each property of the instance."""

    def parse_hookimpl_opts(self, plugin: object, name: str) -> pluggy.HookimplOpts | None:
        """Return what `@hookimpl` was given, or None for what is no hook."""
        if not hooks.is_marked(inspect.getattr_static(type(plugin), name, None)):
            return None
        return super().parse_hookimpl_opts(plugin, name)


def manager_of(plugins: Iterable[Selected]) -> pluggy.PluginManager:
    """Return a manager that holds `plugins` and no other.

    An exception that leaves a hook bears a note with the plugin, its version and the hook.

    Args:
        plugins: the plugins of one scope, such as one model slot or one dataset.

    Raises:
        BrokenPlugin: a hook's name or signature is not one of the specifications'.
    """
    manager = _Manager(hooks.PROJECT)
    chosen_plugins = list(plugins)
    added = [spec for chosen in chosen_plugins for spec in chosen.specs]
    for module in dict.fromkeys((hooks, *added)):
        manager.add_hookspecs(module)
    for chosen in chosen_plugins:
        _register(manager, chosen)
    return manager


def _register(manager: pluggy.PluginManager, chosen: Selected) -> None:
    try:
        manager.register(chosen.plugin, name=str(chosen))
        manager.check_pending()
    except pluggy.PluginValidationError as fault:
        reason = " ".join(str(fault).split())
        raise BrokenPlugin(chosen.kind, chosen.name, chosen.entry.distribution, reason) from fault
    for caller in manager.get_hookcallers(chosen.plugin) or ():
        for implementation in caller.get_hookimpls():
            if implementation.plugin is chosen.plugin:
                _refuse_wrapper(implementation, chosen, caller.name)
                implementation.function = _signed(  # type: ignore[misc]
                    implementation.function, chosen, caller.name
                )


def _refuse_wrapper(implementation: pluggy.HookImpl, chosen: Selected, hook: str) -> None:
    if hook in STEPPED and (implementation.wrapper or implementation.hookwrapper):
        reason = f"core calls each {hook} by itself, so none can be a wrapper of the others"
        raise BrokenPlugin(chosen.kind, chosen.name, chosen.entry.distribution, reason)


def _signed(function: Callable[..., Any], chosen: Selected, hook: str) -> Callable[..., Any]:
    """Return `function`, with a note on what it raises that says whose hook it was."""

    @functools.wraps(function)
    def signed(*args: Any) -> Any:
        try:
            return function(*args)
        except Exception as fault:
            entry = chosen.entry
            fault.add_note(f"raised in {hook} of {chosen} ({entry.distribution} {entry.version})")
            raise

    return signed


def first_answer(manager: pluggy.PluginManager, hook: str, **arguments: Any) -> Any:
    """Return the first answer to a hook that must be answered.

    Raises:
        NoAnswer: no plugin of this scope answers it; those asked are named.
    """
    answer = getattr(manager.hook, hook)(**arguments)
    if answer is None:
        asked = ", ".join(name for name, _ in manager.list_name_plugin()) or "no plugin at all"
        raise NoAnswer(
            f"nothing answered {hook!r}; asked were: {asked}. "
            "Choose a plugin whose page lists that hook: `luthier plugins show KIND NAME`."
        )
    return answer


def steps(manager: pluggy.PluginManager, hook: str) -> Iterator[Step]:
    """Yield the implementations of a hook in the order of their `after` and `before` traits.

    Among those that no trait orders, the order of the run file holds. pluggy alone would call
    the last registered first.

    Raises:
        TwoOwners: the declared order runs in a circle.
    """
    caller = getattr(manager.hook, hook)
    # pluggy keeps first what is called last; `tryfirst` and `trylast` mean here what they say
    impls = sorted(caller.get_hookimpls(), key=lambda i: i.trylast - i.tryfirst)
    found = [Step(i.plugin_name, i.plugin, functools.partial(_call, i)) for i in impls]
    graph: TopologicalSorter[int] = TopologicalSorter(dict.fromkeys(range(len(found)), ()))
    for n, step in enumerate(found):
        for m, other in enumerate(found):
            if n != m and step.plugin.after & other.plugin.traits:
                graph.add(n, m)
            if n != m and step.plugin.before & other.plugin.traits:
                graph.add(m, n)
    try:
        graph.prepare()
    except CycleError as circle:
        names = " -> ".join(found[n].owner for n in circle.args[1])
        raise TwoOwners(
            f"the order of {hook!r} runs in a circle: {names}. Leave one out."
        ) from None
    # of those that may come next, the first of the file does
    ready = list(graph.get_ready())
    while ready:
        heapq.heapify(ready)
        number = heapq.heappop(ready)
        yield found[number]
        graph.done(number)
        ready += graph.get_ready()


def _call(implementation: pluggy.HookImpl, **arguments: Any) -> Any:
    return implementation.function(*(arguments[name] for name in implementation.argnames))


def hooks_of(plugin: type[Plugin] | Plugin) -> list[str]:
    """Return the names of the hooks that a plugin answers, in alphabetical order."""
    cls = plugin if isinstance(plugin, type) else type(plugin)
    members = inspect.getmembers(cls, inspect.isfunction)
    marked = {
        name: getattr(f, f"{hooks.PROJECT}_impl") for name, f in members if hooks.is_marked(f)
    }
    return sorted(options["specname"] or name for name, options in marked.items())
