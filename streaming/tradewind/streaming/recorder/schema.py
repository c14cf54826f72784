"""Core: the tables of the record.

Units are in the names: `_e8` is money and prices in units of 1e-8, `_e9` is quantities in units of 1e-9 shares, `_ns`
is nanoseconds since the epoch, UTC. All are whole numbers, as on the wire, so that nothing is rounded on its way in.
Every row carries `bus_offset`, the place on the bus of the record that it was made from. Rows that must not change
carry `digest`, the SHA-256 of that record, by which a repetition is told from a contradiction.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, LargeBinary, MetaData, Table, Text

SCHEMA_VERSION = 2

metadata = MetaData()


def _text(name: str, *, key: bool = False) -> Column[str]:
    return Column(name, Text, primary_key=key, nullable=False)


def _whole(name: str, *, key: bool = False, optional: bool = False) -> Column[int]:
    return Column(name, BigInteger, primary_key=key, nullable=optional, autoincrement=False)


def _number(name: str) -> Column[float]:
    return Column(name, Double, nullable=False)


def _flag(name: str, *, key: bool = False) -> Column[bool]:
    return Column(name, Boolean, primary_key=key, nullable=False)


store = Table(
    "store", metadata, Column("version", Integer, primary_key=True, autoincrement=False), _text("bus")
)  # fmt: skip
"""One row: the version of these tables, and the identity of the bus that they record."""

recorded_offsets = Table("recorded_offsets", metadata, _text("topic", key=True), _whole("next_offset"))
"""How far each topic has been recorded; written in the transaction that writes the rows."""

orders = Table(
    "orders",
    metadata,
    _text("client_order_id", key=True),
    _text("account"),
    _text("broker_order_id"),
    _text("intent_ids"),  # JSON list
    _text("symbol"),
    _text("side"),
    _text("order_type"),
    _text("time_in_force"),
    _whole("quantity_e9"),
    _whole("limit_price_e8"),  # 0 = none
    _text("state"),
    _whole("filled_quantity_e9"),
    _whole("filled_notional_e8"),
    _text("code"),
    _text("message"),
    _whole("created_ns"),
    _whole("updated_ns"),
    _whole("journal_sequence"),
    _whole("bus_offset"),
    Index("orders_symbol_created", "symbol", "created_ns"),
    Index("orders_state", "state"),
    Index("orders_account_created", "account", "created_ns"),
)
"""Each order in its latest state, by the executor's journal."""

order_events = Table(
    "order_events",
    metadata,
    _text("digest", key=True),
    _text("account"),
    _text("client_order_id"),  # empty: the verdict on an intent that no order of its own names
    _text("intent_ids"),
    _text("symbol"),
    _text("state"),
    _whole("filled_quantity_e9"),
    _text("code"),
    _text("message"),
    _whole("event_time_ns"),
    _whole("journal_sequence"),
    _whole("bus_offset"),
    Index("order_events_order", "client_order_id", "journal_sequence"),
    Index("order_events_account", "account", "event_time_ns"),
)
"""Each verdict on an intent and each change of an order."""

fills = Table(
    "fills",
    metadata,
    _text("account", key=True),
    _text("execution_id", key=True),
    _text("strategy", key=True),
    _text("client_order_id"),
    _text("broker_order_id"),
    _text("symbol"),
    _text("side"),
    _whole("quantity_e9"),
    _whole("price_e8"),
    _whole("fee_e8"),
    _whole("event_time_ns"),
    # A strategy can have two parts of one execution: what the broker filled, and what crossed with another strategy.
    _flag("internal", key=True),
    _whole("journal_sequence"),
    _text("digest"),
    _whole("bus_offset"),
    Index("fills_symbol_time", "symbol", "event_time_ns"),
    Index("fills_order", "client_order_id"),
    Index("fills_time", "event_time_ns"),
)
"""Executions, by the share of each strategy."""

signals = Table(
    "signals",
    metadata,
    _text("id", key=True),
    _text("strategy"),
    _text("symbol"),
    _whole("event_time_ns"),
    _whole("decision_time_ns"),
    _number("prediction"),
    _number("confidence"),
    _number("strength"),
    _whole("horizon_bars"),
    _text("model"),
    _text("model_version"),
    _text("feature_set_version"),
    _text("reason"),
    _whole("feature_offset"),
    _text("digest"),
    _whole("bus_offset"),
    Index("signals_symbol_time", "symbol", "event_time_ns"),
    Index("signals_strategy_time", "strategy", "event_time_ns"),
    Index("signals_model_time", "model", "event_time_ns"),
)

intents = Table(
    "intents",
    metadata,
    _text("id", key=True),
    _text("strategy"),
    _text("account"),
    _text("symbol"),
    _whole("target_quantity_e9"),
    _whole("decision_time_ns"),
    _whole("valid_until_ns"),
    _whole("ordinal"),
    _text("order_type"),
    _text("time_in_force"),
    _whole("limit_price_e8"),  # 0 = none
    _whole("reference_price_e8"),
    _number("urgency"),
    _text("algorithm"),  # empty: all at once
    _whole("duration_ns"),
    _whole("interval_ns"),
    _whole("participation_ppm"),
    _text("model"),
    _text("model_version"),
    _text("model_alias"),
    _flag("gates_passed"),
    _text("signal_id"),
    _whole("policy_generation"),
    _text("digest"),
    _whole("bus_offset"),
    Index("intents_strategy_time", "strategy", "decision_time_ns"),
    Index("intents_signal", "signal_id"),
)

position_snapshots = Table(
    "position_snapshots",
    metadata,
    _whole("bus_offset", key=True),
    _text("account"),
    _whole("event_time_ns"),
    _whole("cash_e8"),
    _whole("equity_e8"),
    _whole("journal_sequence"),
    Index("position_snapshots_account_time", "account", "event_time_ns"),
)
"""The books of an account at a moment; its positions are in `positions`."""

positions = Table(
    "positions",
    metadata,
    _whole("bus_offset", key=True),  # of the snapshot
    _text("symbol", key=True),
    _text("strategy", key=True),  # empty: the whole account
    _whole("quantity_e9"),
    _whole("average_price_e8"),
    _whole("realized_pnl_e8"),
    _whole("market_price_e8"),
)

risk_states = Table(
    "risk_states",
    metadata,
    _whole("bus_offset", key=True),
    _text("account"),
    _whole("event_time_ns"),
    _flag("kill_switch"),
    _text("kill_reason"),
    _whole("equity_e8"),
    _whole("day_high_equity_e8"),
    _whole("gross_exposure_e8"),
    _whole("net_exposure_e8"),
    _number("drawdown"),
    _number("size_factor"),
    _whole("trades_today"),
    _whole("policy_generation"),
    _text("rejections"),  # JSON object: code to count
    Index("risk_states_account_time", "account", "event_time_ns"),
)

news_events = Table(
    "news_events",
    metadata,
    _text("id", key=True),
    _text("news_id"),
    _text("type"),
    _text("symbol"),  # "*": the whole market
    _whole("event_time_ns"),
    _whole("available_time_ns"),
    _number("impact"),
    _number("confidence"),
    _text("classifier"),
    _text("digest"),
    _whole("bus_offset"),
    Index("news_events_symbol_time", "symbol", "available_time_ns"),
)

control_commands = Table(
    "control_commands",
    metadata,
    _text("id", key=True),
    _text("account"),
    _text("action"),
    _text("issued_by"),
    _text("reason"),
    _whole("issued_ns"),
    _flag("flatten"),
    _text("digest"),
    _whole("bus_offset"),
)

bars = Table(
    "bars",
    metadata,
    _text("symbol", key=True),
    _text("interval", key=True),
    _whole("event_time_ns", key=True),
    _text("source", key=True),
    _whole("available_time_ns"),
    _whole("open_e8"),
    _whole("high_e8"),
    _whole("low_e8"),
    _whole("close_e8"),
    _whole("volume"),
    _whole("vwap_e8", optional=True),
    _whole("trade_count", optional=True),
    _whole("bus_offset"),
)
"""Bars, each as last published: a source may correct itself."""

dead_letters = Table(
    "dead_letters",
    metadata,
    _text("dead_topic", key=True),
    _whole("bus_offset", key=True),  # on the dead topic
    _text("topic"),
    _text("key"),
    _text("reason"),
    _text("payload_type"),
    Column("payload", LargeBinary, nullable=False),
    _whole("seen_ns"),
    _text("consumer"),
)

ONCE: dict[Table, tuple[str, ...]] = {
    order_events: ("digest",),
    fills: ("account", "execution_id", "strategy", "internal"),
    signals: ("id",),
    intents: ("id",),
    news_events: ("id",),
    control_commands: ("id",),
}
"""Tables whose rows never change, with what names a row."""

LATEST: dict[Table, tuple[tuple[str, ...], str]] = {
    orders: (("client_order_id",), "journal_sequence"),
    bars: (("symbol", "interval", "event_time_ns", "source"), "bus_offset"),
}
"""Tables that keep the newest row, with what names a row and what orders its versions."""

KEPT_AT_FIRST = frozenset({"created_ns"})
"""Columns of `LATEST` tables that a newer version does not overwrite."""
