"""Training from data set to registry, on a real Ray, Feast and MLflow."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from threading import Timer

import numpy as np
import polars as pl
import pytest

from tradewind.specs import Strategy
from tradewind.specs.strategy import StrategySpec
from tradewind.streaming.datasets.store import write_dataset
from tradewind.streaming.features.feature_set import FeatureSet
from tradewind.training.__main__ import main
from tradewind.training.dataset import FeatureSource
from tradewind.training.errors import TrainingError
from tradewind.training.fit import fit_final
from tradewind.training.market import Market, make_market
from tradewind.training.panel import Panel
from tradewind.training.parallel import make_workbench, parallel_walk_forward
from tradewind.training.pipeline import STAGES, TrainingResult, train
from tradewind.training.ray_session import ray_session
from tradewind.training.registry import ModelRegistry
from tradewind.training.search import search
from tradewind.training.walk_forward import walk_forward

DAY, HOUR = 86_400 * 10**9, 3600 * 10**9
SYMBOLS = ("AAA", "BBB", "CCC")
BARS = 420
UNTIL = 360 * DAY
NAMES = ("stat_return_1_raw", "stat_return_5_raw", "vol_std_10_annual")


def _bars(garbage_after: int | None = None) -> pl.DataFrame:
    """Prices with a little momentum; with `garbage_after`, every bar known later is nonsense."""
    frames = []
    for index, symbol in enumerate((*SYMBOLS, "^IDX")):
        rng = np.random.default_rng(index)
        shocks = rng.standard_normal(BARS) * 0.015
        moves = shocks + 0.3 * np.concatenate([[0.0], shocks[:-1]])
        close = np.round(10_000 * np.exp(np.cumsum(moves))) * 1e6
        opens = np.concatenate([close[:1], close[:-1]])
        low, high = np.minimum(opens, close) - 30e6, np.maximum(opens, close) + 30e6
        time = np.arange(BARS) * DAY + 21 * HOUR
        prices = {
            name: x.astype(np.int64) for name, x in (("open", opens), ("high", high), ("low", low), ("close", close))
        }
        if garbage_after is not None:
            later = time > garbage_after
            prices = {name: np.where(later, 10**8 + (index + 1) * 10**6, x) for name, x in prices.items()}
        frames.append(
            pl.DataFrame(
                {"symbol": [symbol] * BARS, "interval": "1d", "open_time": time - 6 * HOUR, "event_time": time}
                | {"available_time": time, **prices, "volume": rng.integers(10**5, 10**6, BARS), "vwap": None}
                | {"trade_count": None, "context": symbol.startswith("^")}
            )
        )
    return pl.concat(frames)


def _dataset(path: Path, bars: pl.DataFrame) -> Path:
    write_dataset(path, bars, name="t", interval="1d", stamps="close", adjustment="forward", source="synthetic")
    return path


def _compute(bars: pl.DataFrame, events) -> pl.DataFrame:
    change = pl.col("close").cast(pl.Float64).log().diff()
    return (
        bars.filter(~pl.col("context"))
        .sort("symbol", "event_time")
        .select(
            "symbol",
            "event_time",
            "available_time",
            stat_return_1_raw=change.over("symbol").fill_null(float("nan")),
            stat_return_5_raw=change.rolling_sum(5).over("symbol").fill_null(float("nan")),
            vol_std_10_annual=(change.rolling_std(10) * 16).over("symbol").fill_null(float("nan")),
        )
        .sort("event_time", "symbol")
    )


SOURCE = FeatureSource(FeatureSet("test", NAMES, "0123456789abcdef", "1d"), _compute, "vol_std_10_annual")


def _document(**training) -> dict:
    splits = {"trainBars": 150, "validationBars": 40, "stepBars": 40}
    return {
        "apiVersion": "tradewind.dev/v1alpha1",
        "kind": "Strategy",
        "metadata": {"name": "momentum"},
        "spec": {
            "riskPolicy": "paper",
            "universe": {"symbols": list(SYMBOLS), "context": "^IDX"},
            "sizing": {"maxPositionPct": 0.2},
            "training": {
                "label": {"kind": "TripleBarrier", "horizonBars": 3},
                "splits": splits,
                "search": {"trials": 3},
            }
            | training,
        },
    }


def _train(dataset: Path, state: Path, progress=lambda stage, fraction: None, **options) -> TrainingResult:
    return train(
        Strategy.model_validate(_document()),
        dataset,
        state,
        until_ns=UNTIL,
        progress=progress,
        source=SOURCE,
        feature_dir=state / "features",
        fit_workers=0,
        **options,
    )


def _booster(state: Path) -> str:
    (file,) = state.glob("mlruns/**/booster.txt")
    return file.read_text()


@pytest.fixture(scope="module", autouse=True)
def ray():
    with ray_session(2, 100):
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Path, Path, TrainingResult, list[tuple[str, float]]]:
    """Data set, state, result and progress of one training."""
    base = tmp_path_factory.mktemp("trained")
    told: list[tuple[str, float]] = []
    dataset = _dataset(base / "data", _bars())
    result = _train(dataset, base / "state", lambda stage, fraction: told.append((stage, fraction)))
    return dataset, base / "state", result, told


def test_a_model_comes_out_with_its_record_and_its_gates(trained):
    _, state, result, told = trained
    card = result.card
    assert (card.features, card.task, card.label) == (list(NAMES), "classification", "TripleBarrier")
    assert card.feature_set_version == "0123456789abcdef"
    # 360 bars less ten of warm-up and three of horizon, for each symbol
    assert card.rows == 3 * (360 - 20 - 3)
    assert (card.trained_from, card.trained_until) == (21 * HOUR, UNTIL)
    assert [gate.name for gate in card.gates][:2] == ["sharpe", "max_drawdown"]
    assert result.metrics["trials"] == 3
    assert result.metrics["oos_sharpe"] == pytest.approx({g.name: g.value for g in card.gates}["sharpe"])
    assert ModelRegistry(state).version_of("momentum", "candidate") == result.version
    assert list(dict.fromkeys(stage for stage, _ in told)) == list(STAGES)
    assert [fraction for stage, fraction in told if stage == "search"] == pytest.approx([0, 1 / 3, 2 / 3, 1, 1])


def test_trained_again_from_scratch_on_data_poisoned_after_until_it_is_the_same_to_the_byte(trained, tmp_path):
    _, state, result, _ = trained
    poisoned = _dataset(tmp_path / "data", _bars(garbage_after=UNTIL))
    again = _train(poisoned, tmp_path / "state")
    assert not again.reused
    assert _booster(tmp_path / "state") == _booster(state)
    assert again.card.model_dump_json() == result.card.model_dump_json()


def test_the_same_training_is_not_done_twice_unless_forced(trained):
    dataset, state, result, _ = trained
    told: list[str] = []
    again = _train(dataset, state, lambda stage, fraction: told.append(stage))
    assert again.reused
    assert (again.version, again.card, again.metrics) == (result.version, result.card, result.metrics)
    assert set(told) == {"history"}
    other = train(
        Strategy.model_validate(_document(search={"trials": 1})),
        dataset,
        state,
        until_ns=UNTIL,
        progress=lambda stage, fraction: None,
        source=SOURCE,
        feature_dir=state / "features",
        fit_workers=0,
    )
    assert not other.reused
    assert other.version != result.version


def test_too_short_a_history_is_said_before_anything_is_searched(tmp_path):
    told: list[str] = []
    dataset = _dataset(tmp_path / "data", _bars().filter(pl.col("event_time") < 120 * DAY))
    with pytest.raises(TrainingError, match=r"training\.splits: 97 labelled bar times are too few"):
        _train(dataset, tmp_path / "state", lambda stage, fraction: told.append(stage))
    assert "search" not in told


def _random_panel(rows: int = 400) -> Panel:
    rng = np.random.default_rng(5)
    times = np.arange(rows) * DAY
    return Panel(
        symbols=("AAA",),
        feature_names=NAMES,
        symbol=np.zeros(rows, dtype=np.int64),
        decision_time=times,
        t1=times + DAY,
        features=rng.standard_normal((rows, 3)),
        label=rng.integers(-1, 2, rows).astype(float),
        log_return=rng.standard_normal(rows),
        weight=np.ones(rows),
        annual_volatility=np.full(rows, 0.2),
    )


def test_a_ray_train_worker_fits_the_same_model_as_this_process():
    panel, parameters = _random_panel(), {"num_leaves": 7, "learning_rate": 0.1, "bagging_fraction": 0.7}
    here = fit_final(panel, "classification", parameters, 7, 12, workers=0)
    assert fit_final(panel, "classification", parameters, 7, 12, workers=1) == here
    assert fit_final(panel, "classification", parameters, 8, 12, workers=0) != here
    assert "torch" not in sys.modules


def _parts(**training) -> tuple[Panel, Market, StrategySpec]:
    bars = _bars().filter(pl.col("symbol") == "AAA").with_columns(available_time=pl.col("event_time") - 21 * HOUR)
    return _random_panel(), make_market(bars, ("AAA",)), Strategy.model_validate(_document(**training)).spec


def test_two_processes_make_the_record_of_one():
    panel, market, spec = _parts()
    parameters = {"num_leaves": 5, "learning_rate": 0.2, "min_data_in_leaf": 20}
    alone = walk_forward(panel, market, spec, parameters, in_sample=True)
    shared = parallel_walk_forward(make_workbench(panel, market, spec, 2), parameters, in_sample=True)
    assert np.array_equal(alone.returns, shared.returns)
    assert alone.in_sample_sharpe == shared.in_sample_sharpe
    assert np.any(alone.returns != 0)


def test_waiting_for_another_training_takes_none_of_the_search_s_time():
    import ray

    limit_s, others_s = 1, 15
    others = ray.util.placement_group([{"CPU": 0.9}] * 2)
    ray.get(others.ready())
    Timer(others_s, ray.util.remove_placement_group, [others]).start()
    began = time.monotonic()
    bench = make_workbench(*_parts(search={"trials": 1000, "timeLimitSeconds": limit_s}), 2)
    try:  # whether a trial ends within a second is the machine's affair
        assert len(search(bench, lambda fraction: None).trials) < 1000
    except TrainingError as error:
        if "no trial finished in 1 s" not in str(error):
            raise
    assert time.monotonic() - began > others_s


def _config(dataset: Path, state: Path) -> dict:
    names = ["stat_log_return_1_raw", "tech_rsi_14_raw", "vol_historical_21_annual", "event_rate_decision_since_60"]
    return {
        "strategy": _document(),
        "dataset": str(dataset),
        "state_dir": str(state),
        "feature_dir": str(state / "features"),
        "feature_set": {"name": "daily", "names": names, "interval": "1d", "context_symbol": "^IDX"},
        "volatility_feature": "vol_historical_21_annual",
        "until": UNTIL,
        "ray": {"num_cpus": 2, "fit_workers": 0},
    }


CALENDAR = """\
name: rates
timezone: America/New_York
source: made up for this test
entries:
  - {date: 1970-02-04, time: "14:00", headline: The committee leaves the target rate as it is}
  - {date: 1970-05-05, time: "14:00", headline: The committee leaves the target rate as it is}
"""


def test_the_process_trains_on_native_features_and_news_and_prints_json_alone(trained, tmp_path, capfd):
    (tmp_path / "rates.yaml").write_text(CALENDAR)
    news = [{"kind": "Calendar", "name": "rates", "path": str(tmp_path / "rates.yaml")}]
    config = tmp_path / "config.json"
    config.write_text(json.dumps(_config(trained[0], tmp_path / "state") | {"news": news}))
    assert main(["--config", str(config)]) == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert all(set(line) == {"stage", "fraction"} for line in lines[:-1])
    assert lines[0] == {"stage": "history", "fraction": 0.0}
    result = lines[-1]
    assert (result["model"], result["version"], result["reused"]) == ("momentum", "1", False)
    assert result["gates_passed"] == all(gate["verdict"] == "pass" for gate in result["gates"])
    assert list(result["seconds"]) == list(STAGES)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": "red"}, "config.json: colour: Extra inputs are not permitted"),
        ({"dataset": "/nowhere"}, "/nowhere/dataset.json: missing"),
        ({"volatility_feature": "vol_atr_14_raw"}, "vol_atr_14_raw, by which positions are sized"),
        ({"news": [{"kind": "Calendar", "name": "rates", "path": "/nowhere.yaml"}]}, "/nowhere.yaml: no such calendar"),
        ({"strategy": _document(search={"objective": "Luck"})}, "strategy.spec.training.search.objective"),
    ],
)
def test_bad_input_is_one_line_on_stderr_and_status_2(trained, tmp_path, capfd, changes, message):
    config = tmp_path / "config.json"
    config.write_text(json.dumps(_config(trained[0], tmp_path / "state") | changes))
    assert main(["--config", str(config)]) == 2
    error = capfd.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_the_command_itself_ends_with_status_2_and_no_traceback(tmp_path):
    command = [sys.executable, "-m", "tradewind.training", "--config", str(tmp_path / "none.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"{tmp_path / 'none.json'}: cannot be read (No such file or directory); check --config\n"
