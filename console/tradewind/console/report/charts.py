"""The report's charts, as plotly figures. Core."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from tradewind.console.report.data import MONEY, QUANTITY, RunData
from tradewind.console.report.statistics import drawdowns

INK = "#1b2733"
MUTED = "#7b8794"
BLUE = "#1f5fa8"
GREY = "#a3b1bf"
GREEN = "#1a8a5a"
RED = "#c23b3b"
AMBER = "#b7791f"


def moment(time: int) -> datetime:
    """A UTC datetime of ns since the epoch."""
    return datetime.fromtimestamp(time / 1e9, UTC)


def _style(figure: go.Figure, height: int) -> go.Figure:
    figure.update_layout(
        height=height,
        margin={"l": 64, "r": 24, "t": 40, "b": 36},
        paper_bgcolor="white",
        plot_bgcolor="white",
        font={"family": "Inter, system-ui, sans-serif", "size": 12, "color": INK},
        hovermode="x unified",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 1, "xanchor": "right"},
    )
    figure.update_xaxes(showgrid=False, linecolor="#d5dce3")
    figure.update_yaxes(gridcolor="#edf1f5", zerolinecolor="#d5dce3")
    return figure


def equity_chart(data: RunData) -> go.Figure:
    """Equity beside buy-and-hold, drawdown and exposure under it, on one time axis."""
    times = [moment(p.time) for p in data.equity]
    equity = np.array([p.equity / MONEY for p in data.equity])
    figure = make_subplots(
        rows=3, cols=1, shared_xaxes=True, row_heights=[0.58, 0.20, 0.22], vertical_spacing=0.045,
        subplot_titles=("Equity, USD", "Drawdown", "Exposure, share of equity"),
    )  # fmt: skip
    figure.add_trace(go.Scatter(x=times, y=equity, name="strategy", line={"color": BLUE, "width": 2}), 1, 1)
    start = data.starting_equity / MONEY
    figure.add_trace(
        go.Scatter(
            x=[moment(t) for t, _ in data.benchmark],
            y=[start * v for _, v in data.benchmark],
            name="buy and hold, equal parts",
            line={"color": GREY, "width": 1.5, "dash": "dot"},
        ),
        1,
        1,
    )
    figure.add_trace(
        go.Scatter(x=times, y=-drawdowns(equity), name="drawdown", fill="tozeroy", line={"color": RED, "width": 1},
                   showlegend=False), 2, 1,
    )  # fmt: skip
    share = [(p.gross / p.equity, p.net / p.equity) if p.equity > 0 else (0.0, 0.0) for p in data.equity]
    figure.add_trace(
        go.Scatter(x=times, y=[g for g, _ in share], name="gross", line={"color": AMBER, "width": 1.2}), 3, 1
    )
    figure.add_trace(
        go.Scatter(x=times, y=[n for _, n in share], name="net", line={"color": GREEN, "width": 1.2}), 3, 1
    )
    figure.update_yaxes(tickformat=",.0f", row=1, col=1)
    figure.update_yaxes(tickformat=".1%", row=2, col=1)
    figure.update_yaxes(tickformat=".0%", row=3, col=1)
    for annotation in figure.layout.annotations:
        annotation.update(x=0, xanchor="left", font={"size": 12, "color": MUTED})
    return _style(figure, 640)


def price_chart(data: RunData, symbol: str) -> go.Figure:
    """One symbol's closes with each execution on them, and the position under it."""
    prices = data.prices[symbol]
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.75, 0.25], vertical_spacing=0.04)
    figure.add_trace(
        go.Scatter(x=[moment(p.time) for p in prices], y=[p.close / MONEY for p in prices], name="close",
                   line={"color": INK, "width": 1.2}), 1, 1,
    )  # fmt: skip
    fills = [f for f in data.fills if f.symbol == symbol]
    for name, buys, colour, mark in (("buy", True, GREEN, "triangle-up"), ("sell", False, RED, "triangle-down")):
        side = [f for f in fills if (f.quantity > 0) == buys]
        figure.add_trace(
            go.Scatter(
                x=[moment(f.time) for f in side],
                y=[f.price / MONEY for f in side],
                name=name,
                mode="markers",
                marker={"symbol": mark, "size": 8, "color": colour, "line": {"width": 0.5, "color": "white"}},
                text=[f"{f.strategy.rpartition('/')[2]}: {f.quantity / QUANTITY:+,.0f} at {f.price / MONEY:,.2f}"
                      + (" (crossed inside)" if f.internal else "") for f in side],
                hovertemplate="%{text}<extra></extra>",
            ),
            1,
            1,
        )  # fmt: skip
    held, times, quantities = 0, [moment(prices[0].time)], [0.0]
    for fill in fills:
        held += fill.quantity
        times.append(moment(fill.time))
        quantities.append(held / QUANTITY)
    times.append(moment(prices[-1].time))
    quantities.append(held / QUANTITY)
    figure.add_trace(
        go.Scatter(x=times, y=quantities, name="position, shares", line={"color": BLUE, "width": 1, "shape": "hv"},
                   fill="tozeroy", showlegend=False), 2, 1,
    )  # fmt: skip
    return _style(figure, 340)
