"""Parts are closed beside the reading: in order, one at a time, and no error is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from stages.extract.part_closer import PartCloser


def fail() -> None:
    raise OSError("the disk is full")


@pytest.fixture
def first() -> Future[None]:
    return Future()


@pytest.fixture
def closing(first: Future[None]) -> Iterator[PartCloser]:
    closer = PartCloser(first)
    yield closer
    if not first.done():
        first.set_result(None)
    closer.discard()


def test_tasks_are_done_in_order_after_the_first(closing: PartCloser, first: Future[None]) -> None:
    done: list[int] = []
    closing.submit(lambda: done.append(1))
    assert done == []
    first.set_result(None)
    for number in (2, 3):
        closing.submit(lambda number=number: done.append(number))  # type: ignore[misc]
    closing.end()
    assert done == [1, 2, 3]


def test_the_next_task_waits_and_the_reader_with_it(
    closing: PartCloser, first: Future[None]
) -> None:
    first.set_result(None)
    go_on, submitted = threading.Event(), threading.Event()
    closing.submit(lambda: None if go_on.wait(10) else fail())

    def submit() -> None:
        closing.submit(submitted.set)

    reader = threading.Thread(target=submit)
    reader.start()
    assert not submitted.wait(0.05)
    go_on.set()
    reader.join()
    closing.end()
    assert submitted.is_set()


@pytest.mark.parametrize("then", ["submit", "end"])
def test_an_error_is_raised_by_what_comes_next(
    closing: PartCloser, first: Future[None], then: str
) -> None:
    first.set_result(None)
    closing.submit(fail)
    with pytest.raises(OSError, match="the disk is full"):
        closing.submit(fail) if then == "submit" else closing.end()
    closing.end()  # said once


def test_nothing_is_closed_where_the_first_has_failed(
    closing: PartCloser, first: Future[None]
) -> None:
    done: list[int] = []
    first.set_exception(ValueError("no views"))
    closing.submit(lambda: done.append(1))
    with pytest.raises(ValueError, match="no views"):
        closing.end()
    assert done == []
