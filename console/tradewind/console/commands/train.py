"""`tradewind train`. Shell."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console

from tradewind.console.default_features import default_features
from tradewind.console.documents import load_complete
from tradewind.console.progress import RunProgress
from tradewind.console.stack import LocalStack, absolute
from tradewind.console.state import StateDirectory
from tradewind.console.trading_window import choose_window
from tradewind.planning.local import Replay, Site, plan
from tradewind.planning.workload import Workload


def run(files: list[Path], replay: str, state: Path, *, force: bool, as_json: bool) -> None:
    """Runs the training jobs of the plan, one after the other, and nothing else of it."""
    documents = load_complete(files)
    directory = StateDirectory(Path(absolute(state)))
    with directory.prepared():
        window = choose_window(replay, documents.strategies, directory.root, None, None)
    site = Site(
        state_dir=str(directory.root),
        bus="",
        venue_port=None,
        predictor_port=0,
        broker_url="",
        default_features=default_features(),
        replay=Replay(window.dataset, window.trained_until, window.end, "max"),
        base_dir=absolute(documents.files[0].parent),
        run="train",
    )
    jobs = [_alone(w, force) for w in plan(documents.strategies, documents.policies, site) if w.kind == "Job"]
    jobs = [j for j in jobs if j.name.startswith("train-")]
    out = Console(stderr=as_json)
    with RunProgress(out) as progress:
        stack = LocalStack(directory, jobs, {}, progress.on_line)
        with stack.running(progress.on_phase) as supervisor:
            supervisor.wait_ready([j.name for j in jobs], 24 * 3600.0)
    for path in sorted((directory.root / "training").glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        if as_json:
            print(json.dumps(result))  # noqa: T201
            continue
        verdict = "[green]gates passed[/]" if result["gates_passed"] else "[yellow]gates failed[/] (Paper only)"
        out.print(f"{result['model']} version {result['version']}: {verdict}")
        for gate in result["gates"]:
            mark = "[green]✓[/]" if gate["verdict"] == "pass" else "[red]✗[/]"
            figure = "n/a" if gate["value"] is None else f"{gate['value']:.3f}"
            out.print(f"  {mark} {gate['name']}: {figure} ({gate['comparison']} {gate['threshold']:g})")


def _alone(workload: Workload, force: bool) -> Workload:
    return Workload(workload.name, workload.module, {**workload.config, "force": force}, "Job")
