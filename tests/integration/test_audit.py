"""The audit of a real run, verified, taken out, followed back, and damaged in every way that it must notice."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sqlite3
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from tests.chaos.rig import ACCOUNT, DOLLAR, SHARE, Rig
from tradewind.bus import open_bus
from tradewind.console.commands import audit, books
from tradewind.console.errors import ConsoleError
from tradewind.execution.audit.chain import GENESIS, digest
from tradewind.v1 import control_pb2, features_pb2, trading_pb2

SIGNAL, SET = "signal-1", "bars_1m_default"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state directory of a run with fills, a refusal, a halt and a restart by SIGKILL in between."""
    folder = tmp_path_factory.mktemp("audited")
    with Rig(folder) as rig:
        executor = rig.executor()
        executor.start()
        bar = next(r for r in rig.bus.read("bars") if r.message.symbol == "AAPL")  # type: ignore[attr-defined]
        vector = features_pb2.FeatureVector(
            symbol="AAPL", feature_set=SET, feature_set_version="v-1", values=[1.0, 2.0], bar_offset=bar.offset
        )
        offset = rig.bus.publish("features", "AAPL", vector)
        signal = trading_pb2.Signal(
            id=SIGNAL, strategy=rig.strategy.uid, symbol="AAPL", prediction=0.5, feature_offset=offset
        )
        rig.bus.publish("signals", "AAPL", signal)
        intents = {rig.want("AAPL", 10, signal_id=SIGNAL, model="trend", model_version="7"), rig.want("NOPE", 1)}
        rig.until("both verdicts", lambda: rig.settled(intents))
        executor.kill()
        executor.start()
        rig.quote({"AAPL": 104})
        halt = control_pb2.ControlCommand(
            account=ACCOUNT, action=control_pb2.CONTROL_ACTION_HALT, issued_by="Ada", reason="drill", flatten=True
        )
        rig.bus.publish("control", ACCOUNT, control_pb2.ControlMessage(command=halt))
        rig.until("flat", lambda: rig.venue_position("AAPL") == 0)
        rig.until("verified", lambda: any(r["phase"] == 4 for r in rig.records("kill")))
        told = rig.bus.end_offset("positions")
        rig.quote({"AAPL": 100})
        rig.until("the books", lambda: rig.bus.end_offset("positions") > told)
        executor.stop()
    return folder


@pytest.fixture
def state(finished: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(finished, tmp_path / "state"))


def links(state: Path) -> list[trading_pb2.AuditRecord]:
    with open_bus(f"file://{state}/bus.db") as bus:
        return [r.message for r in bus.read("audit") if isinstance(r.message, trading_pb2.AuditRecord)]


def rewrite(state: Path, change: Callable[[list[trading_pb2.AuditRecord]], list[trading_pb2.AuditRecord]]) -> None:
    """Puts other records in the place of the topic's, as somebody with the file in hand can."""
    changed = change(links(state))
    with sqlite3.connect(state / "bus.db") as db:
        before = db.execute("SELECT * FROM record WHERE topic = 'audit' ORDER BY \"offset\"").fetchall()
        names = [row[1] for row in db.execute("PRAGMA table_info(record)")]
        payload, offset = names.index("payload"), names.index("offset")
        db.execute("DELETE FROM record WHERE topic = 'audit'")
        for number, record in enumerate(changed):
            row = list(before[min(number, len(before) - 1)])
            row[payload], row[offset] = record.SerializeToString(deterministic=True), number
            db.execute(f"INSERT INTO record VALUES ({','.join('?' * len(row))})", row)


def broken(state: Path) -> str:
    with pytest.raises(ConsoleError) as error:
        audit.check(state, None, None, as_json=False)
    return str(error.value)


def test_the_chain_of_a_run_holds_and_says_all_that_was_done(finished: Path, capsys: pytest.CaptureFixture) -> None:
    audit.check(finished, None, None, as_json=True)
    (result,) = json.loads(capsys.readouterr().out)
    records = links(finished)
    assert (result["records"], result["journal"], result["first_break"]) == (len(records), True, None)
    rows = [(r.kind, json.loads(r.payload)) for r in records]
    commands = [(row["kind"], row["issued_by"], row["reason"]) for kind, row in rows if kind == "SYSTEM_COMMAND"]
    assert [c[0] for c in commands] == ["started", "started", "halt", "stopped"]
    assert commands[2] == ("halt", "Ada", "drill")
    assert [c[2] for c in commands if c[0] == "started"] == ["lease 1", "lease 2"]
    refused = [row for kind, row in rows if kind == "ORDER_VERDICT" and not row["accepted"]]
    assert [(row["symbol"], row["code"]) for row in refused] == [("NOPE", "UNKNOWN_SYMBOL")]
    fills = [(row["symbol"], row["quantity"], row["side"]) for kind, row in rows if kind == "POSITION_FILL"]
    assert fills == [("AAPL", 10 * SHARE, 1), ("AAPL", 10 * SHARE, 2)]
    assert [row["policy_generation"] for kind, row in rows if kind == "RISK_POLICY"] == [1]
    assert {"RISK_KILL_SWITCH", "ORDER_UPDATE", "SYSTEM_ALERT"} <= {kind for kind, _ in rows}


def test_an_altered_record_is_named(state: Path) -> None:
    def alter(records: list[trading_pb2.AuditRecord]) -> list[trading_pb2.AuditRecord]:
        records[3].payload = records[3].payload.replace(b"1", b"2", 1)
        return records

    rewrite(state, alter)
    assert "altered at record 4:" in broken(state)


def test_a_changed_time_is_an_alteration_too(state: Path) -> None:
    def alter(records: list[trading_pb2.AuditRecord]) -> list[trading_pb2.AuditRecord]:
        records[5].event_time += 1
        return records

    rewrite(state, alter)
    assert "altered at record 6:" in broken(state)


def test_a_record_taken_out_is_missed(state: Path) -> None:
    rewrite(state, lambda records: records[:4] + records[5:])
    assert "missing at record 5: records 5 to 5 are not there" in broken(state)


def test_records_out_of_order_are_noticed(state: Path) -> None:
    rewrite(state, lambda records: [*records[:4], records[5], records[4], *records[6:]])
    assert "reordered at record 5: record 5 stands behind record 6" in broken(state)


def test_a_head_cut_off_is_noticed(state: Path) -> None:
    rewrite(state, lambda records: records[3:])
    assert "truncated head at record 1: records 1 to 3 are not there" in broken(state)


def test_a_tail_cut_off_shows_against_the_journal(state: Path) -> None:
    count = len(links(state))
    rewrite(state, lambda records: records[:-2])
    assert f"truncated tail at record {count - 1}" in broken(state)


def test_a_chain_made_anew_shows_against_the_journal(state: Path, capsys: pytest.CaptureFixture) -> None:
    def forge(records: list[trading_pb2.AuditRecord]) -> list[trading_pb2.AuditRecord]:
        records[4].payload = records[4].payload.replace(b"1", b"2", 1)
        before = GENESIS
        for record in records:
            record.previous_hash = before
            record.hash = before = digest(record)
        return records

    rewrite(state, forge)
    assert "altered at record 5: record 5 is not the journal's" in broken(state)
    shutil.rmtree(state / "executors")
    audit.check(state, None, None, as_json=False)  # without the journal nothing shows: the message says so
    assert "no journal here" in capsys.readouterr().out


def test_a_record_published_twice_is_no_damage(state: Path, capsys: pytest.CaptureFixture) -> None:
    rewrite(state, lambda records: [*records[:6], *records[3:]])
    audit.check(state, None, None, as_json=False)
    assert "the chain holds" in capsys.readouterr().out


def test_export_filters_by_kind_and_time_and_keeps_the_payload(finished: Path, capsys: pytest.CaptureFixture) -> None:
    audit.export(finished, None, None, "jsonl", ACCOUNT, ["POSITION_FILL"], None, None)
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["kind"], row["payload"]["symbol"]) for row in rows] == [("POSITION_FILL", "AAPL")] * 2
    later = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 3600))
    audit.export(finished, None, None, "jsonl", None, [], later, None)
    assert capsys.readouterr().out == ""
    audit.export(finished, None, None, "csv", None, [], None, later)
    table = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [bytes.fromhex(row["hash"]) for row in table] == [r.hash for r in links(finished)]
    assert table[0]["payload"].encode() == links(finished)[0].payload


def test_a_fill_is_followed_back_to_its_bar(finished: Path, capsys: pytest.CaptureFixture) -> None:
    fill = next(json.loads(r.payload) for r in links(finished) if r.kind == "POSITION_FILL")
    for wanted in (fill["execution_id"], fill["client_order_id"], fill["broker_order_id"]):
        audit.trace(finished, None, wanted, as_json=True)
        found = json.loads(capsys.readouterr().out)
        (decision,) = found["decisions"]
        assert found["client_order_id"] == fill["client_order_id"]
        assert decision["intent"]["model_version"] == "7"
        assert decision["signal"]["id"] == decision["intent"]["signal_id"] == SIGNAL
        assert decision["features"]["feature_set_version"] == "v-1"
        assert (decision["bar"]["symbol"], decision["bar"]["close"]) == ("AAPL", str(100 * DOLLAR))
        assert decision["policy"]["policy_generation"] == 1
        assert decision["verdict"]["order"] == fill["client_order_id"]
    audit.trace(finished, None, fill["client_order_id"], as_json=False)
    out = capsys.readouterr().out
    words = [line.split()[0] for line in out.splitlines()]
    assert words == ["fill", "order", "verdict", "intent", "model", "signal", "features", "bar"]
    with pytest.raises(ConsoleError, match="no order or fill of this run has this id"):
        audit.trace(finished, None, "nobody", as_json=False)


def test_the_books_of_the_run_follow_from_its_fills(state: Path, capsys: pytest.CaptureFixture) -> None:
    books.run(state, None, None, "27.80", "0.01", "0.05", as_json=True)
    (told,) = json.loads(capsys.readouterr().out)
    # Ten bought at 100 and sold at 104; SEC 0.0289, rounded up, and TAF at its cap.
    assert (told["realised"], told["unrealised"], told["fees_due"]) == ("40.00", "0.00", "0.08")
    assert Decimal(told["cash"]) == Decimal("1000040")
    assert Decimal(told["cash"]) - Decimal(told["settled_cash"]) == Decimal("1040")
    assert [(row["symbol"], row["quantity"]) for row in told["positions"]] == [("AAPL", "0")]
    with open_bus(f"file://{state}/bus.db") as bus:
        last = [r.message for r in bus.read("fills") if isinstance(r.message, trading_pb2.Fill)][-1]
        last.execution_id, last.quantity = "one more", SHARE
        bus.publish("fills", ACCOUNT, last)
    with pytest.raises(ConsoleError, match="AAPL: the fills add up to -1, the executor holds 0"):
        books.run(state, None, None, "0", "0", None, as_json=False)
    with pytest.raises(ConsoleError, match="--taf-max all"):
        books.run(state, None, None, "0", "0", "all", as_json=False)


def test_bad_input_is_one_line(tmp_path: Path, finished: Path) -> None:
    for call, said in {
        lambda: audit.check(tmp_path, None, None, as_json=False): "holds no bus.db",
        lambda: audit.check(finished, None, "nobody", as_json=False): "no record of account nobody",
        lambda: audit.export(finished, None, None, "xml", None, [], None, None): "--format xml",
        lambda: audit.export(finished, None, None, "csv", None, ["ORDER"], None, None): "--kind ORDER",
        lambda: audit.export(finished, None, None, "csv", None, [], "soon", None): "--since soon",
    }.items():
        with pytest.raises(ConsoleError, match=said):
            call()
