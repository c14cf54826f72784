"""Strategy and RiskPolicy: what is accepted, what is refused, and in which words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from tradewind.specs import RiskPolicy, SpecError, Strategy, load_documents, notices, parse_documents
from tradewind.specs.base import duration_ns

EXAMPLES = Path(__file__).parents[3] / "examples"
STRATEGY = """\
apiVersion: tradewind.dev/v1alpha1
kind: Strategy
metadata: {name: one}
spec:
  riskPolicy: paper
  universe: {symbols: [AAPL, MSFT]}
"""
POLICY = """\
apiVersion: tradewind.dev/v1alpha1
kind: RiskPolicy
metadata: {name: paper}
spec:
  strategies: [one]
"""

OVERRIDE = "  overrides: [{{limit: {limit}, value: {value}, until: '{until}', by: ada, reason: index change}}]\n"

REFUSED = [
    ("unknown field", STRATEGY + "  sizng: {}\n", "spec.sizng: unknown field; did you mean sizing?"),
    ("nested unknown field", STRATEGY + "  sizing: {maxPositionPc: 0.1}\n", "did you mean maxPositionPct?"),
    ("limit out of range", POLICY + "  limits: {position: {maxShare: 1.5}}\n", "spec.limits.position.maxShare"),
    ("limit below range", POLICY + "  limits: {loss: {daily: 0}}\n", "spec.limits.loss.daily"),
    (
        "soft limit above the hard one",
        POLICY + "  limits: {loss: {perTrade: 0.02}}\n",
        "perTrade (0.02) must not be above perTradeHard (0.01)",
    ),
    (
        "cap of a sector that nobody is in",
        POLICY + "  limits: {exposure: {sectors: {Tech: 0.3}}}\n",
        "sectors.Tech: no symbol of sectorOf is in this sector",
    ),
    (
        "look-back shorter than the days needed",
        POLICY + "  limits: {volatility: {lookBackDays: 20, minDays: 21}}\n",
        "minDays (21) must not be above lookBackDays (20)",
    ),
    (
        "override of what is no number",
        POLICY + OVERRIDE.format(limit="session.calendar", value=1, until="2030-01-02T15:00:00Z"),
        "session.calendar is not a number of spec.limits",
    ),
    (
        "override of what does not exist",
        POLICY + OVERRIDE.format(limit="position.maxShares", value=0.1, until="2030-01-02T15:00:00Z"),
        "position.maxShares is not a number of spec.limits",
    ),
    (
        "override out of range",
        POLICY + OVERRIDE.format(limit="position.maxShare", value=1.5, until="2030-01-02T15:00:00Z"),
        "overrides: position.maxShare: Input should be less than or equal to 1",
    ),
    (
        "override above the hard limit",
        POLICY + OVERRIDE.format(limit="loss.perTrade", value=0.5, until="2030-01-02T15:00:00Z"),
        "must not be above perTradeHard",
    ),
    (
        "override without a time zone",
        POLICY + OVERRIDE.format(limit="position.maxShare", value=0.1, until="2030-01-02T15:00:00"),
        "spec.overrides.0.until",
    ),
    (
        "switch engaged and released",
        POLICY + "  killSwitch: {engaged: true, releasedBy: ada}\n",
        "engaged and releasedBy (ada) contradict each other",
    ),
    ("missing field", STRATEGY.replace("  riskPolicy: paper\n", ""), "spec.riskPolicy: required field is missing"),
    ("bad symbol", STRATEGY.replace("MSFT", "ms ft"), "spec.universe.symbols.1"),
    ("symbol twice", STRATEGY.replace("MSFT", "AAPL"), "AAPL is listed twice"),
    ("context is traded", STRATEGY.replace("MSFT]", "MSFT], context: MSFT"), "context MSFT is also in symbols"),
    ("wrong kind", STRATEGY.replace("kind: Strategy", "kind: Stratgy"), "kind is 'Stratgy'"),
    ("wrong version", STRATEGY.replace("v1alpha1", "v9"), "write apiVersion: tradewind.dev/v1alpha1"),
    ("not YAML", STRATEGY + "  a: [1\n", "not valid YAML"),
    ("key twice", STRATEGY + "  riskPolicy: other\n", "'riskPolicy' is given twice"),
    ("empty", "\n", "holds no document"),
    ("a list", "- 1\n", "a document must be a mapping"),
    ("NaN", STRATEGY + "  signal: {threshold: .nan}\n", "spec.signal.threshold"),
    ("duration", STRATEGY + "  execution: {validFor: 5 days}\n", "spec.execution.validFor"),
    (
        "ladder that does not deepen",
        POLICY + "  limits: {drawdown: [{at: 0.1, size: 0.5}, {at: 0.05, size: 0.4}, {at: 0.2, size: 0}]}\n",
        "drawdown steps must deepen and shrink",
    ),
    (
        "volatility thresholds crossed",
        POLICY + "  limits: {volatility: {indexHalveAt: 40, indexHaltAt: 35}}\n",
        "indexHalveAt (40.0) must be below indexHaltAt (35.0)",
    ),
    (
        "training dates crossed",
        STRATEGY + "  training: {start: 2012-01-01, until: 2011-01-01}\n",
        "must be before until",
    ),
]


@pytest.mark.parametrize(("text", "expected"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_a_bad_document_is_refused_in_one_line_that_names_the_field(text: str, expected: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_documents(text, "doc.yaml")
    message = str(caught.value)
    assert message.startswith("doc.yaml: ")
    assert expected in message
    assert "\n" not in message


def test_minimal_documents_carry_the_decided_defaults() -> None:
    strategy, policy = parse_documents(STRATEGY + "---\n" + POLICY, "doc.yaml")
    assert isinstance(strategy, Strategy)
    assert isinstance(policy, RiskPolicy)
    limits = policy.spec.limits
    assert (limits.loss.daily, limits.loss.weekly, limits.loss.monthly) == (0.02, 0.05, 0.10)
    assert (limits.position.max_share, limits.position.max_count) == (0.05, 20)
    assert [(s.at, s.size) for s in limits.drawdown] == [(0.05, 0.75), (0.10, 0.50), (0.15, 0.0)]
    gates = strategy.spec.training.gates
    assert (gates.min_sharpe, gates.max_drawdown, gates.max_pbo, gates.min_deflated_sharpe) == (1.0, 0.10, 0.5, 0.95)
    splits = strategy.spec.training.splits
    assert (splits.train_bars, splits.validation_bars, splits.step_bars) == (252, 63, 21)


def test_documents_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    def load(*texts: str) -> str:
        path = tmp_path / "docs.yaml"
        path.write_text("---\n".join(texts))
        with pytest.raises(SpecError) as caught:
            load_documents([path])
        return str(caught.value)

    assert "no RiskPolicy 'paper' given, only other" in load(STRATEGY, POLICY.replace("name: paper", "name: other"))
    assert "does not allow it" in load(STRATEGY, POLICY.replace("[one]", "[two]"))
    assert "given twice" in load(STRATEGY, STRATEGY)
    assert "is a paper account" in load(STRATEGY + "  mode: Live\n", POLICY)
    two = STRATEGY.replace("name: one", "name: two")
    assert "add up to 2.00" in load(STRATEGY, two, POLICY.replace("[one]", "[one, two]"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no such file; check the path given with -f"):
        load_documents([tmp_path / "nothing.yaml"])


def test_a_field_without_effect_is_reported_and_only_when_set() -> None:
    (silent,) = parse_documents(STRATEGY, "doc.yaml")
    assert notices(silent) == []
    (loud,) = parse_documents(STRATEGY + "  flatAtClose: true\n  sizing: {kellyFraction: 0.5}\n", "doc.yaml")
    assert [n.field for n in notices(loud)] == ["spec.sizing.kellyFraction", "spec.flatAtClose"]


def test_a_schedule_that_bars_are_too_coarse_for_is_reported() -> None:
    def reported(bars: str, execution: str) -> list[str]:
        text = STRATEGY + f"  bars: {bars}\n  execution: {{algorithm: Twap, {execution}}}\n"
        return [str(n) for n in notices(parse_documents(text, "doc.yaml")[0])]

    assert reported("1d", "duration: 1h") == [
        "Strategy/one: spec.execution.algorithm is set, but its window of 1h is not longer than a bar (1d): "
        "each intent is one order"
    ]
    assert reported("15m", "interval: 5m") == [
        "Strategy/one: spec.execution.interval is set, but time is seen bar by bar: slices are at least 15m apart "
        "in a replay"
    ]
    assert reported("1m", "interval: 5m") == []


@pytest.mark.parametrize(
    ("execution", "message"),
    [
        ("algorithm: Twap, duration: 2d", "duration 2d: give more than 0 and at most 1d"),
        ("algorithm: Twap, duration: 5m, interval: 6m", "interval 6m: give more than 0 and at most the duration 5m"),
        ("algorithm: Vwap, duration: 1d, interval: 1m", "interval 1m: at most 1000 slices fit"),
        ("algorithm: Twap, duration: 2h, validFor: 1h", "validFor 1h: must be at least the duration 2h"),
        ("algorithm: Participation, participation: 0", "participation: must be more than 0"),
        ("impact: {temporaryBps: 1, permanentBps: 2}", "temporaryBps must be more than half of permanentBps"),
        ("impact: {riskAversion: 0.5}", "riskAversion: at most 9.5e-04"),
        ("algorithm: Iceberg", "algorithm"),
        ("algorithm: Twap, orderType: StopLimit", "not with orderType StopLimit"),
        ("algorithm: Twap, orderType: Limit, extendedHours: true", "not with extendedHours"),
        (
            "algorithm: Smart, bracket: {takeProfit: 0.05}",
            "algorithm Smart works plain Market and Limit orders: not with bracket",
        ),
    ],
)
def test_execution_settings_without_sense_are_refused(execution: str, message: str) -> None:
    with pytest.raises(SpecError, match=re.escape(message)):
        parse_documents(STRATEGY + f"  execution: {{{execution}}}\n", "doc.yaml")


def test_every_field_is_documented() -> None:
    def undocumented(model: type[BaseModel], path: str) -> list[str]:
        found: list[str] = []
        for name, info in model.model_fields.items():
            inner = [a for a in (info.annotation, *getattr(info.annotation, "__args__", ())) if isinstance(a, type)]
            models = [a for a in inner if issubclass(a, BaseModel)]
            for sub in models:
                found += undocumented(sub, f"{path}.{name}")
            if not models and not info.description and name not in {"kind", "value", "reason"}:
                found.append(f"{path}.{name}")
        return found

    assert undocumented(Strategy, "Strategy") + undocumented(RiskPolicy, "RiskPolicy") == []


def test_the_examples_load() -> None:
    files = sorted(p for p in EXAMPLES.glob("*.yaml") if "kind: Strategy" in p.read_text())
    assert files
    for path in files:
        assert load_documents([path])


@given(st.integers(0, 10**6), st.sampled_from(["ms", "s", "m", "h", "d"]))
def test_durations_scale_by_their_unit(number: int, unit: str) -> None:
    seconds = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}[unit]
    assert duration_ns(f"{number}{unit}") == round(number * seconds * 1000) * 10**6
