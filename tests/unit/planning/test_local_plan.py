"""The plan of a local run: which processes there are, in which order, and who is told what."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from tradewind.execution.executor.config import ExecutorConfig
from tradewind.native.engine import Engine
from tradewind.planning.engine_config import engine_config
from tradewind.planning.local import Replay, Site, feature_names, feature_set_name, plan, volatility_feature
from tradewind.planning.workload import Workload
from tradewind.specs import RiskPolicy, Strategy, parse_documents

WARM = """\
apiVersion: tradewind.dev/v1alpha1
kind: Strategy
metadata: {name: young}
spec:
  riskPolicy: paper
  universe: {symbols: [FB]}
  features: {maxWarmUpBars: 64}
"""
KEYS = ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY")
REPLAY = Replay("/data/demo", trained_until=1_000, end=2_000, speed="max", events="/state/events.parquet")
SITE = Site(
    state_dir="/state",
    bus="file:///state/bus.db",
    venue_port=8443,
    predictor_port=9000,
    broker_url="https://paper-api.alpaca.markets",
    default_features={"tech_rsi_14_raw": 15, "ctx_realvol_21_annual": 22},
    replay=REPLAY,
    base_dir="/docs",
    run="run-1",
)
LIVE = replace(SITE, venue_port=None, replay=None)


def strategy(name: str, policy: str = "paper", symbols: str = "AAPL MSFT", **spec: Any) -> Strategy:
    own = {"riskPolicy": policy, "universe": {"symbols": symbols.split()}, "capitalShare": 0.5, **spec}
    return Strategy.model_validate(
        {"apiVersion": "tradewind.dev/v1alpha1", "kind": "Strategy", "metadata": {"name": name}, "spec": own}
    )


def policy(name: str, *strategies: str, generation: int = 1, **spec: Any) -> RiskPolicy:
    return RiskPolicy.model_validate(
        {
            "apiVersion": "tradewind.dev/v1alpha1",
            "kind": "RiskPolicy",
            "metadata": {"name": name, "generation": generation},
            "spec": {"strategies": list(strategies), **spec},
        }
    )


def by_name(workloads: list[Workload]) -> dict[str, Workload]:
    named = {w.name: w for w in workloads}
    assert len(named) == len(workloads), "two workloads of one name"
    return named


ONE = [strategy("one")]
PAPER = policy("paper", "one", "two", "three")
TRIO = [strategy("one"), strategy("two", symbols="IBM AAPL"), strategy("three", policy="other", symbols="GOOG")]

SETS: list[tuple[str, list[Strategy], list[RiskPolicy], Site, str]] = [
    (
        "replay of one strategy",
        ONE,
        [PAPER],
        SITE,
        "venue recorder train-one features-bars-1d-default-20 serving executor-paper signals-one feed",
    ),
    (
        "live: no venue, no training",
        ONE,
        [PAPER],
        LIVE,
        "recorder features-bars-1d-default-20 serving executor-paper signals-one feed",
    ),
    (
        "two accounts, one set of features",
        TRIO,
        [PAPER, policy("other", "three")],
        SITE,
        "venue recorder train-one train-two train-three features-bars-1d-default-20 serving "
        "executor-paper executor-other signals-one signals-two signals-three feed",
    ),
    (
        "a policy that nobody is bound to has no executor",
        ONE,
        [policy("idle", "one"), PAPER],
        SITE,
        "venue recorder train-one features-bars-1d-default-20 serving executor-paper signals-one feed",
    ),
    (
        "a shared model is trained once",
        [strategy("one", model="m"), strategy("two", model="m")],
        [PAPER],
        SITE,
        "venue recorder train-m features-bars-1d-default-20 serving executor-paper signals-one signals-two feed",
    ),
]


@pytest.mark.parametrize(
    ("strategies", "policies", "site", "expected"), [s[1:] for s in SETS], ids=[s[0] for s in SETS]
)
def test_workloads(strategies: list[Strategy], policies: list[RiskPolicy], site: Site, expected: str) -> None:
    workloads = plan(strategies, policies, site)
    assert Counter(w.name for w in workloads) == Counter(expected.split())
    # Each can start when its turn comes: whatever it waits for comes before it.
    started: set[str] = set()
    for workload in workloads:
        assert set(workload.after) <= started, workload.name
        started.add(workload.name)


def test_who_waits_for_whom() -> None:
    after = {w.name: set(w.after) for w in plan(TRIO, [PAPER, policy("other", "three")], SITE)}
    trained = {"train-one", "train-two", "train-three"}
    assert after["venue"] == after["recorder"] == set()
    assert all(after[job] == set() for job in trained)
    assert after["features-bars-1d-default-20"] == after["serving"] == trained
    assert after["executor-paper"] == after["executor-other"] == {"venue"}
    assert after["signals-one"] == {"serving"}
    assert after["feed"] == set(after) - {"feed"}, "the clock starts when everybody is there"


@pytest.mark.parametrize("site", [SITE, LIVE], ids=["replay", "live"])
def test_keys_go_where_orders_or_data_are_asked_for_and_nowhere_else(site: Site) -> None:
    secrets = {w.name: w.secrets for w in plan(ONE, [PAPER], site)}
    holders = {name for name, given in secrets.items() if given}
    assert holders == {"executor-paper", "feed"} | ({"venue"} if site.venue_port else set())
    assert {secrets[name] for name in holders} == {KEYS}


def test_jobs_end_and_services_do_not() -> None:
    kinds = {w.name: w.kind for w in plan(ONE, [PAPER], SITE)}
    assert {name for name, kind in kinds.items() if kind == "Job"} == {"train-one", "feed"}
    assert by_name(plan(ONE, [PAPER], LIVE))["feed"].kind == "Service"


def test_every_consumer_of_a_step_is_waited_for() -> None:
    own = [*TRIO, strategy("four", features={"names": ["tech_rsi_14_raw"]})]
    workloads = by_name(plan(own, [policy("paper", "one", "two", "four"), policy("other", "three")], SITE))
    asked = {(c["group"], c["topic"]) for c in workloads["feed"].config["consumers"]}
    groups = {w.config["group"] for w in workloads.values() if "group" in w.config}
    assert {group for group, _ in asked} == groups
    assert asked == {
        ("features-bars_1d_default_20", "bars"),
        ("features-bars_1d_of_four_20", "bars"),
        ("executor-paper", "control"),
        ("executor-other", "control"),
        *((f"signals-{name}", "features") for name in ("one", "two", "three", "four")),
    }
    assert workloads["feed"].config["accounts"] == ["paper", "other"]


def test_features_are_computed_once_per_set_and_the_readers_name_it() -> None:
    own = [*TRIO, strategy("four", features={"names": ["tech_rsi_14_raw"]}), strategy("five", bars="1m")]
    workloads = plan(own, [policy("paper", "one", "two", "four", "five"), policy("other", "three")], SITE)
    sets = {
        w.config["feature_set"]["name"]: w.config["feature_set"]["names"]
        for w in workloads
        if w.module == "tradewind.streaming.features"
    }
    assert sets == {
        "bars_1d_default_20": ["tech_rsi_14_raw", "ctx_realvol_21_annual", "vol_historical_20_annual"],
        "bars_1d_of_four_20": ["tech_rsi_14_raw", "vol_historical_20_annual"],
        "bars_1m_default_20": ["tech_rsi_14_raw", "ctx_realvol_21_annual", "vol_historical_20_annual"],
    }
    for workload in workloads:
        if workload.module == "tradewind.execution.signals":
            assert workload.config["features"] == sets[workload.config["feature_set"]]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"bars": "1d"}, {"bars": "1m"}),
        ({"sizing": {"volatilityBars": 20}}, {"sizing": {"volatilityBars": 60}}),
        ({"universe": {"symbols": ["A"]}}, {"universe": {"symbols": ["A"], "context": "SPY"}}),
        ({"universe": {"symbols": ["A"], "context": None}}, {"universe": {"symbols": ["A"], "context": "SPY"}}),
        ({}, {"features": {"names": ["tech_rsi_14_raw"]}}),
    ],
)
def test_different_features_are_different_sets(one: dict[str, Any], two: dict[str, Any]) -> None:
    # `default` is a name that a strategy may have.
    assert feature_set_name(strategy("default", **one)) != feature_set_name(strategy("default", **two))
    assert feature_set_name(strategy("a", **one)) == feature_set_name(strategy("a", **one))


def test_the_feature_that_sizing_needs_is_always_there_once() -> None:
    own = strategy("one", sizing={"volatilityBars": 60})
    needed = volatility_feature(own)
    assert needed == "vol_historical_60_annual"
    assert feature_names(own, {"a": 1}) == ["a", needed]
    named = strategy("one", sizing={"volatilityBars": 60}, features={"names": [needed, "b"]})
    assert feature_names(named, {"a": 1}) == [needed, "b"]


def test_only_gated_models_are_served_live() -> None:
    own = [strategy("one", mode="Live"), strategy("two"), strategy("three", model="one")]
    workloads = by_name(plan(own, [policy("paper", "one", "two", "three", account="live")], LIVE))
    served = {m["name"]: m["alias"] for m in workloads["serving"].config["models"]}
    assert served == {"one": "champion", "two": "candidate"}
    traded = {n: workloads[f"signals-{n}"].config["model_alias"] for n in ("one", "two", "three")}
    # `three` trades in Paper on the model of `one`: one name, one version served.
    assert traded == {"one": "champion", "two": "candidate", "three": "champion"}


@pytest.mark.parametrize(
    ("speed", "clock", "timeout"), [("max", "lockstep", None), (1.0, "recorded", 5.0), (60.0, "recorded", 5.0)]
)
def test_speed_decides_who_waits(speed: str | float, clock: str, timeout: float | None) -> None:
    workloads = by_name(plan(ONE, [PAPER], replace(SITE, replay=replace(REPLAY, speed=speed))))
    assert workloads["executor-paper"].config["clock"] == clock
    assert workloads["signals-one"].config["positions_timeout_s"] == timeout
    assert workloads["signals-one"].config["virtual_time"] is True
    assert workloads["feed"].config["source"]["speed"] == speed
    assert workloads["feed"].config["source"]["symbols"] == ["AAPL", "MSFT", "^GSPC"]


def test_live_nobody_follows_a_clock() -> None:
    workloads = by_name(plan(ONE, [PAPER], LIVE))
    assert workloads["executor-paper"].config["clock"] == "wall"
    assert workloads["signals-one"].config["virtual_time"] is False
    assert workloads["feed"].config["source"] == {"kind": "alpaca", "symbols": ["AAPL", "MSFT"], "interval": "1d"}
    assert workloads["feed"].config["venue"] is None


def test_nothing_of_the_traded_time_reaches_training_or_the_features_history() -> None:
    workloads = by_name(plan(ONE, [PAPER], SITE))
    assert workloads["train-one"].config["until"] == REPLAY.trained_until
    history = workloads["features-bars-1d-default-20"].config["history"]
    assert (history["until"], history["events"]) == (REPLAY.trained_until, REPLAY.events)
    source = workloads["feed"].config["source"]
    assert (source["start"], source["end"]) == (REPLAY.trained_until + 1, REPLAY.end)
    assert workloads["venue"].config["start_time"] == REPLAY.trained_until


def test_a_replay_never_reaches_the_broker_that_a_policy_names() -> None:
    real = policy("paper", "one", broker={"url": "https://api.example.com", "requestsPerMinute": 90})
    replayed = by_name(plan(ONE, [real], SITE))["executor-paper"].config["broker"]
    usual = {"timeout_ms": 5_000, "connections": 8}
    assert replayed == {
        "url": "https://127.0.0.1:8443", "ca_file": "/state/venue/ca.pem", "requests_per_minute": None, **usual,
    }  # fmt: skip
    live = by_name(plan(ONE, [real], LIVE))["executor-paper"].config["broker"]
    assert live == {"url": "https://api.example.com", "ca_file": None, "requests_per_minute": 90, **usual}
    assert by_name(plan(ONE, [PAPER], LIVE))["executor-paper"].config["broker"]["url"] == LIVE.broker_url


def test_the_volatility_index_is_found_in_the_vectors_that_carry_it() -> None:
    blind = strategy("blind", features={"names": ["tech_rsi_14_raw"]})
    paper = policy("paper", "blind", "one")
    found = by_name(plan([blind, *ONE], [paper], SITE))["executor-paper"].config["volatility"]
    assert found == {"feature_set": "bars_1d_default_20", "index": 1}
    assert by_name(plan([blind], [paper], SITE))["executor-paper"].config["volatility"] is None


def test_news_are_read_once_and_from_beside_the_documents() -> None:
    fomc = {"kind": "Calendar", "name": "fomc", "path": "fomc.yaml"}
    own = [strategy("one", news=[fomc]), strategy("two", news=[fomc, {**fomc, "name": "ecb", "path": "/abs/ecb.yaml"}])]
    workloads = by_name(plan(own, [PAPER], SITE))
    feed = [(n["name"], n["path"]) for n in workloads["feed"].config["news"]]
    assert feed == [("fomc", "/docs/fomc.yaml"), ("ecb", "/abs/ecb.yaml")]
    assert [n["path"] for n in workloads["train-one"].config["news"]] == ["/docs/fomc.yaml"]


def test_the_executor_holds_a_lease_and_compares_with_the_broker_except_in_lockstep() -> None:
    own = policy("paper", "one", execution={"lease": "20s", "reconcile": "7m"})
    for speed, every in (("max", 0), (1.0, 7 * 60 * 10**9)):
        site = replace(SITE, replay=replace(REPLAY, speed=speed))
        config = ExecutorConfig.model_validate(by_name(plan(ONE, [own], site))["executor-paper"].config)
        assert (config.lease_s, config.native_engine["reconcile_every_ns"]) == (20.0, every)


def test_the_engine_is_told_the_policys_own_figures() -> None:
    limits: dict[str, Any] = {
        "order": {
            "maxNotional": "12345.67",
            "priceCollar": 0.07,
            "maxPriceAge": "3d",
            "perMinute": 11,
            "tradesPerDay": 12,
            "turnoverPerDay": 2.5,
        },
        "position": {"maxShare": 0.13, "maxCount": 14, "maxNotional": "98765.43"},
        "exposure": {
            "gross": 1.5,
            "net": 0.6,
            "shortShareOfGross": 0.17,
            "sector": 0.18,
            "sectorOf": {"AAPL": "tech"},
            "sectors": {"tech": 0.16},
            "correlatedGroup": 0.4,
        },
        "loss": {
            "daily": 0.019,
            "weekly": 0.021,
            "monthly": 0.022,
            "perTrade": 0.031,
            "perTradeHard": 0.032,
            "adverseMove": 3.3,
            "gapMove": 0.7,
            "consecutive": 23,
        },
        "drawdown": [{"at": 0.024, "size": 0.9}, {"at": 0.025, "size": 0.8}, {"at": 0.026, "size": 0}],
        "volatility": {
            "indexHalveAt": 27.5,
            "indexHaltAt": 28,
            "var95": 0.034,
            "portfolio": 0.35,
            "assumed": 0.36,
            "maxEstimateAge": "37d",
        },
        "session": {"skipFirst": "38s", "skipLast": "39s", "extendedHours": True},
        "breach": {"tolerance": 0.49},
        "breaker": {"failures": 51, "pause": "52s", "feedSilence": "53s"},
        "reentryStep": 0.41,
        "restricted": ["MSFT"],
        "shorting": False,
    }
    kill = {"flatten": False, "rapidDecline": 0.042, "feedLostAfter": "43s", "brokerLostAfter": "44s"}
    who = {"until": "2030-01-02T10:00:00-05:00", "by": "ada", "reason": "index change"}
    overrides = [
        {"limit": "position.maxShare", "value": 0.45, **who},
        {"limit": "position.maxNotional", "value": 46000.5, **who},
        {"limit": "order.perMinute", "value": 47, **who},
    ]
    own = policy("paper", "one", generation=48, account="live", limits=limits, killSwitch=kill, overrides=overrides)
    config = engine_config(own, [strategy("one", capitalShare=0.29)])
    assert config == {
        "account": "paper",
        "mode": "live",
        "symbols": [
            {
                "symbol": "AAPL",
                "quantity_increment": "1",
                "sector": "tech",
                "restricted": False,
                "shortable": False,
                "max_sector_exposure_pct": 0.16,
            },
            {
                "symbol": "MSFT",
                "quantity_increment": "1",
                "sector": "",
                "restricted": True,
                "shortable": False,
                "max_sector_exposure_pct": None,
            },
        ],
        "strategies": [
            {
                "uid": "strategy/default/one",
                "capital_share": 0.29,
                "rests_overnight": True,
                "order_ttl_ns": 0,
                "accept_fill": 0.8,
                "leaving": None,
            }
        ],
        "reconcile_every_ns": 300 * 10**9,
        "limits": {
            "max_order_notional": "12345.67",
            "price_collar_pct": 0.07,
            "max_price_age_ns": 3 * 86_400 * 10**9,
            "max_orders_per_minute": 11,
            "max_trades_per_day": 12,
            "max_position_pct": 0.13,
            "max_positions": 14,
            "max_gross_exposure_pct": 1.5,
            "max_net_exposure_pct": 0.6,
            "max_short_share_pct": 0.17,
            "max_sector_exposure_pct": 0.18,
            "daily_loss_pct": 0.019,
            "weekly_loss_pct": 0.021,
            "monthly_loss_pct": 0.022,
            "drawdown_reduce_pct": 0.024,
            "drawdown_reduce_factor": 0.9,
            "drawdown_halve_pct": 0.025,
            "drawdown_halve_factor": 0.8,
            "drawdown_stop_pct": 0.026,
            "max_consecutive_losses": 23,
            "volatility_reduce_at": "27.5",
            "volatility_reduce_factor": 0.5,
            "volatility_halt_at": "28.0",
            "market_order_buffer_pct": 0.04,
            "max_position_notional": "98765.43",
            "max_turnover_pct": 2.5,
            "trade_risk_pct": 0.031,
            "trade_risk_hard_pct": 0.032,
            "adverse_move_sigmas": 3.3,
            "assumed_volatility": 0.36,
            "max_estimate_age_ns": 37 * 86_400 * 10**9,
            "max_group_exposure_pct": 0.4,
            "max_value_at_risk_pct": 0.034,
            "max_volatility_pct": 0.35,
            "session_skip_first_ns": 38 * 10**9,
            "session_skip_last_ns": 39 * 10**9,
            "reentry_step": 0.41,
            "rapid_decline_pct": 0.042,
            "feed_lost_after_ns": (86_400 + 43) * 10**9,
            "broker_lost_after_ns": 44 * 10**9,
            "cut_tolerance_pct": 0.49,
            "gap_move_sigmas": 0.7,
            "extended_before_ns": 330 * 60 * 10**9,
            "extended_after_ns": 240 * 60 * 10**9,
            "breaker_failures": 51,
            "breaker_pause_ns": 52 * 10**9,
            "feed_silent_after_ns": (86_400 + 53) * 10**9,
            "kill_flattens": False,
            "allow_short": False,
            "volatility_required": False,
            "kill_on_daily_loss": False,
        },
        "overrides": [
            {"limit": limit, "value": value, "until": 1_893_596_400 * 10**9, "by": "ada", "reason": "index change"}
            for limit, value in (
                ("max_position_pct", 0.45),
                ("max_position_notional", "46000.5"),
                ("max_orders_per_minute", 47),
            )
        ],
        "policy_generation": 48,
    }


def test_an_override_that_reaches_nothing_is_refused() -> None:
    who = {"until": "2030-01-01T00:00:00Z", "by": "ada", "reason": "none"}
    same = policy("paper", "one", overrides=[{"limit": "position.maxShare", "value": 0.05, **who}])
    with pytest.raises(ValueError, match=r"position\.maxShare as 0\.05 changes nothing that the risk gate holds"):
        engine_config(same, ONE)


def test_a_breaker_that_would_never_be_tried_again_is_refused() -> None:
    with pytest.raises(ValueError, match=r"RiskPolicy/paper: limits\.breaker\.pause: give at most 1h, not 2h"):
        engine_config(policy("paper", "one", limits={"breaker": {"pause": "2h"}}), ONE)


def test_an_unbound_strategy_gets_no_engine() -> None:
    with pytest.raises(ValueError, match="Strategy/one is not bound to RiskPolicy/paper"):
        engine_config(policy("paper", "other"), ONE)
    with pytest.raises(ValueError, match="Strategy/one is not bound to RiskPolicy/other"):
        engine_config(policy("other", "one"), ONE)


def test_a_warm_up_limit_leaves_out_slow_features_and_makes_a_set_of_its_own() -> None:
    (document,) = [d for d in parse_documents(WARM, "warm.yaml") if isinstance(d, Strategy)]
    default = {"fast": 10, "exact": 64, "slow": 65}
    assert feature_names(document, default) == ["fast", "exact", "vol_historical_20_annual"]
    assert feature_set_name(document) == "bars_1d_warm_64_20"


def test_an_order_has_a_minute_except_with_daily_bars_or_by_its_own_word() -> None:
    def timeout(**spec: Any) -> int:
        (own,) = engine_config(policy("paper", "one"), [strategy("one", **spec)])["strategies"]
        return int(own["order_ttl_ns"])

    assert timeout() == 0
    assert timeout(bars="1m") == 60 * 10**9
    assert timeout(execution={"timeout": "5m"}) == 300 * 10**9


@pytest.mark.parametrize("how", ["Keep", "Cancel", "Flatten"])
def test_what_becomes_of_a_deleted_strategy_is_the_engines_to_do(how: str) -> None:
    both = [strategy("one", onDelete=how, capitalShare=0.5), strategy("two", capitalShare=0.5)]
    told = engine_config(policy("paper", "one", "two"), both, deleted={both[0].uid})["strategies"]
    assert [s["leaving"] for s in told] == [how.lower(), None]
    Engine(engine_config(policy("paper", "one", "two"), both, deleted={both[0].uid}))


def test_pairs_and_strategies_of_fractions_count_in_the_smallest_quantity() -> None:
    pair = strategy(
        "one",
        universe={"symbols": ["BTC/USD", "AAPL"]},
        execution={"timeInForce": "Gtc"},
        signal={"direction": "LongOnly"},
    )
    parts = strategy("two", universe={"symbols": ["MSFT"]}, sizing={"fractional": True})
    symbols = engine_config(policy("paper", "one", "two"), [pair, parts])["symbols"]
    steps = {s["symbol"]: s["quantity_increment"] for s in symbols}
    assert steps == {"AAPL": "1", "BTC/USD": "0.000000001", "MSFT": "0.000000001"}
