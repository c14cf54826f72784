"""The `tradewind` command. Shell: parses arguments, calls one function per command, turns failures into one line.

Commands import what they need when they run: `tradewind validate` must not wait for Ray.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tradewind.console.errors import ConsoleError

# Typer carries Click's exceptions under names of its own; of usage errors it makes only this child public.
_USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Machine-learned trading, declared.",
)
data_app = typer.Typer(no_args_is_help=True, help="Bring your own bars and news.")
app.add_typer(data_app, name="data")
audit_app = typer.Typer(
    no_args_is_help=True, help="What the executors put on record: check it, take it out, follow it."
)
app.add_typer(audit_app, name="audit")

Files = Annotated[
    list[Path], typer.Option("--file", "-f", help="A YAML file with Strategy and RiskPolicy documents; repeatable.")
]
State = Annotated[Path, typer.Option("--state", help="Directory of the run's state.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
BusUrl = Annotated[
    str | None, typer.Option("--bus", help="kafka://HOST:PORT; default: the file in the state directory.")
]


@app.command()
def validate(file: Files, json: Json = False) -> None:
    """Check documents without running anything."""
    from tradewind.console.commands.validate import run

    run(file, as_json=json)


@app.command()
def up(
    file: Files,
    replay: Annotated[
        str | None, typer.Option(help="Data set to replay: a directory, or `demo`. Without it: live.")
    ] = None,
    speed: Annotated[
        str, typer.Option(help="`max` (lockstep, virtual time) or a multiple of recorded speed, e.g. 1.")
    ] = "max",
    start: Annotated[
        str | None, typer.Option(help="First day traded, YYYY-MM-DD; default: the day after training ends.")
    ] = None,
    end: Annotated[str | None, typer.Option(help="Last day traded, YYYY-MM-DD; default: the data set's last.")] = None,
    kafka: Annotated[
        str | None, typer.Option(help="HOST:PORT of a Kafka to use instead of the file-backed log.")
    ] = None,
    state: State = Path("runs/state"),
    json: Json = False,
) -> None:
    """Train what has no model yet, start every process, trade, and write the report."""
    from tradewind.console.commands.up import UpOptions, run

    run(UpOptions(files=file, replay=replay, speed=speed, start=start, end=end, kafka=kafka, state=state, as_json=json))


@app.command()
def demo(json: Json = False) -> None:
    """Trade two years of real daily bars with a model trained on the years before; leaves runs/latest."""
    from tradewind.console.commands.demo import run

    run(as_json=json)


@app.command()
def train(
    file: Files,
    replay: Annotated[str, typer.Option(help="Data set to learn from: a directory, or `demo`.")] = "demo",
    state: State = Path("runs/state"),
    force: Annotated[bool, typer.Option(help="Train even when a model of the same data and documents exists.")] = False,
    json: Json = False,
) -> None:
    """Train and register the models of the strategies."""
    from tradewind.console.commands.train import run

    run(file, replay, state, force=force, as_json=json)


@app.command()
def status(state: State = Path("runs/state"), json: Json = False) -> None:
    """What runs, and how each account stands."""
    from tradewind.console.commands.status import run

    run(state, as_json=json)


@app.command()
def books(
    state: State = Path("runs/state"),
    bus: BusUrl = None,
    account: Annotated[str | None, typer.Option(help="RiskPolicy; default: every account.")] = None,
    sec_per_million: Annotated[str, typer.Option(help="SEC fee, USD per million USD sold.")] = "0",
    taf_per_share: Annotated[str, typer.Option(help="FINRA's trading activity fee, USD per share sold.")] = "0",
    taf_max: Annotated[str | None, typer.Option(help="Most of it per order, USD.")] = None,
    json: Json = False,
) -> None:
    """Positions, realised and unrealised P&L, fees and settled cash from the fills, compared with the executor's."""
    from tradewind.console.commands.books import run

    run(state, bus, account, sec_per_million, taf_per_share, taf_max, as_json=json)


@app.command()
def down(state: State = Path("runs/state")) -> None:
    """Stop every process of a run."""
    from tradewind.console.commands.down import run

    run(state)


@app.command()
def apply(file: Files, state: State = Path("runs/state")) -> None:
    """Give a running account changed limits; what is refused leaves the last ones in force."""
    from tradewind.console.commands.apply import run

    run(file, state)


@app.command()
def halt(
    by: Annotated[str, typer.Option(help="Who asks; goes on record.")],
    account: Annotated[str | None, typer.Option(help="RiskPolicy; default: every account of the run.")] = None,
    reason: Annotated[str, typer.Option(help="Why.")] = "manual",
    flatten: Annotated[bool, typer.Option(help="Close every position too.")] = True,
    state: State = Path("runs/state"),
) -> None:
    """Kill switch: latch, refuse, cancel all, flatten."""
    from tradewind.console.commands.control import halt as run

    run(state, account, by, reason, flatten=flatten)


@app.command()
def resume(
    by: Annotated[str, typer.Option(help="Who releases the switch; goes on record.")],
    account: Annotated[str | None, typer.Option(help="RiskPolicy; default: every account of the run.")] = None,
    reason: Annotated[str, typer.Option(help="Why.")] = "manual",
    state: State = Path("runs/state"),
) -> None:
    """Release a latched kill switch."""
    from tradewind.console.commands.control import resume as run

    run(state, account, by, reason)


@app.command()
def venue(
    state: State = Path("runs/venue"),
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.")] = 8443,
    cash: Annotated[str, typer.Option(help="Starting cash, USD.")] = "100000",
    symbols: Annotated[str, typer.Option(help="Comma-separated symbols.")] = "AAPL,MSFT",
) -> None:
    """A simulated Alpaca to try any client against. Keys come from APCA_API_KEY_ID and APCA_API_SECRET_KEY."""
    from tradewind.console.commands.venue import run

    run(state, port, cash, symbols)


@app.command()
def replay(
    journal: Annotated[Path, typer.Argument(help="A journal, or the state directory of a run.")],
    json: Json = False,
) -> None:
    """Feed a recorded input log to a fresh engine and compare every decision."""
    from tradewind.console.commands.replay import run

    run(journal, as_json=json)


@data_app.command("import")
def data_import(
    files: Annotated[list[Path], typer.Argument(help="CSV, Parquet or HDF5 files of bars.")],
    out: Annotated[Path, typer.Option(help="Directory of the new data set.")],
    stamps: Annotated[str, typer.Option(help="Whether times are the bars' `open` or `close`.")],
    timezone: Annotated[str, typer.Option(help="Time zone of the times, e.g. America/New_York or UTC.")],
    interval: Annotated[str, typer.Option(help="1m, 5m, 15m, 1h or 1d.")] = "1d",
    symbol: Annotated[
        str | None, typer.Option(help="Symbol of a file without a symbol column; default: its name.")
    ] = None,
    context: Annotated[str | None, typer.Option(help="Symbol that is market context and never traded.")] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="NAME=COLUMN where the file's names differ; repeatable.")
    ] = None,
    json: Json = False,
) -> None:
    """Turn files of bars into a data set."""
    from tradewind.console.commands.data import import_files

    import_files(files, out, stamps, timezone, interval, symbol, context, column or [], as_json=json)


@data_app.command("pull")
def data_pull(
    symbols: Annotated[str, typer.Option(help="Comma-separated symbols.")],
    start: Annotated[str, typer.Option(help="First day, YYYY-MM-DD.")],
    end: Annotated[str, typer.Option(help="Last day, YYYY-MM-DD.")],
    out: Annotated[Path, typer.Option(help="Directory of the new data set.")],
    interval: Annotated[str, typer.Option(help="1m, 5m, 15m, 1h or 1d.")] = "1d",
    url: Annotated[str, typer.Option(help="Alpaca's data address.")] = "https://data.alpaca.markets",
    ca: Annotated[Path | None, typer.Option(help="CA certificate of a simulated venue.")] = None,
    json: Json = False,
) -> None:
    """Fetch bars and news from Alpaca's data service."""
    from tradewind.console.commands.data import pull

    pull(symbols, start, end, out, interval, url, ca, as_json=json)


@data_app.command("stage")
def data_stage(
    out: Annotated[Path, typer.Argument(help="The new directory.")],
    files: Files,
    replay: Annotated[str, typer.Option(help="A data set, or `demo`.")] = "demo",
    speed: Annotated[float, typer.Option(min=1e-3, help="Times faster than recorded.")] = 86400,
    json: Json = False,
) -> None:
    """Lay out what a cluster's data volume needs to train on a data set and trade it again."""
    from tradewind.console.commands.stage import run

    run(files, replay, out, speed, as_json=json)


@audit_app.command("verify")
def audit_verify(
    state: State = Path("runs/state"),
    bus: BusUrl = None,
    account: Annotated[str | None, typer.Option(help="RiskPolicy; default: every account.")] = None,
    json: Json = False,
) -> None:
    """Check the chain of hashes, and compare it with the journal; name the first record that is wrong."""
    from tradewind.console.commands.audit import check

    check(state, bus, account, as_json=json)


@audit_app.command("export")
def audit_export(
    state: State = Path("runs/state"),
    bus: BusUrl = None,
    out: Annotated[Path | None, typer.Option(help="File to write; default: standard output.")] = None,
    format: Annotated[str, typer.Option(help="`jsonl` or `csv`.")] = "jsonl",  # noqa: A002 - the option's name
    account: Annotated[str | None, typer.Option(help="RiskPolicy; default: every account.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="Only this kind, e.g. ORDER_VERDICT; repeatable.")] = None,
    since: Annotated[
        str | None, typer.Option(help="From this time on, UTC: 2026-03-02 or 2026-03-02T14:30:00.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Before this time.")] = None,
) -> None:
    """Write the records as JSON lines or CSV."""
    from tradewind.console.commands.audit import export

    export(state, bus, out, format, account, kind or [], since, until)


@audit_app.command("trace")
def audit_trace(
    id: Annotated[str, typer.Argument(help="A client order id, the broker's order id or an execution id.")],  # noqa: A002
    state: State = Path("runs/state"),
    bus: BusUrl = None,
    json: Json = False,
) -> None:
    """Show what led to an order or a fill: verdict, policy, intent, model, signal, features, bar."""
    from tradewind.console.commands.audit import trace

    trace(state, bus, id, as_json=json)


def _usage_line(error: Any) -> str:
    command = error.ctx.command_path if error.ctx else "tradewind"
    message = " ".join(error.format_message().split()) or "no command given"
    return f"{message.rstrip('.')}; see {command} --help"


def main() -> None:
    """Entry point: failures a user can mend are one line on stderr and status 2."""
    # `tradewind down`, a container or a shell ends us politely: what we started must end with us.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except ConsoleError as error:
        print(error, file=sys.stderr)  # noqa: T201
    except _USAGE_ERROR as error:
        print(_usage_line(error), file=sys.stderr)  # noqa: T201
    sys.exit(2)


if __name__ == "__main__":
    main()
