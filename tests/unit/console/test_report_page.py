"""The report page: one file, nothing fetched, nothing injected; and the same figures for programs."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tradewind.console.report.data import EquityPoint, FillPoint, Gate, HopLatency, PricePoint, RunData
from tradewind.console.report.page import render
from tradewind.console.report.statistics import performance
from tradewind.console.report.summary import summarise, text
from tradewind.trading.transaction_costs import CostSummary

DAY, HOUR = 86_400 * 10**9, 3_600 * 10**9
MONEY, SHARE = 10**8, 10**9
T0 = 15_000 * DAY
EVIL = "<script>alert('x')</script>"


def point(day: int, equity: float, gross: float = 0.0, hour: int = 21) -> EquityPoint:
    return EquityPoint(T0 + day * DAY + hour * HOUR, round(equity * MONEY), round(gross * MONEY), round(gross * MONEY))


def fill(day: int, shares: int, price: float, fee: float = 0.0, symbol: str = "AAPL") -> FillPoint:
    time = T0 + day * DAY + 14 * HOUR
    return FillPoint(
        time, symbol, "strategy/default/one", shares * SHARE, round(price * MONEY), round(fee * MONEY), False
    )


def run_data() -> RunData:
    """Bought 100 AAPL at 100, sold at 110 after 1.25 USD of fees each way; sold 10 MSFT short at 50, back at 55."""
    return RunData(
        run="run-1",
        title="one: a replayed session",
        strategies=["one"],
        starting_equity=100_000 * MONEY,
        equity=[point(0, 100_000), point(1, 100_500, 50_250), point(2, 99_495, 9_949.5), point(3, 100_947.5)],
        fills=[
            fill(0, 100, 100, 1.25),
            fill(1, -10, 50, symbol="MSFT"),
            fill(2, -100, 110, 1.25),
            fill(3, 10, 55, symbol="MSFT"),
        ],
        prices={
            symbol: [PricePoint(T0 + d * DAY + 21 * HOUR, price * MONEY) for d in range(4)]
            for symbol, price in (("AAPL", 105), ("MSFT", 52))
        },
        benchmark=[(T0 + d * DAY + 21 * HOUR, growth) for d, growth in enumerate([1.0, 1.1, 0.99, 1.2])],
        rejections={"max_notional": 3},
        latencies=[HopLatency("bar → features", 4, 100.0, 200.0, 300.0)],
        gates=[Gate("one", "sharpe", "fail", 0.25, 1.0, ">="), Gate("one", "pbo", "inconclusive", None, 0.5, "<=")],
        counts={
            "bars": 8,
            "feature vectors": 7,
            "predictions": 6,
            "intents": 5,
            "refused intents": 3,
            "orders": 4,
            "fills": 4,
        },
        decision_hash="abc123",
        venue_agrees=True,
        disagreements=[],
        events=[(T0, "Fed leaves its target rate alone")],
        model={"one version 3": "gates failed"},
        provenance=["demo: made for this test"],
    )


def test_costs_of_each_algorithm_are_shown_and_summarised() -> None:
    row = CostSummary("TWAP", 3, 12, 12_345.0, 0.5, 1.25, -2.0, None, 3.0, 0.123456, 1.0, 2.0, 3.0, 4.0)
    data = replace(run_data(), costs=[row])
    text_of = " ".join(Page(render(data)).words)
    assert "TWAP 3 12 12,345 50% +1.2 -2.0 n/a +3.0 +0.1 1.00 2.00 3.00 4.00" in " ".join(text_of.split())
    (shown,) = summarise(data, Path("r"), 1.0)["transaction_costs"]
    assert (shown["algorithm"], shown["adverse_selection"], shown["against_vwap"]) == ("TWAP", 0.1235, None)
    assert summarise(run_data(), Path("r"), 1.0)["transaction_costs"] == []


class Page(HTMLParser):
    """What a browser would see: elements, addresses to fetch, text, scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.words: list[str] = []
        self.cards: list[list[str]] = []
        self._open: list[str] = []
        self._in_card = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        fetched = ("src", "href", "srcset", "data", "poster", "action", "formaction", "xlink:href", "background")
        self.addresses += [given[name] or "" for name in fetched if name in given]
        self.styles += [value for name, value in attrs if name == "style" and value]
        self._open.append(tag)
        if tag == "div":
            self._in_card = given.get("class") == "card"
            if self._in_card:
                self.cards.append([])

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass
        self._in_card = self._in_card and tag != "div"

    def handle_data(self, data: str) -> None:
        inside = self._open[-1] if self._open else ""
        target = {"script": self.scripts, "style": self.styles}.get(inside, self.words)
        target.append(data)
        if self._in_card and data.strip():
            self.cards[-1].append(data.strip())

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(render(run_data()))


def test_nothing_is_fetched_when_it_is_opened(page: Page) -> None:
    assert [a for a in page.addresses if not a.startswith(("#", "data:"))] == []
    assert [s for s in page.styles if "url(" in s.replace("url(data:", "") or "@import" in s] == []
    # The charts' code is in the page and there is something for it to draw.
    assert sum(len(script) for script in page.scripts) > 1_000_000
    assert sum("Plotly.newPlot(" in script for script in page.scripts) >= 3  # equity, AAPL, MSFT


def test_cards(page: Page) -> None:
    # 110.00 - 100.00 on 100 shares less 2.50 USD; 50 USD lost on the short; equity from 100,000 to 100,947.50.
    assert page.cards == [
        ["Return after costs", "+0.9%", "buy and hold +20.0%"],
        ["Sharpe", page.cards[1][1], page.cards[1][2]],
        ["Largest drawdown", "1.0%", "buy and hold 10.0%"],
        ["Closed trades", "2", "50% won"],
        ["Mean gross exposure", "15%", "of equity"],
        ["Costs", "2.50 USD", "0.00 of it slippage"],
    ]
    assert float(page.cards[1][1]) == pytest.approx(performance(run_data()).sharpe, abs=0.005)


def test_everything_that_happened_is_on_it(page: Page) -> None:
    for words in (
        "one: a replayed session",
        "26 Jan 2011 to 29 Jan 2011",
        "agree",
        "abc123",
        "max_notional 3",
        "sharpe 0.250 >= 1 fail",
        "pbo n/a <= 0.5 inconclusive",
        "bar → features 100.0 200.0 300.0 4",
        "AAPL one long 100 2011-01-26 2011-01-28 100.00 110.00 +997.50",
        "MSFT one short 10 2011-01-27 2011-01-29 50.00 55.00 -50.00",
        "Fed leaves its target rate alone",
        "one version 3: gates failed",
        "demo: made for this test",
    ):
        assert words in page.text


def test_a_disagreement_is_in_plain_sight() -> None:
    data = replace(run_data(), venue_agrees=False, disagreements=["the venue and x differ in cash: 1 and 2"])
    shown = Page(render(data)).text
    assert "they disagree" in shown
    assert "the venue and x differ in cash: 1 and 2" in shown


def test_text_from_outside_is_text() -> None:
    evil = replace(
        run_data(),
        title=EVIL,
        strategies=[EVIL],
        events=[(T0, EVIL)],
        disagreements=[EVIL],
        rejections={EVIL: 1},
        gates=[Gate(EVIL, EVIL, "fail", 1.0, 1.0, ">=")],
        provenance=[EVIL],
        model={EVIL: EVIL},
        fills=[replace(f, strategy=f"strategy/default/{EVIL}") for f in run_data().fills],
        counts={EVIL: 1},
        latencies=[HopLatency(EVIL, 1, 1.0, 1.0, 1.0)],
    )
    shown = Page(render(evil))
    assert shown.text.count(EVIL) >= 9
    assert not any(script.strip() == "alert('x')" for script in shown.scripts)
    assert len(shown.scripts) == len(Page(render(run_data())).scripts)


def test_a_run_without_a_trade_has_a_page() -> None:
    idle = replace(run_data(), equity=[], fills=[], gates=[], rejections={}, latencies=[], events=[])
    shown = Page(render(idle))
    assert shown.cards[1] == ["Sharpe", "n/a", shown.cards[1][2]]
    assert shown.cards[3] == ["Closed trades", "0", "none"]


def test_buy_and_hold_of_minute_bars_is_annualised_like_the_run() -> None:
    data = run_data()
    minutes = [
        (T0 + d * DAY + minute * 60 * 10**9, value if minute == 1260 else value * (1 + minute % 2 / 50))
        for d, (_, value) in enumerate(data.benchmark)
        for minute in range(870, 1261)
    ]
    assert performance(replace(data, benchmark=minutes)).benchmark_sharpe == pytest.approx(
        performance(data).benchmark_sharpe
    )


def test_summary_has_the_runs_figures_for_programs() -> None:
    summary = json.loads(json.dumps(summarise(run_data(), Path("/r/report.html"), 12.34), allow_nan=False))
    figures = ("bars", "features", "predictions", "intents", "rejections", "orders", "fills", "trades")
    assert [summary[name] for name in figures] == [8, 7, 6, 5, 3, 4, 4, 2]
    assert (summary["equity"], summary["pnl"], summary["costs"]) == ("100947.50", "947.50", "2.50")
    assert summary["return"] == pytest.approx(0.009475)
    assert summary["buy_and_hold_return"] == pytest.approx(0.2)
    # From the high of 100,500 to 99,495.
    assert summary["max_drawdown"] == pytest.approx(0.01)
    assert summary["latency_us"] == {"bar → features": {"p50": 100.0, "p99": 200.0, "p99.9": 300.0, "n": 4}}
    assert (summary["decision_hash"], summary["venue_agrees"], summary["report"]) == (
        "abc123",
        True,
        "/r/report.html",
    )
    assert summary["rejections_by_code"] == {"max_notional": 3}
    assert summary["gates"][1] == {
        "model": "one",
        "name": "pbo",
        "verdict": "inconclusive",
        "value": None,
        "threshold": 0.5,
    }


def test_summary_of_a_run_that_did_not_move_is_json() -> None:
    flat = replace(run_data(), equity=[point(0, 100_000), point(1, 100_000)], fills=[])
    assert json.loads(json.dumps(summarise(flat, Path("r"), 1.0), allow_nan=False))["sharpe"] is None


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        (0, "0.00"),
        (5 * 10**5, "0.01"),
        (5 * 10**5 - 1, "0.00"),
        (-(10**8), "-1.00"),
        (-199_500_000, "-2.00"),
        (123_456_789_012_345_678, "1234567890.12"),
    ],
)
def test_money_is_rounded_to_cents_once(amount: int, expected: str) -> None:
    assert text(amount) == expected
