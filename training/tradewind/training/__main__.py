"""`python -m tradewind.training --config FILE`: train one strategy's model. Shell.

Progress goes to stdout, one JSON object per line: {"stage", "fraction"}, at last the result. What a person can mend
ends in one line on stderr and exit status 2.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from pydantic import ValidationError

from tradewind.training.config import TrainingConfig
from tradewind.training.errors import TrainingError


def main(arguments: list[str] | None = None) -> int:
    """Train as the configuration says; answers the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tradewind.training", description=TrainingConfig.__doc__)
    parser.add_argument("--config", required=True, type=Path, help="JSON file with the process's configuration")
    path = parser.parse_args(arguments).config
    try:
        config = read_config(path)
        with _own_stdout() as out:
            run(config, out)
    except TrainingError as error:
        print(" ".join(str(error).split()), file=sys.stderr)  # noqa: T201 - the one line a user sees
        return 2
    return 0


def read_config(path: Path) -> TrainingConfig:
    """The configuration in `path`. Raises TrainingError naming the file and the field."""
    try:
        return TrainingConfig.model_validate_json(path.read_bytes())
    except OSError as error:
        raise TrainingError(f"{path}: cannot be read ({error.strerror}); check --config") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise TrainingError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def run(config: TrainingConfig, out: TextIO) -> None:
    """Train and report to `out`."""
    from tradewind.training.feature_source import native_source
    from tradewind.training.news_events import news_events
    from tradewind.training.pipeline import train

    def tell(record: dict[str, object]) -> None:
        out.write(json.dumps(record) + "\n")
        out.flush()

    result = train(
        config.strategy,
        config.dataset,
        config.state_dir,
        until_ns=config.until,
        progress=lambda stage, fraction: tell({"stage": stage, "fraction": round(fraction, 4)}),
        source=native_source(config.feature_set, config.volatility_feature),
        feature_dir=config.feature_dir,
        store=config.store,
        events=news_events(config.news, config.companies),
        tracking_uri=config.tracking_uri,
        ray_address=config.ray.address,
        num_cpus=config.ray.num_cpus,
        object_store_mb=config.ray.object_store_mb,
        fit_workers=config.ray.fit_workers,
        force=config.force,
        request=config.request,
    )
    tell(
        {
            "model": result.model,
            "version": result.version,
            "gates_passed": result.card.gates_passed,
            "aliases": result.aliases,
            "reused": result.reused,
            "gates": [gate.model_dump() for gate in result.card.gates],
            "metrics": {name: value for name, value in result.metrics.items() if value == value},
            "seconds": result.seconds,
        }
    )


@contextmanager
def _own_stdout() -> Iterator[TextIO]:
    """The real stdout for our lines alone; whatever libraries and Ray's workers print goes to stderr meanwhile."""
    sys.stdout.flush()
    ours = os.dup(1)
    os.dup2(2, 1)
    try:
        with os.fdopen(os.dup(ours), "w", encoding="utf-8") as out:
            yield out
    finally:
        os.dup2(ours, 1)
        os.close(ours)


if __name__ == "__main__":
    raise SystemExit(main())
