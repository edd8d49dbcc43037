"""Documents are in the order of their source keys, whether they had to be sorted or not."""

from __future__ import annotations

import pyarrow as pa
import pytest

from stages.transform.in_order import OutOfOrder, in_order


def batches(*parts: list[str]) -> list[pa.RecordBatch]:
    return [pa.RecordBatch.from_pydict({"_source_id": pa.array(p, pa.string())}) for p in parts]


@pytest.mark.parametrize(
    "parts", [[], [[]], [["a"]], [["10", "2"], [], ["é", "🎉"]], [["a"], ["b"]]]
)
def test_what_is_in_order_goes_through(parts: list[list[str]]) -> None:
    given = batches(*parts)
    assert list(in_order(given)) == given


@pytest.mark.parametrize(
    "parts", [[["2", "10"]], [["a", "a"]], [["a", "b"], ["b"]], [["b"], [], ["a"]]]
)
def test_what_is_not_is_noticed(parts: list[list[str]]) -> None:
    with pytest.raises(OutOfOrder):
        list(in_order(batches(*parts)))
