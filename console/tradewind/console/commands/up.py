"""`tradewind up`: train what has no model, start everything, trade, report. Shell."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from tradewind.bus import Bus, BusError, open_bus, ports
from tradewind.console.default_features import default_features
from tradewind.console.documents import Documents, load_complete
from tradewind.console.errors import ConsoleError
from tradewind.console.progress import RunProgress
from tradewind.console.stack import LocalStack, absolute, broker_keys
from tradewind.console.state import StateDirectory
from tradewind.console.trading_window import Window, choose_window, write_history_events
from tradewind.planning.local import Replay, Site, consumers, news_configs, plan

_QUIET_S = 60.0


@dataclass(frozen=True)
class UpOptions:
    """What the command line said."""

    files: list[Path]
    replay: str | None
    speed: str
    start: str | None
    end: str | None
    kafka: str | None
    state: Path
    as_json: bool


def run(options: UpOptions) -> dict[str, Any]:
    """Runs until the data set is traded (or, live, until interrupted); returns the summary."""
    documents = load_complete(options.files)
    speed = _speed(options.speed)
    state = StateDirectory(Path(absolute(options.state)))
    with state.prepared():
        _claim(state, options)
        keys = broker_keys(state, simulated=options.replay is not None)
        bus_url = _bus_url(options.kafka, state)
        site = _site(options, documents, state, bus_url, speed)
        workloads = plan(documents.strategies, documents.policies, site)
    out = Console(stderr=options.as_json)
    for notice in documents.notices:
        out.print(f"[yellow]![/] {notice}")
    started = time.time()
    with RunProgress(out) as progress:
        stack = LocalStack(state, workloads, keys, progress.on_line)
        try:
            with stack.running(progress.on_phase) as supervisor:
                supervisor.wait_ready(["feed"], float("inf"))
                if site.replay is None:
                    supervisor.watch()
                progress.on_phase("report")
                summary = _finish(state, documents, site, keys, time.time() - started)
                progress.on_done("report")
        except KeyboardInterrupt:
            raise ConsoleError(f"interrupted; the same command goes on where {options.state} stands") from None
    _print(out, summary, as_json=options.as_json)
    return summary


def _finish(
    state: StateDirectory, documents: Documents, site: Site, keys: dict[str, str], seconds: float
) -> dict[str, Any]:
    # Imported here: pandas, SQLAlchemy and Plotly take seconds that a mistyped option needn't wait for.
    from tradewind.console.report.collect import collect
    from tradewind.console.report.page import render
    from tradewind.console.report.summary import summarise

    with open_bus(site.bus) as bus:
        _await_quiet(bus, documents)
        data = collect(state, documents, site, bus, keys)
    report = state.root / "report.html"
    report.write_text(render(data), encoding="utf-8")
    summary = summarise(data, report, seconds)
    state.write_json(state.root / "summary.json", summary)
    state.write_json(state.root / "transaction_costs.json", data.parents)
    return summary


def _await_quiet(bus: Bus, documents: Documents) -> None:
    """Until everyone has read what was published; at recorded speed the feed waits for nobody."""
    executors = sorted({f"executor-{s.spec.risk_policy}" for s in documents.strategies})
    chain = [(group, topic) for group, topic in ((c["group"], c["topic"]) for c in consumers(documents.strategies, []))]
    chain += [(e, topic) for e in executors for topic in ("bars", "intents")]
    chain += [("recorder", topic) for topic in ("signals", "intents", "orders", "fills", "positions")]
    for group, topic in chain:
        if not bus.wait_committed({(group, topic): bus.end_offset(topic)}, _QUIET_S):
            raise ConsoleError(f"{group} has not read all of {topic} after {_QUIET_S:.0f} s; see its log")


def _speed(text: str) -> str | float:
    if text == "max":
        return text
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e12:
        raise ConsoleError(f"--speed {text}: write max, or how many times faster than recorded, e.g. 1")
    return value


def _claim(state: StateDirectory, options: UpOptions) -> None:
    """Takes the state directory for this run, or says why it can't."""
    alive = state.alive()
    if alive:
        raise ConsoleError(
            f"{options.state} is in use by {alive[0].name} (pid {alive[0].pid}); tradewind down --state {options.state}"
        )
    this = {
        "replay": options.replay,
        "speed": options.speed,
        "start": options.start,
        "end": options.end,
        "kafka": options.kafka,
    }
    if state.run_file.exists():
        before = json.loads(state.run_file.read_text(encoding="utf-8"))["options"]
        if before != this:
            raise ConsoleError(f"{options.state} holds another run ({before}); choose another --state")


def _bus_url(kafka: str | None, state: StateDirectory) -> str:
    url = f"kafka://{kafka}" if kafka else f"file://{state.root}/bus.db"
    try:
        open_bus(url).close()
    except BusError as error:
        raise ConsoleError(str(error)) from None
    return url


def _site(options: UpOptions, documents: Documents, state: StateDirectory, bus: str, speed: str | float) -> Site:
    """Where everything is; the same again when the run goes on."""
    window = _window(options, documents, state) if options.replay else None
    saved = json.loads(state.run_file.read_text(encoding="utf-8")) if state.run_file.exists() else {}
    base_dir = absolute(documents.files[0].parent)
    events = write_history_events(window, news_configs(documents.strategies, base_dir), state.root) if window else None
    before = saved.get("ports", {})
    reserved = {name: ports.reserve(before.get(name)) for name in ("venue", "predictor")}
    name = saved.get("run") or f"{state.root.name}-{int(time.time())}"
    this = {
        "replay": options.replay,
        "speed": options.speed,
        "start": options.start,
        "end": options.end,
        "kafka": options.kafka,
    }
    state.write_json(state.run_file, {"options": this, "ports": reserved, "run": name})
    return Site(
        state_dir=str(state.root),
        bus=bus,
        venue_port=reserved["venue"] if window else None,
        predictor_port=reserved["predictor"],
        broker_url=os.environ.get("APCA_API_BASE_URL", ""),
        default_features=default_features(),
        replay=Replay(window.dataset, window.trained_until, window.end, speed, events) if window else None,
        base_dir=base_dir,
        run=name,
    )


def _window(options: UpOptions, documents: Documents, state: StateDirectory) -> Window:
    assert options.replay is not None
    return choose_window(
        options.replay, documents.strategies, state.root, _day(options.start, "--start"), _day(options.end, "--end")
    )


def _day(text: str | None, option: str) -> date | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise ConsoleError(f"{option} {text}: write a day as YYYY-MM-DD") from None


def _print(out: Console, summary: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(summary))  # noqa: T201
        return
    agree = "[green]agree[/]" if summary["venue_agrees"] else "[red]DISAGREE[/]"
    out.print(
        f"\n[bold]{summary['bars']:,} bars[/] → {summary['features']:,} vectors → "
        f"{summary['predictions']:,} predictions → {summary['intents']:,} intents "
        f"({summary['rejections']:,} refused) → {summary['orders']:,} orders → {summary['fills']:,} fills"
    )
    out.print(
        f"equity {summary['equity']} USD, P&L {summary['pnl']} USD after {summary['costs']} USD of costs "
        f"({summary['return']:+.1%}; buy and hold {summary['buy_and_hold_return']:+.1%})"
    )
    out.print(f"venue, executor, fills topic and SQL {agree}; decision hash {summary['decision_hash'][:16]}…")
    out.print(f"report: {summary['report']}")
