"""What a user can get wrong: each ends in one line on stderr that names it, exit status 2, and nothing half-written.

Each case is the command's entry point in a process of its own, forked from one that has imported what commands need.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from tradewind.streaming.datasets import write_dataset
from tradewind.streaming.datasets.store import BAR_SCHEMA

TRADEWIND = str(Path(sys.executable).parent / "tradewind")

# Reads {argv, cwd, env, out, err} lines; answers each with the exit status.
SERVER = """
import json, os, sys
import tradewind.console.commands.data, tradewind.console.commands.replay, tradewind.console.commands.status
import tradewind.console.commands.train, tradewind.console.commands.up, tradewind.console.commands.venue
from tradewind.console.main import main
for line in sys.stdin:
    case = json.loads(line)
    child = os.fork()
    if child == 0:
        for path, number in ((case["out"], 1), (case["err"], 2)):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
        os.chdir(case["cwd"])
        os.environ.clear()
        os.environ.update(case["env"])
        sys.argv = ["tradewind", *case["argv"]]
        sys.exit(main())
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""

STRATEGY = """\
apiVersion: tradewind.dev/v1alpha1
kind: Strategy
metadata: {name: one}
spec:
  riskPolicy: paper
  universe: {symbols: [AAPL], context: null}
  training: {until: 2011-02-25}
"""
POLICY = """\
apiVersion: tradewind.dev/v1alpha1
kind: RiskPolicy
metadata: {name: paper}
spec:
  strategies: [one]
"""
GOOD = STRATEGY + "---\n" + POLICY


@dataclass(frozen=True)
class Case:
    """Arguments (F: the documents, S: a state directory that isn't there, D: a data set), and what the line names."""

    name: str
    arguments: str
    says: list[str]
    documents: str = GOOD
    environment: dict[str, str] = field(default_factory=dict)
    spoil: Callable[[Path], None] | None = None  # of the data set


def truncate(dataset: Path) -> None:
    bars = dataset / "bars.parquet"
    bars.write_bytes(bars.read_bytes()[:-100])


def flip(dataset: Path) -> None:
    bars = dataset / "bars.parquet"
    content = bytearray(bars.read_bytes())
    content[len(content) // 2] ^= 1
    bars.write_bytes(content)


KEYS = {"APCA_API_KEY_ID": "K", "APCA_API_SECRET_KEY": "S"}
UP = "up -f F --state S"

CASES = [
    Case("no such document", "validate -f nowhere.yaml", ["nowhere.yaml: no such file", "-f"]),
    Case("not YAML", "validate -f F", ["documents.yaml: line ", "not valid YAML"], GOOD + "  a: [1\n"),
    Case("unknown field", "validate -f F", ["Strategy/one: spec.sizng", "sizing"], STRATEGY + "  sizng: {}\n"),
    Case(
        "unknown feature",
        "validate -f F",
        ["Strategy/one: spec.features.names", "tech_rzi_14_raw"],
        STRATEGY + "  features: {names: [tech_rzi_14_raw]}\n",
    ),
    Case(
        "limit out of range",
        "validate -f F",
        ["RiskPolicy/paper: spec.limits.position.maxShare", "1.5"],
        POLICY + "  limits: {position: {maxShare: 1.5}}\n",
    ),
    Case(
        "the same when it is to run",
        UP + " --replay D",
        ["RiskPolicy/paper: spec.limits.loss.daily"],
        GOOD + "  limits: {loss: {daily: 0}}\n",
    ),
    Case("no strategy", UP + " --replay D", ["no Strategy", "-f"], POLICY),
    Case("no policy", UP + " --replay D", ["Strategy/one: spec.riskPolicy", "'paper'", "-f"], STRATEGY),
    Case(
        "unknown symbol",
        UP + " --replay D",
        ["Strategy/one: spec.universe: ZZZZ not in data set", "AAPL"],
        GOOD.replace("AAPL", "ZZZZ"),
    ),
    Case(
        "bars of another interval",
        UP + " --replay D",
        ["spec.bars is 1m", "1d"],
        GOOD.replace("  training", "  bars: 1m\n  training"),
    ),
    Case("no data set", UP + " --replay /nowhere/data", ["/nowhere/data/dataset.json: missing"]),
    Case("truncated data set", UP + " --replay D", ["bars.parquet: truncated or altered"], spoil=truncate),
    Case("altered data set", UP + " --replay D", ["bars.parquet: truncated or altered"], spoil=flip),
    Case("speed", UP + " --replay D --speed fast", ["--speed fast", "max"]),
    Case("day", UP + " --replay D --start 2011-02-31", ["--start 2011-02-31", "YYYY-MM-DD"]),
    Case("no Kafka", UP + " --replay D --kafka 127.0.0.1:1", ["127.0.0.1:1"]),
    Case("no keys", UP, ["APCA_API_KEY_ID and APCA_API_SECRET_KEY not set", "--replay"]),
    Case("half the keys", UP, ["APCA_API_SECRET_KEY not set"], environment={"APCA_API_KEY_ID": "K"}),
    Case("state that cannot be", "up -f F --state F/x --replay D", ["--state"]),
    Case("training without a data set", "train -f F --state S --replay /nowhere", ["/nowhere/dataset.json: missing"]),
    Case("replay of nothing", "replay S", ["no such journal or state directory"]),
    Case("replay of what has no journal", "replay D", ["holds no journal"]),
    Case("status of nothing", "status --state S", ["no such state directory", "--state"]),
    Case("halt of nothing", "halt --by ada --state S", ["no executor runs in", "tradewind up"]),
    Case("venue's port is taken", "venue --state S --port TAKEN", ["--port", "in use"], environment=KEYS),
    Case("venue's port is none", "venue --state S --port 70000", ["--port 70000"], environment=KEYS),
    Case("venue without cash", "venue --state S --port 0 --cash lots", ["--cash lots"], environment=KEYS),
    Case("venue without keys", "venue --state S --port 0", ["APCA_API_KEY_ID and APCA_API_SECRET_KEY not set"]),
    Case("file of no kind", "data import F --out S --stamps open --timezone UTC", ["documents.yaml", ".csv"]),
    Case(
        "file that is not there",
        "data import nowhere.csv --out S --stamps open --timezone UTC",
        ["nowhere.csv"],
    ),
    Case("zone", "data import bars.csv --out S --stamps open --timezone Mars/North", ["Mars/North"]),
    Case("stamps", "data import bars.csv --out S --stamps middle --timezone UTC", ["stamps", "middle"]),
    Case("interval", "data import bars.csv --out S --stamps open --timezone UTC --interval 7m", ["interval", "7m"]),
    Case(
        "high below low",
        "data import crossed.csv --out S --stamps open --timezone UTC",
        ["crossed.csv", "high"],
    ),
    Case("column", "data import bars.csv --out S --stamps open --timezone UTC --column time", ["--column time"]),
    Case(
        "pull without keys", "data pull --symbols AAPL --start 2011-01-03 --end 2011-01-04 --out S", ["APCA_API_KEY_ID"]
    ),
    Case("pull of no day", "data pull --symbols AAPL --start monday --end 2011-01-04 --out S", ["--start monday"]),
    Case("no such command", "trade", ["'trade'", "--help"]),
    Case("no such option", "up --fast", ["--fast", "--help"]),
    Case("missing option", "up", ["--file", "--help"]),
    Case("option of another type", "venue --port high", ["--port", "--help"]),
]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days of AAPL, the last of them traded."""
    closes = [int(datetime(2011, 2, day, 21, tzinfo=UTC).timestamp()) * 10**9 for day in (24, 25, 28)]
    rows = [
        {
            "symbol": "AAPL",
            "interval": "1d",
            "open_time": close - 6 * 3600 * 10**9,
            "event_time": close,
            "available_time": close,
            **dict.fromkeys(("open", "high", "low", "close"), 100 * 10**8),
            "volume": 1000,
            "vwap": None,
            "trade_count": None,
            "context": False,
        }
        for close in closes
    ]
    path = tmp_path_factory.mktemp("bad-input") / "data"
    bars = pl.DataFrame(rows, schema=BAR_SCHEMA)
    write_dataset(path, bars, name="small", interval="1d", stamps="session", adjustment="raw", source="this test")
    return path


Command = Callable[[list[str], Path, dict[str, str]], tuple[int, str, str]]


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """Runs `tradewind` with arguments, directory and environment: exit status, stdout, stderr."""
    folder = tmp_path_factory.mktemp("output")
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdin is not None
    assert server.stdout is not None
    stdin, stdout = server.stdin, server.stdout

    def run(argv: list[str], cwd: Path, env: dict[str, str]) -> tuple[int, str, str]:
        out, err = folder / "out", folder / "err"
        for path in (out, err):
            path.unlink(missing_ok=True)
        case = {"argv": argv, "cwd": str(cwd), "env": env, "out": str(out), "err": str(err)}
        stdin.write(json.dumps(case) + "\n")
        stdin.flush()
        return int(stdout.readline()), out.read_text(), err.read_text()

    yield run
    stdin.close()
    assert server.wait(30) == 0
    stdout.close()


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.mark.parametrize("case", CASES, ids=[c.name for c in CASES])
def test_bad_input(case: Case, command: Command, dataset: Path, taken: int, tmp_path: Path) -> None:
    documents, state, data = tmp_path / "documents.yaml", tmp_path / "state", tmp_path / "data"
    documents.write_text(case.documents)
    (tmp_path / "bars.csv").write_text("date,open,high,low,close,volume\n2011-01-03,10,11,9,10,100\n")
    (tmp_path / "crossed.csv").write_text("date,open,high,low,close,volume\n2011-01-03,10,9,11,10,100\n")
    shutil.copytree(dataset, data)
    if case.spoil:
        case.spoil(data)
    before = snapshot(tmp_path)
    names = {"F": str(documents), "F/x": f"{documents}/x", "S": str(state), "D": str(data), "TAKEN": str(taken)}
    clean = {k: v for k, v in os.environ.items() if not k.startswith("APCA")}
    argv = [names.get(a, a) for a in case.arguments.split()]
    status, out, err = command(argv, tmp_path, {**clean, **case.environment})
    lines = err.splitlines()
    assert (status, len(lines)) == (2, 1), err
    for words in case.says:
        assert words in lines[0]
    assert out == ""
    assert snapshot(tmp_path) == before


def snapshot(root: Path) -> dict[str, bytes | None]:
    """Every path below with its content."""
    return {str(p.relative_to(root)): p.read_bytes() if p.is_file() else None for p in sorted(root.rglob("*"))}


def test_the_installed_command_says_the_same(tmp_path: Path) -> None:
    done = subprocess.run([TRADEWIND, "status", "--state", "S"], capture_output=True, text=True, cwd=tmp_path)
    line = "S: no such state directory; give the one of tradewind up with --state\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line)


def test_good_input_is_accepted(tmp_path: Path) -> None:
    """The cases above fail for what they name and not for what they share."""
    documents = tmp_path / "documents.yaml"
    documents.write_text(GOOD)
    done = subprocess.run([TRADEWIND, "validate", "-f", str(documents)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Strategy/one" in done.stdout
    assert "RiskPolicy/paper" in done.stdout
