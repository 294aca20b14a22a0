"""The data: rows of a source, as conversations, as token ids, as batches.

What a source, a format or a stage needs of it stands here.
"""

from luthier.core.data.dataset import BadRow, BadSource, DatasetSpec
from luthier.core.data.rows import Rows
from luthier.core.data.standard import (
    Aligned,
    BadValue,
    Conversation,
    Judged,
    Preference,
    StandardRow,
    Text,
    Tokens,
    aligned,
)

__all__ = [
    "Aligned",
    "BadRow",
    "BadSource",
    "BadValue",
    "Conversation",
    "DatasetSpec",
    "Judged",
    "Preference",
    "Rows",
    "StandardRow",
    "Text",
    "Tokens",
    "aligned",
]
