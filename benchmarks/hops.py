"""Every hop from a bar to the order at the venue: `python -m benchmarks.hops` prints JSON lines.

The real processes, as the planner plans and the supervisor runs them: simulated venue (TLS, durable books), features
process, predictor on Ray Serve (300 trees x 31 leaves), signal process, executor at recorded speed; no recorder and no
feed, whose place this process takes. Load is open-loop: one bar time each `--period`, the bars of all symbols in one
batch; half a period earlier the venue gets the same bars by POST /sim/advance and trades what rests, so that fills fall
between the bars. No process waits for another's step, and a late one is not waited for.

Arms: `chain`, from the time stamps that the bus gives records (file bus: ns; Kafka: whole ms) and from the host's
clock where the venue's process has read an order off its socket (`benchmarks.hops_venue`). One value per record:
bar_to_vector         bar on the bus → its feature vector on the bus
vector_to_signal      vector on the bus → its signal on the bus: wait for the books as of the bar, prediction, decision
signal_to_intent      both leave in one batch: on the file bus they bear one time stamp
intent_to_venue       intent on the bus → its order read by the venue: executor's poll, risk, journal, TLS, the turn
                      of the orders before it
intent_to_order       intent on the bus → first record of its order that has the broker's id on the bus
bar_to_venue          end to end, one value per order; .._first and .._last: of a bar time's first and last order
second_leg            the same for what opens the other side of a reversed position, once what closes it has filled,
                      which the venue does half a period later: not a cost of the path, and in no other figure
publish_delay         how late a bar time was published after its schedule: what the benchmark itself adds
`executor`: the executor's own histograms, warm-up included: intent → engine thread → decided and journalled → encoded
(orders that found a connection free) or waited for one (the others) → written to TLS, the total, the broker's answer.
The aim is bar_to_venue below 20 ms at the 99th percentile.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.hops_input import ACCOUNT, INDEX, documents, make_market, register_model, write_history
from tradewind.bus import Bus, Outgoing, Record, open_bus, ports
from tradewind.console.default_features import default_features
from tradewind.console.stack import READY_S, LocalStack, broker_keys
from tradewind.console.state import StateDirectory
from tradewind.planning import Workload
from tradewind.planning.local import Replay, Site, feature_names, plan, venue_ca, venue_url
from tradewind.streaming.feed.config import VenueConfig
from tradewind.streaming.feed.venue import Venue
from tradewind.v1.market_pb2 import Bar

_LEFT_OUT = {"recorder", "feed"}
_QUIET_S = 60.0
_UNIT_NS = 1e3  # ns in the µs that are printed

Values = dict[str, list[float]]


def workloads(site: Site, symbols: Sequence[str]) -> list[Workload]:
    """The plan's processes without those that the benchmark stands in for; its venue notes when it reads orders."""
    strategy, policy = documents(symbols)
    planned = [w for w in plan([strategy], [policy], site) if w.kind == "Service" and w.name not in _LEFT_OUT]
    names = {w.name for w in planned}
    kept = [dataclasses.replace(w, after=tuple(a for a in w.after if a in names)) for w in planned]
    return [dataclasses.replace(w, module="benchmarks.hops_venue") if w.name == "venue" else w for w in kept]


def drive(bus: Bus, venue: Venue, market: Sequence[Sequence[Bar]], period_s: float) -> list[float]:
    """Publish each bar time on schedule; returns how late each was, ns."""
    late = []
    begin = time.monotonic() + period_s
    for number, bars in enumerate(market):
        due = begin + number * period_s
        _sleep_until(due - period_s / 2)
        now = bars[0].event_time
        ends = number + 1 < len(market) and market[number + 1][0].open_time != now
        venue.advance(now, [bar for bar in bars if bar.symbol != INDEX], ends)
        _sleep_until(due)
        late.append((time.monotonic() - due) * 1e9)
        bus.publish_many([Outgoing("bars", bar.symbol, bar) for bar in bars])
    return late


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))


def await_quiet(bus: Bus, services: Sequence[Workload]) -> None:
    """Until every process has read all that there is, one after the other along the chain."""
    groups = {w.name.split("-")[0]: w.config["group"] for w in services if "group" in w.config}
    for name, topic in (("features", "bars"), ("executor", "bars"), ("signals", "features"), ("executor", "intents")):
        if not bus.wait_committed({(groups[name], topic): bus.end_offset(topic)}, _QUIET_S):
            raise RuntimeError(f"{groups[name]} has not read all of {topic} after {_QUIET_S:.0f} s")


def measure_chain(bus: Bus, stamps: dict[str, int], first_time: int) -> Values:
    """ns of each hop, of the bars from `first_time` on."""
    values: Values = defaultdict(list)
    bars = {r.offset: r for r in bus.read("bars") if _message(r).event_time >= first_time}
    vectors = {r.offset: r for r in bus.read("features") if _message(r).bar_offset in bars}
    signals = {_message(r).id: r for r in bus.read("signals") if _message(r).feature_offset in vectors}
    intents = {_message(r).id: r for r in bus.read("intents") if _message(r).signal_id in signals}
    if not signals or len(signals) != len(vectors):
        raise RuntimeError(f"{len(vectors)} vectors became {len(signals)} signals")
    for record in vectors.values():
        values["bar_to_vector"].append(record.timestamp_ns - bars[_message(record).bar_offset].timestamp_ns)
    for record in signals.values():
        values["vector_to_signal"].append(record.timestamp_ns - vectors[_message(record).feature_offset].timestamp_ns)
    for record in intents.values():
        values["signal_to_intent"].append(record.timestamp_ns - signals[_message(record).signal_id].timestamp_ns)
    by_time: dict[int, list[float]] = defaultdict(list)
    begun: set[str] = set()
    for order, intent in _orders(bus, intents, stamps):
        read = stamps[_message(order).client_order_id]
        vector = vectors[_message(signals[_message(intent).signal_id]).feature_offset]
        bar = bars[_message(vector).bar_offset]
        if _message(intent).id in begun:
            values["second_leg"].append(read - bar.timestamp_ns)
            continue
        begun.add(_message(intent).id)
        values["intent_to_venue"].append(read - intent.timestamp_ns)
        values["intent_to_order"].append(order.timestamp_ns - intent.timestamp_ns)
        values["bar_to_venue"].append(read - bar.timestamp_ns)
        by_time[_message(bar).event_time].append(read - bar.timestamp_ns)
    values["bar_to_venue_first"] = [min(times) for times in by_time.values()]
    values["bar_to_venue_last"] = [max(times) for times in by_time.values()]
    return values


def _orders(bus: Bus, intents: dict[str, Record], stamps: dict[str, int]) -> list[tuple[Record, Record]]:
    """The first record of each order that bears the broker's id, with its intent, as the venue read them."""
    first: dict[str, Record] = {}
    for record in bus.read("orders"):
        if _message(record).broker_order_id:
            first.setdefault(_message(record).client_order_id, record)
    read = sorted(first.items(), key=lambda item: stamps[item[0]])
    return [(r, intents[i]) for _, r in read for i in _message(r).intent_ids if i in intents]


def _message(record: Record) -> Any:
    return record.message


def emit(arm: str, metric: str, value: float, params: dict[str, Any]) -> None:
    line = {"bench": "hops", "arm": arm, "metric": metric, "value": round(value, 1), "unit": "us", "params": params}
    print(json.dumps(line), flush=True)


def run(root: Path, options: argparse.Namespace) -> None:
    """One run below `root`."""
    symbols = [f"S{number:03d}" for number in range(options.symbols)]
    history = max(default_features().values()) + 200
    market = make_market(symbols, history + options.warmup + options.bars)
    state = StateDirectory(root / "state")
    state.create()
    site = Site(
        state_dir=str(state.root),
        bus=f"kafka://{options.kafka}" if options.kafka else f"file://{state.root}/bus.db",
        venue_port=ports.reserve(),
        predictor_port=ports.reserve(),
        broker_url="",
        default_features=default_features(),
        replay=Replay(str(root / "history"), market[history - 1][0].event_time, None, 1.0),
        base_dir=str(root),
        run="hops",
    )
    names = feature_names(documents(symbols)[0], default_features())
    register_model(state.root / "models", write_history(root / "history", market[:history]), names)
    keys = broker_keys(state, simulated=True)
    os.environ.update(keys)
    services = workloads(site, symbols)
    with open_bus(site.bus) as bus:
        with LocalStack(state, services, keys, lambda *_: None).running(lambda _: None) as supervisor:
            supervisor.wait_ready([w.name for w in services], READY_S)
            venue = Venue(VenueConfig(url=venue_url(site), ca_file=venue_ca(site)), 10.0, lambda: False)
            late = drive(bus, venue, market[history:], options.period)
            await_quiet(bus, services)
            venue.close()
            restarts = sum(process.restarts for process in supervisor.processes.values())
        stamps = json.loads((state.configs / "venue.stamps").read_text())
        chain = measure_chain(bus, stamps, market[history + options.warmup][0].event_time)
        chain["publish_delay"] = late[options.warmup :]
        refused = sum(not _message(r).client_order_id and bool(_message(r).code) for r in bus.read("orders"))
    params = {
        "symbols": options.symbols,
        "bar_times": options.bars,
        "period_s": options.period,
        "features": len(names),
        "bus": "kafka" if options.kafka else "file",
        "cpus": os.cpu_count(),
        "refused_intents": refused,
        "restarts": restarts,
    }
    for metric, values in chain.items():
        for quantile in (50, 99, 99.9):
            value = float(np.percentile(values, quantile)) / _UNIT_NS
            emit("chain", f"{metric}_p{quantile}", value, params | {"n": len(values)})
    for row in json.loads((state.root / "executors" / f"{ACCOUNT}.latency.json").read_text()):
        for name, key in (("p50", "p50_us"), ("p99", "p99_us"), ("p99.9", "p999_us")):
            emit("executor", f"{row['hop']} {name}", row[key], params | {"n": row["count"]})


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, default=20)
    parser.add_argument("--bars", type=int, default=300, help="bar times measured")
    parser.add_argument("--warmup", type=int, default=40, help="bar times before, not counted")
    parser.add_argument("--period", type=float, default=0.25, help="seconds between bar times")
    parser.add_argument("--kafka", metavar="HOST:PORT", help="a broker of its own instead of the file bus")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hops-") as name:
        try:
            run(Path(name), options)
        except Exception:
            for log in sorted(Path(name).glob("state/logs/*.log")):
                print(f"--- {log.name}\n{log.read_text()[-2000:]}", flush=True)
            raise


if __name__ == "__main__":
    main()
