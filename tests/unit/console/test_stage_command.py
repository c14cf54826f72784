"""`tradewind data stage`: the data volume of a cluster, laid out from the documents."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest
import yaml

from tradewind.console.commands.stage import run
from tradewind.console.errors import ConsoleError

EXAMPLES = Path(__file__).parents[3] / "examples"


def test_the_volume_has_what_the_pods_read(tmp_path: Path) -> None:
    run([EXAMPLES / "megacap-daily.yaml"], "demo", tmp_path / "market", 604800, as_json=True)
    values = yaml.safe_load((tmp_path / "market" / "values.yaml").read_text())
    volume = tmp_path / "market" / "volume"
    replay = values["data"]["replay"]
    assert (replay["trainedUntil"], replay["speed"]) == ("2011-02-28T23:59:59Z", 604800)
    assert sorted(p.name for p in (volume / values["data"]["dataset"]).iterdir()) == ["bars.parquet", "dataset.json"]
    assert (volume / "fomc.yaml").read_bytes() == (EXAMPLES / "fomc.yaml").read_bytes()
    events = pl.read_parquet(volume / replay["events"])
    assert events.filter(pl.col("available_time") > 1_298_937_600 * 10**9).is_empty()  # known before trading starts
    assert events.height > 50
    assert values["venue"]["policies"] == ["paper"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["market"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/fomc.yaml", "write a relative path"),
        ("../fomc.yaml", "write a relative path"),
        ("gone.yaml", "is not a file"),
    ],
)
def test_a_calendar_that_no_pod_would_find_is_refused_and_nothing_is_left(tmp_path: Path, path: str, said: str) -> None:
    document = tmp_path / "strategy.yaml"
    shutil.copyfile(EXAMPLES / "megacap-daily.yaml", document)
    document.write_text(document.read_text().replace("path: fomc.yaml", f"path: {path}"))
    with pytest.raises(ConsoleError, match=said):
        run([document], "demo", tmp_path / "market", 1, as_json=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["strategy.yaml"]


def test_a_directory_that_is_there_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(ConsoleError, match="exists already"):
        run([EXAMPLES / "megacap-daily.yaml"], "demo", tmp_path, 1, as_json=True)
