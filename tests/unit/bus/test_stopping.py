"""The request to stop, made from signal handlers."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

from tradewind.bus.stopping import StopEvent

# Every call that `set` makes, and the wait in the main thread, is interrupted by another signal.
STORM = """
import signal, sys
from tradewind.bus.stopping import StopEvent

stop, left = StopEvent(), 20
signal.signal(signal.SIGTERM, lambda *_: stop.set())

def interrupt(*_):
    global left
    if left:
        left -= 1
        signal.raise_signal(signal.SIGTERM)

sys.setprofile(interrupt)
signal.raise_signal(signal.SIGTERM)
assert stop.wait(60)
sys.setprofile(None)
print(left)
"""


def test_signals_on_top_of_each_other_do_not_wait_for_each_other() -> None:
    done = subprocess.run([sys.executable, "-c", STORM], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr


def test_whoever_waits_is_woken_at_once_and_everybody_is() -> None:
    stop = StopEvent()
    woken: list[bool] = []
    threads = [threading.Thread(target=lambda: woken.append(stop.wait(60))) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert not stop.wait(0.05)
    began = time.monotonic()
    stop.set()
    for thread in threads:
        thread.join(30)
    assert woken == [True] * 3
    assert time.monotonic() - began < 30
    assert stop.wait() is True
    assert stop.is_set()


def test_it_can_be_set_more_often_than_a_pipe_has_room() -> None:
    stop = StopEvent()
    for _ in range(100_000):
        stop.set()
    assert stop.is_set()
