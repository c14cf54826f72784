"""The feature repository through Feast itself: joins, pushes, restarts and a second process."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import polars as pl
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.postgres.server import Server as PostgresServer
from tests.redis.server import Server as RedisServer
from tradewind.serving.entities import EntityFeatures
from tradewind.serving.refusal import RequestRefusedError
from tradewind.streaming.features import FeatureRow, FeatureSet, FeatureSetError
from tradewind.streaming.features.config import StoreConfig
from tradewind.streaming.features.repository import FeatureRepository
from tradewind.trading.model_card import ModelCard

NAMES = ("tech_rsi_14_raw", "tech_sma_20_ratio", "event_impact_5_sum")
SET = FeatureSet("daily", NAMES, "0123456789abcdef", "1d")
SECOND = 1_000_000_000


class Databases:
    """A PostgreSQL and a Redis for those repositories that have them."""

    def __init__(self, postgres: PostgresServer, redis: RedisServer) -> None:
        self.postgres = postgres
        self.redis = redis
        self._made = 0

    def store(self) -> StoreConfig:
        """A registry and vectors of nobody else's."""
        self._made += 1
        return StoreConfig(registry=self.postgres.url(f"feast{self._made}"), online=self.redis.url(self._made))


@pytest.fixture(scope="module")
def databases() -> Iterator[Databases]:
    with PostgresServer() as postgres, RedisServer() as redis:
        yield Databases(postgres, redis)


@pytest.fixture(params=["files", "databases"])
def databases_if_any(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Databases | None:
    if request.param == "files":
        return None
    monkeypatch.setenv("REDIS_PASSWORD", RedisServer.password)
    found = request.getfixturevalue("databases")
    assert isinstance(found, Databases)
    return found


@pytest.fixture
def store(databases_if_any: Databases | None) -> StoreConfig | None:
    """Where the test's repository lies: in its directory, or in PostgreSQL and Redis."""
    return None if databases_if_any is None else databases_if_any.store()


@pytest.fixture
def repository(tmp_path: Path, store: StoreConfig | None) -> Iterator[FeatureRepository]:
    repository = FeatureRepository.open(tmp_path, SET, store=store)
    yield repository
    repository.close()


def row(symbol: str, event: int, available: int, x: float) -> FeatureRow:
    return FeatureRow(symbol, event * SECOND, available * SECOND, (x, x + 1, math.nan))


def entities(*keys: tuple[str, int]) -> pl.DataFrame:
    return pl.DataFrame(
        {"symbol": [s for s, _ in keys], "time": [t * SECOND for _, t in keys], "label": range(len(keys))}
    )


def test_history_is_joined_as_of_the_time_it_was_known(repository: FeatureRepository) -> None:
    repository.write_batch(
        pl.DataFrame(
            {
                "symbol": ["A", "A", "A", "B"],
                "event_time": [10 * SECOND, 20 * SECOND, 10 * SECOND, 10 * SECOND],
                "available_time": [11 * SECOND, 21 * SECOND, 40 * SECOND, 10 * SECOND],
                **{name: [1.0, 2.0, 9.0, math.nan] for name in NAMES},
            }
        )
    )
    found = repository.historical(entities(("A", 21), ("A", 20), ("A", 10), ("B", 12), ("Z", 50)))
    assert found.columns == ["symbol", "time", "label", *NAMES]
    assert found[NAMES[0]].to_list()[:3] == [2.0, 1.0, None]
    assert math.isnan(found[NAMES[0]][3])
    assert found[NAMES[0]][4] is None


PUSHES = st.lists(st.tuples(st.sampled_from("AB"), st.integers(1, 9), st.integers(0, 5), st.floats(-9, 9)), max_size=12)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pushes=PUSHES)
def test_online_is_offline_now_whatever_the_order_of_arrival(
    tmp_path_factory: pytest.TempPathFactory,
    databases_if_any: Databases | None,
    pushes: list[tuple[str, int, int, float]],
) -> None:
    store = None if databases_if_any is None else databases_if_any.store()
    repository = FeatureRepository.open(tmp_path_factory.mktemp("repo"), SET, store=store)
    for symbol, event, delay, x in pushes:
        repository.push([row(symbol, event, event + delay, x)])
    offline = repository.historical(entities(("A", 100), ("B", 100)))
    for index, online in enumerate(repository.online(["A", "B"])):
        stored = [offline[name][index] for name in NAMES]
        if online is None:
            assert stored == [None, None, None]
        else:
            assert list(online.values[:2]) == stored[:2]
            assert math.isnan(online.values[2])
            assert math.isnan(stored[2])
            assert online.event_time == max(e for s, e, _, _ in pushes if s == online.symbol) * SECOND


def test_an_older_event_pushed_later_changes_nothing_online(repository: FeatureRepository) -> None:
    repository.push([row("A", 20, 21, 2.0)])
    before = repository.online(["A"])
    repository.push([row("A", 10, 99, 7.0)])
    assert str(repository.online(["A"])) == str(before)
    repository.push([row("A", 20, 30, 3.0)])  # a revision of the newest event counts
    (revised,) = repository.online(["A"])
    assert revised is not None
    assert revised.values[0] == 3.0


def test_values_come_back_bit_for_bit(repository: FeatureRepository) -> None:
    awkward = (0.1 + 0.2, -0.0, 5e-324)
    repository.push([FeatureRow("A", SECOND, SECOND, awkward)])
    (online,) = repository.online(["A"])
    assert online is not None
    offline = repository.historical(entities(("A", 2))).row(0)[3:]
    assert [v.hex() for v in online.values] == [v.hex() for v in awkward] == [v.hex() for v in offline]


def test_a_second_process_reads_what_was_pushed(
    repository: FeatureRepository, tmp_path: Path, store: StoreConfig | None
) -> None:
    repository.push([row("A", 1, 1, 5.0), row("B", 1, 1, 6.0)])
    code = (
        "import sys, json\n"
        "from tradewind.streaming.features import FeatureSet\n"
        "from tradewind.streaming.features.config import StoreConfig\n"
        "from tradewind.streaming.features.repository import FeatureRepository\n"
        "store = StoreConfig.model_validate_json(sys.argv[2]) if sys.argv[2] else None\n"
        f"s = FeatureSet('daily', {NAMES!r}, '{SET.version}', '1d')\n"
        "r = FeatureRepository.open(sys.argv[1], s, create=False, store=store)\n"
        "print(json.dumps([v and v.values[0] for v in r.online(['B', 'Z', 'A'])]))\n"
    )
    # Who only reads needs no directory where there are databases.
    folder = tmp_path if store is None else tmp_path / "none"
    arguments = [str(folder), store.model_dump_json() if store else ""]
    answer = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert json.loads(answer.stdout) == [6.0, None, 5.0]
    assert answer.stderr == ""
    assert store is None or not folder.exists()


def test_another_version_is_another_table(
    repository: FeatureRepository, tmp_path: Path, store: StoreConfig | None
) -> None:
    repository.push([row("A", 1, 1, 5.0)])
    other = FeatureRepository.open(tmp_path, FeatureSet("daily", NAMES, "fedcba9876543210", "1d"), store=store)
    assert other.online(["A"]) == [None]
    with pytest.raises(FeatureSetError, match="other features or another version"):
        FeatureRepository.open(tmp_path, FeatureSet("daily", NAMES[:2], SET.version, "1d"), store=store)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (FeatureRow("A", SECOND, SECOND, (1.0,)), "vector of A: 1 values, but daily_01234567 has 3"),
        (FeatureRow("A", SECOND + 1, SECOND, (1.0, 1.0, 1.0)), "not a whole microsecond"),
    ],
)
def test_a_bad_vector_is_refused_by_name(repository: FeatureRepository, bad: FeatureRow, message: str) -> None:
    with pytest.raises(FeatureSetError, match=message):
        repository.push([row("B", 1, 1, 1.0), bad])
    assert repository.online(["B"]) == [None]


def test_several_processes_register_the_same_set_at_once(databases: Databases, tmp_path: Path) -> None:
    store = databases.store()
    code = (
        "import sys\n"
        "from tradewind.streaming.features import FeatureSet\n"
        "from tradewind.streaming.features.config import StoreConfig\n"
        "from tradewind.streaming.features.repository import FeatureRepository\n"
        f"s = FeatureSet('daily', {NAMES!r}, '{SET.version}', '1d')\n"
        "sys.stdin.readline()\n"
        "FeatureRepository.open(sys.argv[1], s, store=StoreConfig.model_validate_json(sys.argv[2]))\n"
    )
    environment = os.environ | {"REDIS_PASSWORD": RedisServer.password}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / name), store.model_dump_json()],
            stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        )
        for name in "abc"
    ]  # fmt: skip
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=240)
        assert (process.returncode, errors) == (0, "")
    with psycopg.connect(store.registry.replace("+psycopg", "")) as registry:
        assert registry.execute("SELECT feature_view_name FROM feature_views").fetchall() == [(SET.view,)]


def test_an_open_repository_holds_no_connection_to_the_registry(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_PASSWORD", RedisServer.password)
    store = databases.store()
    repository = FeatureRepository.open(tmp_path, SET, store=store)
    repository.push([row("A", 1, 1, 5.0)])
    assert repository.online(["A"]) != [None]
    with pytest.raises(FeatureSetError, match="other features or another version"):
        FeatureRepository.open(tmp_path, FeatureSet("daily", NAMES[:2], SET.version, "1d"), store=store)
    with psycopg.connect(store.registry.replace("+psycopg", "")) as registry:
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid != pg_backend_pid()"
        assert registry.execute(others).fetchone() == (0,)


def test_a_vector_in_redis_is_one_value(databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_PASSWORD", RedisServer.password)
    store = databases.store()
    client = databases.redis.client(int(store.online.rpartition("/")[2]))
    repository = FeatureRepository.open(tmp_path, SET, store=store)
    repository.push([row("A", 20, 21, 2.0), row("A", 10, 11, 1.0), row("B", 10, 11, 1.0)])
    keys = sorted(client.scan_iter())
    assert len(keys) == 2
    event, size = client.hget(keys[0], "event_us"), client.hstrlen(keys[0], "vector")
    assert (event, size) == (b"20000000", 8 * len(NAMES))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["feature_store.yaml", "offline"]
    assert RedisServer.password not in (tmp_path / "feature_store.yaml").read_text()
    other = FeatureRepository.open(tmp_path, FeatureSet("daily", NAMES, "fedcba9876543210", "1d"), store=store)
    other.push([row("A", 1, 1, 1.0)])
    repository._store.teardown()
    assert client.dbsize() == 0


def test_the_predictor_reads_the_newest_vectors_without_a_directory(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_PASSWORD", RedisServer.password)
    store = databases.store()
    FeatureRepository.open(tmp_path / "features", SET, store=store).push([row("A", 20, 21, 2.0)])
    card = ModelCard(
        name="m", task="regression", feature_set=SET.name, feature_set_version=SET.version, features=list(NAMES),
        horizon_bars=1, label="x", prediction_scale=1.0, gates=[], gates_passed=False, trained_from=0, trained_until=1,
        rows=1, seed=1, parameters={},
    )  # fmt: skip
    served = EntityFeatures(str(tmp_path / "none"), store)
    [found] = served.rows(card, ["A"])
    assert (found.event_time, found.values[0]) == (20 * SECOND, 2.0)
    assert not (tmp_path / "none").exists()
    monkeypatch.setenv("REDIS_PASSWORD", "wrong")
    with pytest.raises(RequestRefusedError) as refused:
        EntityFeatures(str(tmp_path / "none"), store).rows(card, ["A"])
    assert (refused.value.code, "REDIS_PASSWORD is right" in str(refused.value)) == (grpc.StatusCode.UNAVAILABLE, True)


def test_a_store_that_does_not_answer_is_one_line(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = databases.store()
    monkeypatch.setenv("REDIS_PASSWORD", "wrong")
    with pytest.raises(FeatureSetError, match=r"^store\.online: Redis at redis://127.*REDIS_PASSWORD is right$"):
        FeatureRepository.open(tmp_path, SET, store=store)
    nowhere = store.model_copy(update={"registry": "postgresql+psycopg://tradewind@127.0.0.1:1/feast"})
    with pytest.raises(FeatureSetError, match=r"^store\.registry: postgresql.* is not reached .*PGPASSWORD is right$"):
        FeatureRepository.open(tmp_path, SET, store=nowhere)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"registry": "postgresql+psycopg://u:p@h/feast"}, "holds a password: set PGPASSWORD in the environment"),
        ({"online": "redis://:p@h:6379/0"}, "holds a password: set REDIS_PASSWORD in the environment"),
        ({"registry": "sqlite:///r.db"}, "is not postgresql"),
        ({"online": "memcached://h"}, "is not redis"),
    ],
)
def test_an_address_that_will_not_do_is_refused(change: dict[str, str], message: str) -> None:
    good = {"registry": "postgresql+psycopg://tradewind@h/feast", "online": "redis://h:6379/0"}
    assert StoreConfig.model_validate(good).online == good["online"]
    with pytest.raises(ValidationError, match=message):
        StoreConfig.model_validate(good | change)


def test_time_to_live_hides_stale_history(tmp_path: Path) -> None:
    from datetime import timedelta

    repository = FeatureRepository.open(tmp_path, FeatureSet("daily", NAMES, SET.version, "1d", timedelta(seconds=5)))
    repository.push([row("A", 10, 10, 1.0)])
    assert repository.historical(entities(("A", 15), ("A", 16)))[NAMES[0]].to_list() == [1.0, None]
