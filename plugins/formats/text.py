"""Plain text: rows of a document, which pretraining goes on with."""

from __future__ import annotations

from typing import Any, ClassVar

from luthier.core.data import Text
from luthier.plugins.formats.columns import RowFormat


class PlainText(RowFormat):
    """Rows of a text, all of which is learned."""

    column: str = "text"
    """The column of the text."""

    called: ClassVar = "text"

    def standard(self, row: dict[str, Any]) -> Text:
        """Return the text of a row."""
        return Text(self.filled(row, "column", "there is nothing to learn"))
