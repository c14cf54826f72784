"""The native order engine as Python sees it: dictionaries in and out, the journal, documents that follow the code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tradewind.native.engine import (
    Engine,
    EngineConfig,
    EngineConfigError,
    Input,
    JournalError,
    Limits,
    order_lifecycle_markdown,
    read_journal,
    reject_codes,
    replay_journal,
)

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
SHARE = 1_000_000_000
DOLLAR = 100_000_000
SUBMIT, SNAPSHOT = 1, 4  # RequestKind
SUBMIT_ACCEPTED, TRADE_UPDATE, LINK_UP, ACCOUNT, SNAPSHOT_END = 1, 11, 12, 15, 17  # BrokerEventKind
FLUSH = 4  # ControlKind
DOCS = Path(__file__).parents[3] / "docs"

LIMITS: Limits = {
    "max_order_notional": "50000",
    "price_collar_pct": 0.05,
    "max_price_age_ns": None,
    "max_orders_per_minute": 60,
    "max_trades_per_day": 100,
    "max_position_pct": 0.05,
    "max_positions": 20,
    "max_gross_exposure_pct": 1.0,
    "max_net_exposure_pct": 1.0,
    "max_short_share_pct": 0.5,
    "max_sector_exposure_pct": 0.25,
    "daily_loss_pct": 0.02,
    "weekly_loss_pct": 0.05,
    "monthly_loss_pct": 0.10,
    "drawdown_reduce_pct": 0.05,
    "drawdown_reduce_factor": 0.75,
    "drawdown_halve_pct": 0.10,
    "drawdown_halve_factor": 0.5,
    "drawdown_stop_pct": 0.15,
    "max_consecutive_losses": 3,
    "volatility_reduce_at": "25",
    "volatility_reduce_factor": 0.5,
    "volatility_halt_at": "35",
    "market_order_buffer_pct": 0.04,
    "max_position_notional": None,
    "max_turnover_pct": None,
    "trade_risk_pct": 0.004,
    "trade_risk_hard_pct": 0.01,
    "adverse_move_sigmas": 2.0,
    "assumed_volatility": 0.5,
    "max_estimate_age_ns": None,
    "max_group_exposure_pct": 0.3,
    "max_value_at_risk_pct": 0.03,
    "max_volatility_pct": 0.25,
    "reentry_step": 0.25,
    "rapid_decline_pct": None,
    "feed_lost_after_ns": None,
    "broker_lost_after_ns": None,
    "cut_tolerance_pct": 0.2,
    "gap_move_sigmas": 0.5,
    "extended_before_ns": None,
    "extended_after_ns": None,
    "breaker_failures": None,
    "breaker_pause_ns": None,
    "feed_silent_after_ns": None,
    "session_skip_first_ns": None,
    "session_skip_last_ns": None,
    "allow_short": True,
}
CONFIG: EngineConfig = {
    "account": "demo",
    "symbols": [{"symbol": "IBM", "sector": "Technology"}],
    "strategies": [{"uid": "long"}, {"uid": "short"}],
    "limits": LIMITS,
}


class Session:
    """An engine and a broker that answers at once and fills market orders when told."""

    def __init__(self, journal: Path | None = None) -> None:
        self.engine = Engine(CONFIG, journal=journal)
        self.now = START
        self.records: list[dict[str, Any]] = []
        self.submits: list[dict[str, Any]] = []

    def feed(self, kind: Any, /, **body: Any) -> None:
        message: Input = {"input": kind, "now": self.now, "body": body}
        out = self.engine.step(message)
        assert self.engine.check_invariants() == ""
        self.records += out["records"]
        for request in out["requests"]:
            if request["kind"] == SNAPSHOT:
                self.feed(
                    "broker",
                    kind=ACCOUNT,
                    cash=100_000 * DOLLAR,
                    equity=100_000 * DOLLAR,
                    buying_power=100_000 * DOLLAR,
                )
                self.feed("broker", kind=SNAPSHOT_END)
            else:
                assert request["kind"] == SUBMIT
                self.submits.append(request)
                self.feed(
                    "broker", kind=SUBMIT_ACCEPTED, request_id=request["request_id"], order=self.view(request, 4, 0, 0)
                )

    @staticmethod
    def view(request: dict[str, Any], state: int, filled: int, price: int) -> dict[str, Any]:
        keys = ("client_order_id", "symbol", "side", "quantity")
        return {key: request[key] for key in keys} | {
            "broker_order_id": "b-" + request["client_order_id"][:8],
            "state": state,
            "filled": filled,
            "filled_avg_price": price,
        }

    def run(self) -> None:
        self.feed("broker", kind=LINK_UP)
        price = 100 * DOLLAR
        self.feed("bar", symbol="IBM", event_time=self.now, open=price, high=price, low=price, close=price, volume=1)
        for uid, target in (("long", 40), ("short", -10)):
            self.feed(
                "intent",
                id=f"intent-{uid}",
                strategy=uid,
                symbol="IBM",
                target=target * SHARE,
                decision_time=self.now,
                valid_until=self.now + SECOND,
                order_type=1,
                time_in_force=1,
            )
        self.feed("control", kind=FLUSH)
        (request,) = self.submits
        self.feed("broker", kind=TRADE_UPDATE, order=self.view(request, 6, request["quantity"], 101 * DOLLAR))


def test_two_strategies_are_netted_into_one_order_and_their_books_add_up() -> None:
    session = Session()
    session.run()
    assert session.submits[0]["quantity"] == 30 * SHARE
    held = {(p["strategy"], p["quantity"] // SHARE) for p in session.engine.positions()}
    assert held == {("", 30), ("long", 40), ("short", -10)}
    assert session.engine.account()["cash"] == (100_000 - 30 * 101) * DOLLAR
    verdicts = [r for r in session.records if r["record"] == "verdict"]
    assert [(v["intent"], v["accepted"], v["code"]) for v in verdicts] == [
        ("intent-long", True, "OK"),
        ("intent-short", True, "OK"),
    ]
    assert session.engine.counts()["fills"] == sum(r["record"] == "fill" for r in session.records)


def test_a_journalled_session_replays_to_the_same_hash_and_reads_back_what_was_answered(tmp_path: Path) -> None:
    memory, durable = Session(), Session(tmp_path / "engine.journal")
    memory.run()
    durable.run()
    report = replay_journal(tmp_path / "engine.journal")
    assert report["decision_hash"] == memory.engine.decision_hash == durable.engine.decision_hash
    assert report["state_hash"] == memory.engine.state_hash
    entries = list(read_journal(tmp_path / "engine.journal"))
    assert [e["sequence"] for e in entries] == list(range(1, durable.engine.last_sequence + 1))
    assert "config" in entries[0]
    assert [r for e in entries[1:] for r in e["records"]] == durable.records
    assert entries[1:] == list(read_journal(tmp_path / "engine.journal", after=1))
    assert sum(e["input"]["input"] == "intent" for e in entries[1:]) == 2


def test_estimates_and_sessions_are_inputs_of_the_journal_like_any_other(tmp_path: Path) -> None:
    session = Session(tmp_path / "engine.journal")
    row = {"symbol": "IBM", "time": START, "group": "IBM", "first": True, "last": True, "returns": [10_486, -10_486]}
    session.feed("estimate", **row)
    day = {"open": START - SECOND, "close": START + SECOND, "next_open": START + 2 * SECOND}
    session.feed("session", **day)
    session.run()
    risk = session.engine.risk()
    assert risk["estimate_time"] == START
    assert risk["volatility"] == pytest.approx(0.01 * 252**0.5 * 0.03 * 1e6, rel=0.01)  # 30 shares at 100
    inputs = [e["input"] for e in read_journal(tmp_path / "engine.journal", after=1)]
    assert [i["body"] for i in inputs if i["input"] == "estimate"] == [row]
    assert [i["body"] for i in inputs if i["input"] == "session"] == [day]
    report = replay_journal(tmp_path / "engine.journal")
    assert report["decision_hash"] == session.engine.decision_hash


def test_a_damaged_journal_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "engine.journal"
    Session(path).run()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(JournalError, match="damaged after record") as caught:
        replay_journal(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"limits": {**LIMITS, "max_positions": "many"}}, "limits.max_positions"),
        ({"limits": {k: v for k, v in LIMITS.items() if k != "daily_loss_pct"}}, "limits.daily_loss_pct"),
        ({"limits": {**LIMITS, "vix": 3}}, "limits.vix"),
        ({"symbols": []}, "engine.symbols"),
        ({"strategies": [{"uid": "x" * 49}]}, r"strategies\[0\].uid"),
        ({"mode": "turbo"}, "engine.mode"),
    ],
)
def test_configuration_faults_are_named(change: dict[str, Any], name: str) -> None:
    with pytest.raises(EngineConfigError, match=name):
        Engine({**CONFIG, **change})


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ({"input": "bar", "now": 1, "body": {"symbl": "IBM"}}, "bar: unknown key"),
        ({"input": "bar", "now": 1, "body": {"open": "1.5"}}, "bar.open"),
        ({"input": "intent", "now": 1, "body": {"symbol": "S" * 17}}, "intent.symbol"),
        ({"input": "tick", "now": 1}, "tick is none of"),
        ({"input": "time", "now": 1, "when": 2}, "input.when"),
    ],
)
def test_input_faults_are_named(message: Any, name: str) -> None:
    with pytest.raises(ValueError, match=name):
        Engine(CONFIG).step(message)


def test_a_denial_says_what_would_have_passed() -> None:
    session = Session()
    session.feed("broker", kind=LINK_UP)
    price = 100 * DOLLAR
    session.feed("bar", symbol="IBM", event_time=session.now, open=price, high=price, low=price, close=price, volume=1)
    body = {"strategy": "long", "symbol": "IBM", "decision_time": START, "valid_until": START, "order_type": 1}
    session.feed("intent", id="big", target=51 * SHARE, time_in_force=1, **body)
    session.feed("control", kind=FLUSH)
    (verdict,) = (r for r in session.records if r["record"] == "verdict")
    assert verdict["code"] == "MAX_POSITION"
    assert verdict["message"] == "value 5100.00, limit 5000.00; 5000.00 would have passed"


def test_the_document_of_the_order_lifecycle_follows_the_code() -> None:
    text = (DOCS / "order-lifecycle.md").read_text(encoding="utf-8")
    assert order_lifecycle_markdown() in text
    for code, meaning in reject_codes().items():
        assert f"| `{code}` | {meaning} |" in text
