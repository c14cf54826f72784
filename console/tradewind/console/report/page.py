"""The report as one self-contained HTML page. Core (returns text)."""

from __future__ import annotations

import math
from importlib.resources import files
from typing import Any

import plotly.graph_objects as go
from jinja2 import Environment
from plotly.offline import get_plotlyjs

from tradewind.console.report.charts import equity_chart, moment, price_chart
from tradewind.console.report.data import MONEY, QUANTITY, RunData
from tradewind.console.report.statistics import Performance, RoundTrip, performance, round_trips


def render(data: RunData) -> str:
    """The page. Everything it needs is in it: no address is asked for when it's opened."""
    trips = round_trips(data.fills)
    figures = performance(data)
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(files(__package__).joinpath("page.html").read_text(encoding="utf-8"))
    return template.render(
        data=data,
        performance=figures,
        cards=_cards(data, figures, trips),
        trips=[_trip_row(t) for t in reversed(trips)],
        equity=_embed(equity_chart(data)),
        charts=[(symbol, _embed(price_chart(data, symbol))) for symbol in sorted(data.prices)],
        events=[(moment(t).strftime("%Y-%m-%d %H:%M"), text) for t, text in data.events],
        first=moment(data.equity[0].time).strftime("%d %b %Y") if data.equity else "no bar",
        last=moment(data.equity[-1].time).strftime("%d %b %Y") if data.equity else "",
        plotly=get_plotlyjs(),
    )


def _embed(figure: go.Figure) -> str:
    html: str = figure.to_html(
        full_html=False, include_plotlyjs=False, config={"displayModeBar": False, "responsive": True}
    )
    return html


def _cards(data: RunData, figures: Performance, trips: list[RoundTrip]) -> list[tuple[str, str, str]]:
    """Title, figure and what to compare it with."""
    wins = sum(t.pnl > 0 for t in trips)
    fees = sum(f.fee for f in data.fills)
    slippage = sum(f.slippage for f in data.fills)
    return [
        ("Return after costs", f"{figures.total_return:+.1%}", f"buy and hold {figures.benchmark_return:+.1%}"),
        ("Sharpe", _ratio(figures.sharpe), f"buy and hold {_ratio(figures.benchmark_sharpe)}"),
        ("Largest drawdown", f"{figures.max_drawdown:.1%}", f"buy and hold {figures.benchmark_drawdown:.1%}"),
        ("Closed trades", f"{len(trips):,}", f"{wins / len(trips):.0%} won" if trips else "none"),
        ("Mean gross exposure", f"{figures.exposure:.0%}", "of equity"),
        ("Costs", f"{(fees + slippage) / MONEY:,.2f} USD", f"{slippage / MONEY:,.2f} of it slippage"),
    ]


def _ratio(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "n/a"


def _trip_row(trip: RoundTrip) -> dict[str, Any]:
    return {
        "symbol": trip.symbol,
        "strategy": trip.strategy.rpartition("/")[2],
        "side": "long" if trip.quantity > 0 else "short",
        "quantity": f"{abs(trip.quantity) / QUANTITY:,.0f}",
        "opened": moment(trip.opened).strftime("%Y-%m-%d"),
        "closed": moment(trip.closed).strftime("%Y-%m-%d"),
        "entry": f"{trip.entry / MONEY:,.2f}",
        "exit": f"{trip.exit / MONEY:,.2f}",
        "pnl": f"{trip.pnl / MONEY:+,.2f}",
        "won": trip.pnl > 0,
    }
