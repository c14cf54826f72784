"""The durable books: what is read back is what was written, and damage is found before anything trades on it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tradewind.execution.venue import core, queries
from tradewind.execution.venue.books import Books, BooksError
from tradewind.execution.venue.config import VenueConfig
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
def service(tmp_path: Path) -> Iterator[Service]:
    """Books with a filled, a partially filled, a replaced and a resting order; a step trades ten shares at most."""
    service = open_service(tmp_path)
    service.change(lambda state: step(state, 1))
    service.change(lambda state: core.submit(state, order(4, client_order_id="filled"), service.now()))
    service.change(lambda state: core.submit(state, order(9), service.now()))
    service.change(lambda state: step(state, 2))
    limited = order(3, type="limit", limit_price="90.5")
    resting = service.change(lambda state: core.submit(state, limited, service.now()))
    service.change(lambda state: core.replace(state, str(resting["id"]), {"limit_price": 91}, service.now()))
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


def test_books_read_back_are_the_books_written(service: Service, tmp_path: Path) -> None:
    before = seen(service)
    assert before[0]["open_orders"] == 2
    service.books.close()
    again = open_service(tmp_path)
    assert seen(again) == before
    # And they go on alike: ten of thirteen shares are bought, so the partially filled order has three to go.
    assert again.change(lambda state: step(state, 3))["fills"] == 1
    assert [row["filled_qty"] for row in queries.list_orders(again.state, {"status": "closed"})] == ["0", "9", "4"]
    again.books.close()


def test_a_failed_write_leaves_the_books_as_they_were(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    before = seen(service)

    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(Books, "_write_rows", fail)
        with pytest.raises(sqlite3.OperationalError):
            service.change(lambda state: core.submit(state, order(1, client_order_id="lost"), service.now()))
    assert seen(service) == before
    retried = service.change(lambda state: core.submit(state, order(1, client_order_id="lost"), service.now()))
    assert retried["client_order_id"] == "lost"


def test_one_venue_per_state_directory(service: Service, tmp_path: Path) -> None:
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
def test_damage_is_found(service: Service, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    service.books.close()
    damage(tmp_path / "books.sqlite")
    with pytest.raises(BooksError, match=r"books\.sqlite: the books are damaged"):
        open_service(tmp_path)
