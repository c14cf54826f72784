"""The durable books: what is read back is what was written, and damage is found before anything trades on it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tradewind.execution.venue import core, queries
from tradewind.execution.venue.books import Books, BooksError
from tradewind.execution.venue.changes import Changes
from tradewind.execution.venue.config import VenueConfig
from tradewind.execution.venue.rejections import Rejection
from tradewind.execution.venue.service import Service
from tradewind.execution.venue.session import advance
from tradewind.execution.venue.state import State

ONE = 10**8
STEP = 60 * 10**9


def step(state: State, number: int) -> Any:
    bar = {
        "symbol": "AAPL",
        "open_time": (number - 1) * STEP,
        "event_time": number * STEP,
        **dict.fromkeys(("open", "high", "low", "close"), 100 * ONE + number * ONE),
        "volume": 100,
    }
    return advance(state, {"time": number * STEP, "bars": [bar], "session_end": number % 2 == 0})


def order(qty: int, **more: Any) -> dict[str, Any]:
    return {"symbol": "AAPL", "qty": qty, "side": "buy", "type": "market", "time_in_force": "gtc", **more}


def open_service(folder: Path) -> Service:
    books = Books(folder)
    try:
        return Service(VenueConfig(state_dir=folder, symbols=("AAPL",)), books, "AK", "secret")
    except BooksError:
        books.close()
        raise


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """Books with a filled, a partially filled, a replaced and a resting order; a step trades ten shares at most."""
    service = open_service(tmp_path)
    await service.change(lambda state: step(state, 1))
    await service.change(lambda state: core.submit(state, order(4, client_order_id="filled"), service.now()))
    await service.change(lambda state: core.submit(state, order(9), service.now()))
    await service.change(lambda state: step(state, 2))
    limited = order(3, type="limit", limit_price="90.5")
    resting = await service.change(lambda state: core.submit(state, limited, service.now()))
    await service.change(lambda state: core.replace(state, str(resting["id"]), {"limit_price": 91}, service.now()))
    yield service
    service.books.close()


def seen(service: Service) -> list[Any]:
    state = service.state
    return [
        queries.sim_state(state),
        queries.account_view(state),
        queries.list_orders(state, {"status": "all"}),
        queries.list_positions(state),
        queries.list_activities(state, {}, None),
        queries.portfolio_history(state, {"period": "1A"}),
        queries.list_assets(state, {}),
    ]


async def test_books_read_back_are_the_books_written(service: Service, tmp_path: Path) -> None:
    before = seen(service)
    assert before[0]["open_orders"] == 2
    service.books.close()
    again = open_service(tmp_path)
    assert seen(again) == before
    # And they go on alike: ten of thirteen shares are bought, so the partially filled order has three to go.
    answer = await again.change(lambda state: step(state, 3))
    assert answer["fills"] == 1
    assert [row["filled_qty"] for row in queries.list_orders(again.state, {"status": "closed"})] == ["0", "9", "4"]
    again.books.close()


async def test_a_failed_write_leaves_the_books_as_they_were(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    before = seen(service)

    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(Books, "_write_rows", fail)
        with pytest.raises(sqlite3.OperationalError):
            await service.change(lambda state: core.submit(state, order(1, client_order_id="lost"), service.now()))
    assert seen(service) == before
    retried = await service.change(lambda state: core.submit(state, order(1, client_order_id="lost"), service.now()))
    assert retried["client_order_id"] == "lost"


# --- operations that are ready at the same moment ---


def spied(service: Service, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The event names of each transaction from here on."""
    written: list[list[str]] = []
    write = service.books.write

    def spy(state: State, changes: Changes) -> list[str]:
        written.append([data["event"] for _, data in changes.events])
        return write(state, changes)

    monkeypatch.setattr(service.books, "write", spy)
    return written


def sending(service: Service, client_order_id: str) -> Awaitable[Any]:
    body = order(1, type="limit", limit_price=50, client_order_id=client_order_id)
    return service.change(lambda state: core.submit(state, body, service.now()))


async def test_orders_that_come_together_share_a_transaction(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = spied(service, monkeypatch)
    answers = await asyncio.gather(*(sending(service, name) for name in "abc"))
    assert written == [["pending_new", "new"] * 3]
    assert [answer["client_order_id"] for answer in answers] == ["a", "b", "c"]
    service.books.close()
    again = open_service(tmp_path)
    assert [row["client_order_id"] for row in queries.list_orders(again.state, {"limit": "3"})] == ["c", "b", "a"]
    again.books.close()


async def test_a_rejection_is_its_callers_alone(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    written = spied(service, monkeypatch)
    outcomes = await asyncio.gather(*(sending(service, name) for name in "aab"), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [dict, Rejection, dict]
    assert written == [["pending_new", "new"] * 2]


async def test_a_failure_fails_all_that_share_the_transaction(service: Service) -> None:
    before = seen(service)

    def broken(state: State) -> None:
        state.account.cash += 1
        raise ZeroDivisionError

    outcomes = await asyncio.gather(
        sending(service, "a"), service.change(broken), sending(service, "b"), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [ZeroDivisionError] * 3
    assert seen(service) == before
    assert (await sending(service, "a"))["client_order_id"] == "a"


async def test_what_is_broadcast_has_a_transaction_of_its_own(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = spied(service, monkeypatch)
    advancing = service.change(lambda state: step(state, 3), broadcast=True)
    await asyncio.gather(sending(service, "a"), sending(service, "b"), advancing, sending(service, "c"))
    # The step fills what was partially filled before.
    assert written == [["pending_new", "new"] * 2, ["fill"], ["pending_new", "new"]]


async def test_one_venue_per_state_directory(service: Service, tmp_path: Path) -> None:
    with pytest.raises(BooksError, match="another venue is using it"):
        Books(tmp_path)


def sql(statement: str) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        db = sqlite3.connect(path)
        assert db.execute(statement).rowcount
        db.commit()
        db.close()

    return damage


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(truncate, id="truncated"),
        pytest.param(sql("DELETE FROM fills WHERE seq = 1"), id="fill lost"),
        pytest.param(sql("DELETE FROM events WHERE event_id = 2"), id="event lost"),
        pytest.param(sql("DELETE FROM orders WHERE seq = 3"), id="order lost"),
        pytest.param(sql("UPDATE positions SET qty = qty + 1"), id="position altered"),
        pytest.param(sql("UPDATE fills SET price = price + 1 WHERE seq = 1"), id="price altered"),
        pytest.param(sql("UPDATE meta SET value = '{}'"), id="account unreadable"),
        pytest.param(sql("UPDATE orders SET body = 'x' WHERE seq = 1"), id="order unreadable"),
    ],
)
async def test_damage_is_found(service: Service, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    service.books.close()
    damage(tmp_path / "books.sqlite")
    with pytest.raises(BooksError, match=r"books\.sqlite: the books are damaged"):
        open_service(tmp_path)
