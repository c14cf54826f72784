"""Shell. The market-data API: bars, latest prices, snapshots, news."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from tradewind.execution.venue import history
from tradewind.execution.venue.http import SERVICE, answer, is_upgrade
from tradewind.execution.venue.market import Asset, Bar
from tradewind.execution.venue.queries import is_true
from tradewind.execution.venue.rejections import bad_data_request
from tradewind.execution.venue.service import Service
from tradewind.execution.venue.times import DAY
from tradewind.execution.venue.wire import Json

routes = web.RouteTableDef()
_EVER = 2**63 - 1


def _symbols(query: Mapping[str, str]) -> list[str]:
    symbols = sorted({symbol.strip() for symbol in query.get("symbols", "").split(",") if symbol.strip()})
    if not symbols:
        raise bad_data_request("symbols is required")
    return symbols


class _Series:
    """The bars of one symbol a request asks for: counted first, read when a page needs them."""

    def __init__(self, service: Service, symbol: str, timeframe: str, start: int, end: int, descending: bool) -> None:
        self._books = service.books
        self._symbol = symbol
        self._start, self._end, self._descending = start, end, descending
        self._interval = history.source_interval(self._books.intervals(symbol), timeframe)
        self._merged: list[Bar] | None = None
        if self._interval is None:
            self._merged = []
        elif self._interval != timeframe:
            parts = self._books.bars(symbol, self._interval, start, end)
            merged = history.aggregate(parts, timeframe)
            self._merged = merged[::-1] if descending else merged

    def __len__(self) -> int:
        if self._merged is not None or self._interval is None:
            return len(self._merged or [])
        return self._books.count_bars(self._symbol, self._interval, self._start, self._end)

    def read(self, start: int, count: int) -> list[Bar]:
        if self._merged is not None or self._interval is None:
            return (self._merged or [])[start : start + count]
        return self._books.bars(
            self._symbol, self._interval, self._start, self._end, descending=self._descending, skip=start, most=count
        )


def _bars_page(
    service: Service, symbols: list[str], query: Mapping[str, str]
) -> tuple[dict[str, list[Json]], str | None]:
    if query.get("adjustment", "raw") != "raw":
        raise bad_data_request("adjustment must be raw: this venue keeps bars as it was given them")
    if "timeframe" not in query:
        raise bad_data_request("timeframe is required")
    timeframe = history.canonical_timeframe(query["timeframe"])
    start = history.moment(query, "start") or 0
    end = history.moment(query, "end")
    descending = query.get("sort", "asc") == "desc"
    series = {
        symbol: _Series(service, symbol, timeframe, start, _EVER if end is None else end, descending)
        for symbol in symbols
    }
    sizes = {symbol: len(rows) for symbol, rows in series.items()}
    rows, token = history.page_of(sum(sizes.values()), query, history.page_size(query, 1_000, 10_000))
    page: dict[str, list[Json]] = {}
    passed = 0
    for symbol, size in sizes.items():
        first, last = max(rows.start - passed, 0), min(rows.stop - passed, size)
        if first < last:
            page[symbol] = [history.bar_json(bar) for bar in series[symbol].read(first, last - first)]
        passed += size
    return page, token


@routes.get("/v2/stocks/bars")
async def bars(request: web.Request) -> web.Response:
    page, token = _bars_page(request.app[SERVICE], _symbols(request.query), request.query)
    return answer({"bars": page, "next_page_token": token})


@routes.get("/v2/stocks/bars/latest")
async def latest_bars(request: web.Request) -> web.Response:
    found = {symbol: request.app[SERVICE].books.last_bar(symbol) for symbol in _symbols(request.query)}
    return answer({"bars": {symbol: history.bar_json(bar) for symbol, bar in found.items() if bar is not None}})


def _assets(request: web.Request) -> list[Asset]:
    known = request.app[SERVICE].state.assets
    return [known[symbol] for symbol in _symbols(request.query) if symbol in known and known[symbol].last is not None]


@routes.get("/v2/stocks/quotes/latest")
async def latest_quotes(request: web.Request) -> web.Response:
    terms = request.app[SERVICE].terms
    return answer({"quotes": {asset.symbol: history.quote_json(asset, terms) for asset in _assets(request)}})


@routes.get("/v2/stocks/trades/latest")
async def latest_trades(request: web.Request) -> web.Response:
    return answer({"trades": {asset.symbol: history.trade_json(asset) for asset in _assets(request)}})


@routes.get("/v2/stocks/snapshots")
async def snapshots(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    return answer({asset.symbol: _snapshot(service, asset) for asset in _assets(request)})


def _snapshot(service: Service, asset: Asset) -> Json:
    last = service.books.last_bar(asset.symbol)
    days: list[Bar] = []
    if last is not None:
        days_of = _Series(service, asset.symbol, "1Day", last.open_time - 14 * DAY, last.open_time, descending=True)
        days = days_of.read(0, 2)
    return {
        "latestTrade": history.trade_json(asset),
        "latestQuote": history.quote_json(asset, service.terms),
        "minuteBar": None if last is None else history.bar_json(last),
        "dailyBar": history.bar_json(days[0]) if days else None,
        "prevDailyBar": history.bar_json(days[1]) if len(days) > 1 else None,
    }


@routes.get("/v2/stocks/{symbol}/bars")
async def bars_of(request: web.Request) -> web.Response:
    symbol = request.match_info["symbol"]
    page, token = _bars_page(request.app[SERVICE], [symbol], request.query)
    return answer({"bars": page.get(symbol, []), "symbol": symbol, "next_page_token": token})


@routes.get("/v1beta1/news")
async def news(request: web.Request) -> web.StreamResponse:
    """Alpaca serves the news REST API and the news stream at the same address."""
    if is_upgrade(request):
        return await request.app[SERVICE].news.handle(request)
    query = request.query
    wanted = {symbol for symbol in query.get("symbols", "").split(",") if symbol}
    start, end = history.moment(query, "start"), history.moment(query, "end")
    found = [
        item
        for item in request.app[SERVICE].books.news()
        if (not wanted or wanted.intersection(item.symbols))
        and history.within(item.updated_at, start, end)
        and (item.content or not is_true(query, "exclude_contentless"))
    ]
    if query.get("sort", "desc").lower() == "asc":
        found.reverse()
    rows, token = history.page_of(len(found), query, history.page_size(query, 10, 50))
    with_content = is_true(query, "include_content")
    page = [history.news_json(found[index], with_content) for index in rows]
    return answer({"news": page, "next_page_token": token})
