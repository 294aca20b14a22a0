"""Finding a chat template by its name."""

from __future__ import annotations

from luthier.core.errors import BrokenPlugin
from luthier.core.selection import plugin_of
from luthier.core.templates.template import ChatTemplate
from luthier.registry import Catalogue

KIND = "templates"


def load_template(name: str, catalogue: Catalogue | None = None) -> ChatTemplate:
    """Return an installed chat template.

    Args:
        name: its name, such as `chatml`; `luthier template list` lists them.
        catalogue: where to look; what is installed, if None.

    Raises:
        UnknownPlugin: there is none by that name.
        AmbiguousPlugin: two distributions offer it.
        BrokenPlugin: it cannot be imported, or is no ChatTemplate.
    """
    entry = (catalogue or Catalogue.installed()).find(KIND, name)
    template = plugin_of(entry)
    if not isinstance(template, ChatTemplate):
        raise BrokenPlugin(KIND, name, entry.distribution, "it is no instance of ChatTemplate")
    return template
