"""Pace: what makes batches and flight grow and shrink, and the limit a second."""

from __future__ import annotations

import pytest

from stages.convex.ledger_ops import LEDGER_ROW_BYTES
from stages.errors import UserError
from stages.load.pace import Pace, Rate, read_rate


class Clock:
    """A time that passes only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def paced(clock: Clock, **fields: object) -> Pace:
    return Pace(clock=clock, sleep=clock.sleep, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ((), Rate()),
        (("2MiB",), Rate(bytes=2 * 2**20)),
        (("512 KiB/s",), Rate(bytes=512 * 2**10)),
        (("500docs", "1.5MiB"), Rate(bytes=1.5 * 2**20, documents=500)),
    ],
)
def test_a_rate_is_read(texts: tuple[str, ...], expected: Rate) -> None:
    assert read_rate(texts) == expected


@pytest.mark.parametrize("texts", [("2",), ("0docs",), ("2MB",), ("2MiB", "3MiB"), ("-1docs",)])
def test_a_rate_that_is_none_is_refused(texts: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match="--max-rate"):
        read_rate(texts)


def test_documents_a_second() -> None:
    clock = Clock()
    pace = paced(clock, rate=Rate(documents=500))
    for _ in range(11):
        pace.wait(100, 1)
    assert clock.now == pytest.approx(102.0)


def test_bytes_a_second_count_the_ledger() -> None:
    clock = Clock()
    pace = paced(clock, rate=Rate(bytes=1000 * (400 + LEDGER_ROW_BYTES), documents=10_000))
    for _ in range(6):
        pace.wait(100, 40_000)
    assert clock.now == pytest.approx(100.5)


def test_without_a_limit_nobody_waits() -> None:
    clock = Clock()
    for _ in range(100):
        paced(clock).wait(1000, 10**7)
    assert clock.now == 100.0


def test_flight_grows_by_one_and_shrinks_by_half() -> None:
    clock = Clock()
    pace = paced(clock)
    for _ in range(40):
        pace.took(100, 0.1)
    assert pace.in_flight == pace.most_in_flight == 16
    # Sixteen that flew together are refused together: that is one piece of news.
    assert [pace.refused() for _ in range(16)] == [True] + [False] * 15
    assert pace.in_flight == 8
    clock.now += 1
    assert pace.refused()
    assert pace.in_flight == 4
    pace.took(100, 0.1)
    assert pace.in_flight == 5


def test_the_servers_own_wish_is_kept_by_all() -> None:
    clock = Clock()
    pace = paced(clock)
    pace.refused(retry_after=7)
    pace.wait(1, 1)
    assert clock.now == 107.0


def test_batches_follow_the_time_that_they_take_and_limits() -> None:
    pace = paced(Clock())
    assert pace.documents == 100
    pace.took(100, 0.1)
    assert pace.documents == 151
    pace.took(20, 0.1)  # a rest says nothing
    assert pace.documents == 151
    for _ in range(9):
        pace.took(pace.documents, 0.1)
    assert pace.documents == 1000
    pace.took(1000, 0.9)
    assert pace.documents == 500
    pace.too_much(64)
    assert pace.documents == 32
    for _ in range(9):
        pace.too_much(1)
    assert pace.documents == 1
