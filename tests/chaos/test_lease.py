"""One writer per account, with real processes: an executor that was stopped past its lease sends nothing any more."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.chaos.rig import Rig
from tradewind.execution.executor.lease import FileLease, LeaseLostError
from tradewind.execution.process import StoppedError

LEASE_S = 2.0


def by_intent(rig: Rig) -> Counter[str]:
    """Venue orders per (intent, slice): the client order id is derived from them."""
    return Counter(order["client_order_id"] for order in rig.venue_orders())


def test_stopped_past_its_lease_with_a_successor_alive_it_sends_no_order(tmp_path: Path) -> None:
    with Rig(tmp_path, lease_s=LEASE_S) as rig:
        first, second = rig.executor("first"), rig.executor("second")
        first.start()
        intents = {rig.want("AAPL", 10)}
        rig.until("the first order", lambda: rig.settled(intents))
        second.spawn()  # waits for its turn
        time.sleep(2 * LEASE_S)
        assert second.ended is None
        first.send(signal.SIGSTOP)
        intents.add(rig.want("MSFT", 5))  # the stopped one may have it in hand already, or find it when it wakes
        second.ready()
        rig.until("the successor's order", lambda: rig.settled(intents))
        orders = by_intent(rig)
        first.send(signal.SIGCONT)
        assert first.wait() == 1
        assert "the lease in" in first.log.read_text()
        rig.quote({"AAPL": 101, "MSFT": 101})
        intents.add(rig.want("AAPL", 4))
        rig.until("business as usual", lambda: rig.settled(intents))
        after = by_intent(rig)
        assert len(orders) == 2
        assert len(after) == 3
        assert set(after.values()) == {1}
        assert (rig.venue_position("AAPL"), rig.venue_position("MSFT")) == (4, 5)
        second.stop()


def test_a_process_says_where_its_threads_are_and_goes_on(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        executor = rig.executor()
        executor.start()
        executor.send(signal.SIGUSR1)
        # The signal may find the loop, or the line before it that says "ready": both run under this function.
        rig.until("the stack of its main thread", lambda: "in run_until_signalled" in executor.log.read_text())
        intents = {rig.want("AAPL", 10)}
        rig.until("an order", lambda: rig.settled(intents))


def test_a_pause_that_nobody_used_ends_with_a_reconciliation(tmp_path: Path) -> None:
    with Rig(tmp_path, lease_s=LEASE_S) as rig:
        only = rig.executor()
        only.start()
        # Which of its threads wakes first is the scheduler's: its keeper may renew before the engine sees the lapse.
        deadline = time.monotonic() + 60
        while "held again" not in only.log.read_text():
            assert time.monotonic() < deadline, rig.logs()
            only.send(signal.SIGSTOP)
            time.sleep(2 * LEASE_S)
            only.send(signal.SIGCONT)
            time.sleep(LEASE_S)  # to see it, and to reconcile
        rig.quote({"AAPL": 100})
        intents = {rig.want("AAPL", 3)}
        rig.until("the order", lambda: rig.settled(intents))
        assert rig.venue_position("AAPL") == 3
        texts = [r["text"] for r in rig.records("alert")]
        assert any("lease is lost" in text for text in texts)
        only.stop()


def test_the_death_of_a_holder_is_known_at_once(tmp_path: Path) -> None:
    with Rig(tmp_path, lease_s=600.0) as rig:
        first = rig.executor()
        first.start()
        first.kill()
        began = time.monotonic()
        first.start()
        assert time.monotonic() - began < 60
        first.stop()


# ---- the lease by itself, with a clock of the test's own ------------------------------------------------------------


class Clock:
    now = 1_000 * 10**9

    def __call__(self) -> int:
        return self.now


def soon() -> threading.Event:
    """Gives up after a moment."""
    event = threading.Event()
    threading.Timer(0.5, event.set).start()
    return event


def test_a_successor_waits_for_the_deadline_and_the_send_time_out(tmp_path: Path) -> None:
    clock = Clock()
    first, second = (FileLease(tmp_path, 10, 5, clock) for _ in range(2))
    until = first.acquire(threading.Event())
    assert until == clock.now + 10 * 10**9
    clock.now = until + 5 * 10**9 - 1
    with pytest.raises(StoppedError):
        second.acquire(soon())
    clock.now += 1
    assert second.acquire(threading.Event()) == clock.now + 10 * 10**9
    assert second.token > first.token
    with pytest.raises(LeaseLostError):
        first.renew()


def test_a_renewal_after_the_deadline_holds_when_nobody_came(tmp_path: Path) -> None:
    clock = Clock()
    lease = FileLease(tmp_path, 10, 5, clock)
    clock.now = lease.acquire(threading.Event()) + 1000 * 10**9
    assert lease.renew() == clock.now + 10 * 10**9


def test_a_successor_that_waits_does_not_end_the_lease(tmp_path: Path) -> None:
    clock = Clock()
    first, second, third = (FileLease(tmp_path, 10, 5, clock) for _ in range(3))
    first.acquire(threading.Event())
    for other in (second, third):
        with pytest.raises(StoppedError):
            other.acquire(soon())
    clock.now += 9 * 10**9
    assert first.renew() == clock.now + 10 * 10**9


def test_of_many_successors_one_has_the_lease(tmp_path: Path) -> None:
    clock = Clock()
    gone = FileLease(tmp_path, 10, 5, clock)
    gone.acquire(threading.Event())
    gone.release()
    leases = [FileLease(tmp_path, 10, 5, clock) for _ in range(8)]
    won: list[FileLease] = []

    def run(lease: FileLease, stop: threading.Event) -> None:
        try:
            lease.acquire(stop)
            won.append(lease)
        except StoppedError:
            pass

    stop = threading.Event()
    threads = [threading.Thread(target=run, args=(lease, stop)) for lease in leases]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 60
    while not won:
        assert time.monotonic() < deadline, "nobody has the lease"
        time.sleep(0.01)
    time.sleep(1)  # for whoever would have it as well
    stop.set()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert won[0].renew() == clock.now + 10 * 10**9
