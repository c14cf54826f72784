"""Shell. /sim: what no broker has - moving virtual time, bringing bars, quotes, news and assets, reading the books."""

from __future__ import annotations

from aiohttp import web

from tradewind.execution.venue.http import SERVICE, answer, body_of
from tradewind.execution.venue.market import parse_asset, parse_bar, parse_news, parse_quote, rows_of
from tradewind.execution.venue.queries import sim_state
from tradewind.execution.venue.session import advance, take_bar, take_quote
from tradewind.execution.venue.state import State

routes = web.RouteTableDef()


@routes.post("/sim/advance")
async def step(request: web.Request) -> web.Response:
    body = await body_of(request)
    return answer(await request.app[SERVICE].change(lambda state: advance(state, body), broadcast=True))


@routes.post("/sim/assets")
async def add_assets(request: web.Request) -> web.Response:
    body = await body_of(request)
    assets = [parse_asset(raw, f"assets[{index}]") for index, raw in enumerate(rows_of(body, "assets"))]

    def add(state: State) -> int:
        new = [asset for asset in assets if asset.symbol not in state.assets]
        for asset in new:
            state.add_asset(asset)
        return len(new)

    return answer({"assets": await request.app[SERVICE].change(add)})


@routes.post("/sim/history")
async def load_history(request: web.Request) -> web.Response:
    body = await body_of(request)
    bars = [parse_bar(raw, f"bars[{index}]") for index, raw in enumerate(rows_of(body, "bars"))]
    articles = [parse_news(raw, f"news[{index}]") for index, raw in enumerate(rows_of(body, "news"))]
    service = request.app[SERVICE]

    def load(state: State) -> None:
        for bar in sorted(bars, key=lambda bar: bar.event_time):
            take_bar(state, bar, service.now())
        state.changes.news.extend(articles)

    await service.change(load)
    return answer({"bars": len(bars), "news": len(articles)})


@routes.post("/sim/news")
async def publish_news(request: web.Request) -> web.Response:
    body = await body_of(request)
    articles = [parse_news(raw, f"news[{index}]") for index, raw in enumerate(rows_of(body, "news"))]
    await request.app[SERVICE].change(lambda state: state.changes.news.extend(articles), broadcast=True)
    return answer({"news": len(articles)})


@routes.post("/sim/quotes")
async def publish_quotes(request: web.Request) -> web.Response:
    body = await body_of(request)
    quotes = [parse_quote(raw, f"quotes[{index}]") for index, raw in enumerate(rows_of(body, "quotes"))]
    service = request.app[SERVICE]

    def take(state: State) -> None:
        for quote in quotes:
            take_quote(state, quote, service.now())

    await service.change(take, broadcast=True)
    return answer({"quotes": len(quotes)})


@routes.get("/sim/state")
async def read_state(request: web.Request) -> web.Response:
    return answer(sim_state(request.app[SERVICE].state))
