"""Pauses between tries, and who ends them."""

from __future__ import annotations

import threading

import pytest

from stages.errors import Stopped, Transient
from stages.retry import Backoff, Threads, pause, retrying

# Longer than any test waits.
FOREVER = Backoff(first=10_000, longest=10_000)
WAITED = 60


def _refuse() -> None:
    raise Transient("overloaded")


@pytest.mark.parametrize("signal", [KeyboardInterrupt(), RuntimeError("Query interrupted")])
def test_a_signal_ends_the_pause_of_a_retry_in_every_thread(signal: BaseException) -> None:
    """Also in a thread that a thread of ours has started."""
    pausing = threading.Semaphore(0)

    def retry() -> None:
        retrying(_refuse, FOREVER, lambda error, delay: pausing.release())

    def nested() -> None:
        with Threads(1) as inner:
            inner.submit(retry).result()

    futures = []

    def interrupted() -> None:
        with Threads(3) as pool:
            futures.extend([pool.submit(retry), pool.submit(nested)])
            pausing.acquire()
            pausing.acquire()
            raise signal

    with pytest.raises(type(signal)):
        interrupted()
    for future in futures:
        assert isinstance(future.exception(WAITED), Transient)


def test_what_a_rate_delays_is_not_sent_after_a_signal() -> None:
    with Threads(1) as pool:
        future = pool.submit(pause, 10_000.0)
        pool.give_up()
        assert isinstance(future.exception(WAITED), Stopped)


def test_any_other_error_lets_what_is_under_way_end() -> None:
    attempts = []

    def second_time() -> str:
        attempts.append(1)
        if len(attempts) == 1:
            raise Transient("overloaded")
        return "done"

    futures = []
    with pytest.raises(ValueError), Threads(1) as pool:
        futures.append(pool.submit(retrying, second_time, Backoff(first=0.01)))
        raise ValueError
    assert futures[0].result() == "done"
