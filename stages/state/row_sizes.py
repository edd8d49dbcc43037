"""Sizes of rows in bytes, computed column by column, to find where a row group ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def running_sizes(table: pa.Table) -> pa.Array:
    """For each row, the bytes of all rows up to and including it; computed column by column."""
    import pyarrow as pa
    import pyarrow.compute as pc

    fixed = 0
    total = pa.nulls(table.num_rows, pa.int64()).fill_null(0)
    for column in table.combine_chunks().columns:
        if not column.num_chunks:
            continue
        array = column.chunk(0)
        if isinstance(array.type, pa.BaseExtensionType):
            array = array.storage
        if pa.types.is_list(array.type):
            total = pc.add(total, _ends_of_items(array))
        elif pa.types.is_string(array.type) or pa.types.is_binary(array.type):
            total = pc.add(total, _ends(array))
        else:
            fixed += max(array.type.bit_width // 8, 1)
    rows = pc.cumulative_sum(pa.nulls(table.num_rows, pa.int64()).fill_null(fixed))
    return pc.add(total, rows)


def _offsets(array: pa.Array) -> pa.Array:
    """Where the values of a variable-length column begin, and the last one ends."""
    import pyarrow as pa

    buffers = [None, array.buffers()[1]]
    return pa.Array.from_buffers(pa.int32(), len(array) + 1, buffers, offset=array.offset)


def _ends(array: pa.Array) -> pa.Array:
    """Where each value ends, relative to the start of the column."""
    import pyarrow as pa
    import pyarrow.compute as pc

    offsets = _offsets(array)
    return pc.subtract(offsets.slice(1), offsets[0]).cast(pa.int64())


def _ends_of_items(lists: pa.Array) -> pa.Array:
    """The same for lists, in bytes of their items."""
    import pyarrow as pa
    import pyarrow.compute as pc

    items = lists.values
    if not (pa.types.is_string(items.type) or pa.types.is_binary(items.type)):
        return pc.multiply(_ends(lists), max(items.type.bit_width // 8, 1))
    at_ends = _offsets(items).take(_offsets(lists))
    return pc.subtract(at_ends.slice(1), at_ends[0]).cast(pa.int64())
