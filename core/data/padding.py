"""The nulls that tables put into structs, taken out again.

A struct of Arrow or Parquet has the same members in every row: one that a row never had is null
there. Nobody can tell it from one that a row did write as null, and rows of JSON rarely do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

Change = Callable[[Any], Any]


def unpadded(schema: pa.Schema) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return what takes the members of structs that are null out of a table's rows.

    A column that is null stays, and so does what the text of a column says.

    Args:
        schema: the columns of the table.
    """
    found = {field.name: _change(field.type) for field in schema}
    changes = {name: change for name, change in found.items() if change is not None}

    def change_row(row: dict[str, Any]) -> dict[str, Any]:
        if not changes:
            return row
        return {
            name: changes[name](value) if name in changes and value is not None else value
            for name, value in row.items()
        }

    return change_row


def _change(kind: pa.DataType) -> Change | None:
    """Return what takes nulls out of values of a type; None where it holds no struct."""
    from pyarrow import types

    if types.is_struct(kind):
        members = {field.name: _change(field.type) for field in kind}

        def change_struct(value: Any) -> Any:
            return {
                name: member if (change := members[name]) is None else change(member)
                for name, member in value.items()
                if member is not None
            }

        return change_struct
    lists = (types.is_list, types.is_large_list, types.is_fixed_size_list)
    if any(is_one(kind) for is_one in lists) and (change := _change(kind.value_type)) is not None:
        return lambda values: [value if value is None else change(value) for value in values]
    return None
