"""`tradewind data stage`: what a cluster's data volume needs to trade a data set again. Shell."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import yaml
from rich.console import Console

from tradewind.console.documents import Documents, load_complete
from tradewind.console.errors import ConsoleError
from tradewind.console.trading_window import choose_window, write_history_events
from tradewind.planning.local import news_configs

VOLUME, DATASET = "volume", "dataset"
VALUES = "values.yaml"


def run(files: list[Path], replay: str, out: Path, speed: float, *, as_json: bool) -> None:
    """Fills the new directory `out`; values.yaml is for helm. Raises ConsoleError, leaving nothing."""
    if out.exists():
        raise ConsoleError(f"{out} exists already; name a new directory")
    documents = load_complete(files)
    making = out.with_name(f".{out.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    try:
        values = _fill(making, documents, files[0].parent, replay, speed)
        making.rename(out)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    if as_json:
        print(json.dumps({"directory": str(out), **values}))  # noqa: T201
    else:
        Console().print(f"{out / VOLUME} is for the data volume, {out / VALUES} for helm", soft_wrap=True)


def _fill(directory: Path, documents: Documents, base: Path, replay: str, speed: float) -> dict[str, object]:
    volume, scratch = directory / VOLUME, directory / ".scratch"
    scratch.mkdir()
    window = choose_window(replay, documents.strategies, scratch, None, None)
    shutil.copytree(window.dataset, volume / DATASET)
    for path in sorted({n.path for s in documents.strategies for n in s.spec.news if n.path}):
        _copy(base, path, volume)
    events = write_history_events(window, news_configs(documents.strategies, str(base.absolute())), volume)
    shutil.rmtree(scratch)
    until = datetime.fromtimestamp(window.trained_until // 10**9, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    again: dict[str, object] = {"enabled": True, "trainedUntil": until, "speed": speed}
    if events is not None:
        again["events"] = Path(events).name
    symbols = sorted({symbol for s in documents.strategies for symbol in s.spec.universe.symbols})
    policies = sorted({s.spec.risk_policy for s in documents.strategies})
    values: dict[str, object] = {
        "data": {"dataset": DATASET, "replay": again},
        "venue": {"enabled": True, "symbols": symbols, "policies": policies},
    }
    (directory / VALUES).write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    return values


def _copy(base: Path, path: str, volume: Path) -> None:
    """A strategy's file, where the pods look for it: below the volume, by the same relative path."""
    target = volume / path
    if Path(path).is_absolute() or not target.resolve().is_relative_to(volume.resolve()):
        raise ConsoleError(f"spec.news: path {path}: in a cluster it lies on the data volume; write a relative path")
    if not (base / path).is_file():
        raise ConsoleError(f"spec.news: path {path}: {base / path} is not a file")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(base / path, target)
