"""Chat templates: a conversation as pieces of text, each with its part in the loss.

Special tokens are pieces of their own (paper, appendix C), so text that a user typed can never
become one. The same object renders for training, preview, chat and export, writes the Jinja that
is saved with a model, and reads what a model answers.
"""

from luthier.core.templates.catalogue import load_template
from luthier.core.templates.encoding import IGNORED, Encoded
from luthier.core.templates.foreign import JinjaTemplate
from luthier.core.templates.messages import Message
from luthier.core.templates.pieces import Piece, Rendered
from luthier.core.templates.reading import Event, Reader, Reply
from luthier.core.templates.template import ChatTemplate, Thinking
from luthier.core.templates.tokenizing import special_id
from luthier.core.templates.tools import TableSeven, ToolCall, ToolStyle

__all__ = [
    "IGNORED",
    "ChatTemplate",
    "Encoded",
    "Event",
    "JinjaTemplate",
    "Message",
    "Piece",
    "Reader",
    "Rendered",
    "Reply",
    "TableSeven",
    "Thinking",
    "ToolCall",
    "ToolStyle",
    "load_template",
    "special_id",
]
