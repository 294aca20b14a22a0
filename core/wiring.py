"""Plugin managers. Every scope of a run gets one by the same function, with its plugins alone."""

from __future__ import annotations

import functools
import heapq
import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from types import ModuleType
from typing import Any, NamedTuple, cast

import pluggy

from luthier.core import hooks
from luthier.core.errors import NoAnswer, TwoOwners
from luthier.core.plugin import Need, Plugin, Refusal
from luthier.registry import Entry
from luthier.registry.errors import nearest


class Selected(NamedTuple):
    """A plugin that a run file chose: its options are set, it has been checked."""

    kind: str
    name: str
    plugin: Plugin
    entry: Entry
    specs: tuple[Any, ...] = ()
    """Hook specifications that plugin-made kinds add to luthier's own."""
    number: int = 1
    """Which it is of those that a list names alike, where its kind allows that."""

    def __str__(self) -> str:
        number = f" ({self.number})" if self.number > 1 else ""
        return f"{self.kind}/{self.name}{number}"

    @property
    def traits(self) -> frozenset[str]:
        """What others may refuse or need of it, as its options are set."""
        return self.plugin.traits | self.plugin.traits_of_options()

    @property
    def refuses(self) -> tuple[Refusal, ...]:
        """What it cannot be combined with, as its options are set."""
        own = self.plugin.rules_of_options()
        return (*self.plugin.refuses, *(one for one in own if isinstance(one, Refusal)))

    @property
    def needs(self) -> tuple[Need, ...]:
        """What it cannot do without, as its options are set."""
        own = self.plugin.rules_of_options()
        return (*self.plugin.needs, *(one for one in own if isinstance(one, Need)))


class Step(NamedTuple):
    """One implementation of a hook, and whose it is."""

    owner: str
    plugin: Plugin
    call: Callable[..., Any]


STEPPED = frozenset({"build_reward", "check_layers", "patch_model", "plan_load", "wrap_attention"})
"""The hooks whose implementations are called one by one, so that none can wrap the others."""


class _Manager(pluggy.PluginManager):
    """Asks in luthier's order, and looks for hooks in a plugin's class.

    pluggy alone would ask the last registered first, and take most of the time of `luthier check`
    to look at all that a class inherits from pydantic.
    """

    def _hookexec(
        self,
        hook_name: str,
        methods: Sequence[pluggy.HookImpl],
        kwargs: Mapping[str, object],
        firstresult: bool,  # noqa: FBT001 - as pluggy calls it
    ) -> object | list[object]:
        # pluggy begins with the last of those that it is given
        ordered = _in_order(self, hook_name, methods)[::-1]
        return super()._hookexec(hook_name, ordered, kwargs, firstresult)

    def parse_hookimpl_opts(self, plugin: object, name: str) -> pluggy.HookimplOpts | None:
        """Return what `@hookimpl` was given, or None for what is no hook."""
        return _marked(type(cast("Plugin", plugin))).get(name)

    def parse_hookspec_opts(
        self, module_or_class: ModuleType | type, name: str
    ) -> pluggy.HookspecOpts | None:
        """Return what `@hookspec` was given, or None for what is no specification."""
        return getattr(getattr(module_or_class, name), f"{hooks.PROJECT}_spec", None)


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
    if reason := next(_faults_of_hooks(manager, chosen.plugin), None):
        raise chosen.entry.broken(reason)
    try:
        manager.register(chosen.plugin, name=str(chosen))
        manager.check_pending()
    except pluggy.PluginValidationError as fault:
        raise chosen.entry.broken(" ".join(str(fault).split())) from fault
    for caller in manager.get_hookcallers(chosen.plugin) or ():
        for implementation in caller.get_hookimpls():
            if implementation.plugin is chosen.plugin:
                _refuse_wrapper(implementation, chosen, caller.name)
                implementation.function = _signed(  # type: ignore[misc]
                    implementation.function, chosen, caller.name
                )


def _faults_of_hooks(manager: pluggy.PluginManager, plugin: Plugin) -> Iterator[str]:
    """Yield what is wrong with the names and the arguments of a plugin's hooks."""
    for member, options in _marked(type(plugin)).items():
        hook = options["specname"] or member
        spec = getattr(getattr(manager.hook, hook, None), "spec", None)
        if spec is not None:
            given = ", ".join(spec.argnames) or "nothing"
            for name in _arguments_of(getattr(plugin, member)):
                if name not in spec.argnames:
                    meant = nearest(name, spec.argnames)
                    yield f"its {hook} takes {name!r}. {meant}It is given: {given}"
        elif not options["optionalhook"]:
            meant = nearest(hook, vars(manager.hook))
            yield f"there is no hook {hook!r}. {meant}All hooks stand in luthier.core.hooks"


def _arguments_of(function: Callable[..., Any]) -> list[str]:
    """Return the names of the arguments that a hook cannot be called without."""
    parameters = inspect.signature(function).parameters.values()
    return [
        one.name
        for one in parameters
        if one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD
    ]


def _refuse_wrapper(implementation: pluggy.HookImpl, chosen: Selected, hook: str) -> None:
    if hook in STEPPED and (implementation.wrapper or implementation.hookwrapper):
        reason = f"core calls each {hook} by itself, so none can be a wrapper of the others"
        raise chosen.entry.broken(reason)


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


def steps(manager: pluggy.PluginManager, hook: str) -> list[Step]:
    """Return the implementations of a hook in the order in which they are asked.

    Raises:
        TwoOwners: the order that their traits declare runs in a circle.
    """
    ordered = _in_order(manager, hook, getattr(manager.hook, hook).get_hookimpls())
    return [Step(i.plugin_name, _plugin_of(i), functools.partial(_call, i)) for i in ordered]


def is_answered(manager: pluggy.PluginManager, hook: str) -> bool:
    """Return whether a plugin answers a hook; a wrapper has nothing of its own to say."""
    return not all(map(_is_wrapper, getattr(manager.hook, hook).get_hookimpls()))


def _plugin_of(implementation: pluggy.HookImpl) -> Plugin:
    return cast("Plugin", implementation.plugin)


def _is_wrapper(implementation: pluggy.HookImpl) -> bool:
    return implementation.wrapper or implementation.hookwrapper


def _in_order(
    manager: pluggy.PluginManager, hook: str, implementations: Sequence[pluggy.HookImpl]
) -> list[pluggy.HookImpl]:
    """Return implementations in the order that `luthier.core.hooks` tells of.

    Raises:
        TwoOwners: the order that their traits declare runs in a circle.
    """
    registered = [plugin for _, plugin in manager.list_name_plugin()]
    own = f"{hooks.ANSWERED_BY.get(hook, '')}/"

    def rank(one: pluggy.HookImpl) -> tuple[bool, int, bool, int]:
        is_own = one.plugin_name.startswith(own)
        number = registered.index(one.plugin)
        return not _is_wrapper(one), one.trylast - one.tryfirst, is_own, number

    ranked = sorted(implementations, key=rank)
    wrappers = sum(map(_is_wrapper, ranked))
    return ranked[:wrappers] + _as_traits_say(ranked[wrappers:], hook)


def _as_traits_say(found: list[pluggy.HookImpl], hook: str) -> list[pluggy.HookImpl]:
    """Return implementations in the order of their plugins' `after` and `before` traits.

    Raises:
        TwoOwners: that order runs in a circle.
    """
    graph: TopologicalSorter[int] = TopologicalSorter(dict.fromkeys(range(len(found)), ()))
    for (n, one), (m, other) in itertools.permutations(enumerate(map(_plugin_of, found)), 2):
        if one.after & other.traits:
            graph.add(n, m)
        if one.before & other.traits:
            graph.add(m, n)
    try:
        graph.prepare()
    except CycleError as circle:
        names = " -> ".join(found[n].plugin_name for n in circle.args[1])
        raise TwoOwners(
            f"the order of {hook!r} runs in a circle: {names}. Leave one out."
        ) from None
    ordered: list[pluggy.HookImpl] = []
    # of those that may come next, the first does that came first before
    ready = list(graph.get_ready())
    while ready:
        heapq.heapify(ready)
        number = heapq.heappop(ready)
        ordered.append(found[number])
        graph.done(number)
        ready += graph.get_ready()
    return ordered


def _call(implementation: pluggy.HookImpl, **arguments: Any) -> Any:
    return implementation.function(*(arguments[name] for name in implementation.argnames))


def hooks_of(plugin: type[Plugin] | Plugin) -> list[str]:
    """Return the names of the hooks that a plugin answers, in alphabetical order."""
    cls = plugin if isinstance(plugin, type) else type(plugin)
    return sorted(options["specname"] or name for name, options in _marked(cls).items())


@functools.cache
def _marked(cls: type[Plugin]) -> dict[str, pluggy.HookimplOpts]:
    """Return the methods of a class that bear `@hookimpl`, and what it was given.

    A class is looked at once, though dozens of managers of a run may hold its plugins.
    """
    members = ((name, inspect.getattr_static(cls, name)) for name in dir(cls))
    return {name: getattr(f, f"{hooks.PROJECT}_impl") for name, f in members if hooks.is_marked(f)}
