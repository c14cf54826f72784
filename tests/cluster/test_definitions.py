"""Definitions and admission policies on a real API server: what applies, what is refused, what a person reads."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.conftest import ROOT, Cluster
from tests.cluster.manifests import BAD, RISK_POLICY, STRATEGY, Bad, changed
from tests.cluster.operator_process import eventually
from tradewind.specs import RiskPolicy, SpecError, Strategy, notices, parse_documents
from tradewind.specs.loading import check_together

EXAMPLES = sorted(p for p in (ROOT / "examples").rglob("*.yaml") if "apiVersion: tradewind.dev/" in p.read_text())
MODELS: dict[str, type[Strategy] | type[RiskPolicy]] = {"Strategy": Strategy, "RiskPolicy": RiskPolicy}


def stored(cluster: Cluster, document: dict[str, Any]) -> Strategy | RiskPolicy:
    """What a reader in the cluster gets of an applied document."""
    found = cluster.get(document["kind"], document["metadata"]["name"])
    return MODELS[document["kind"]].model_validate({**document, "spec": found["spec"]})


def test_there_are_examples_and_enough_bad_manifests() -> None:
    assert EXAMPLES
    assert len(BAD) >= 30
    assert len({bad.name for bad in BAD}) == len(BAD)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_an_example_applies_and_reads_back_as_it_does_locally(cluster: Cluster, path: Path) -> None:
    cluster.ok("apply", "-f", str(path))
    local = parse_documents(path.read_text(), path.name)
    check_together(local)
    for document in local:
        there = cluster.get(document.kind, document.metadata.name)
        assert MODELS[document.kind].model_validate({"apiVersion": document.api_version, "kind": document.kind,
               "metadata": {"name": document.metadata.name}, "spec": there["spec"]}).spec == document.spec  # fmt: skip


@pytest.mark.parametrize("bad", BAD, ids=lambda b: b.name)
def test_a_bad_manifest_is_refused_with_field_and_fix(cluster: Cluster, bad: Bad) -> None:
    said = cluster.refused(bad.document)
    assert bad.field in said, said
    assert bad.fix in said, said


@pytest.mark.parametrize("bad", BAD, ids=lambda b: b.name)
def test_the_command_line_refuses_the_same(bad: Bad) -> None:
    text = yaml.safe_dump(bad.document)
    if not bad.local:
        parse_documents(text, "given")
        return
    with pytest.raises(SpecError):
        parse_documents(text, "given")


@pytest.mark.parametrize(
    "document",
    [
        STRATEGY,
        changed(STRATEGY, spec__training__label={"kind": "ForwardReturn"}, spec__universe__context=""),
        changed(STRATEGY, spec__training__start="2020-01-01", spec__training__until="2021-01-01"),
        changed(STRATEGY, spec__news=[{"kind": "Rss", "name": "wire", "url": "https://example.com/feed"}]),
        RISK_POLICY,
        changed(
            RISK_POLICY,
            spec__limits__exposure={"sectors": {"tech": 0.4}, "sectorOf": {"AAPL": "tech", "^VIX": "fear"}},
            spec__overrides=[
                {
                    "limit": "order.maxNotional",
                    "value": 1000,
                    "until": "2027-01-01T09:30:00-05:00",
                    "by": "Ann",
                    "reason": "new",
                }
            ],
        ),
    ],
    ids=["least", "alone", "dates", "news", "policy", "sectors"],
)
def test_the_servers_defaults_are_the_models(cluster: Cluster, document: dict[str, Any]) -> None:
    cluster.apply(document)
    assert stored(cluster, document).spec == MODELS[document["kind"]].model_validate(document).spec


@pytest.mark.parametrize(
    ("document", "field", "blank", "path"),
    [
        (STRATEGY, "spec__universe__context", "", "spec.universe.context"),
        (RISK_POLICY, "spec__limits__volatility__assumed", 0, "spec.limits.volatility.assumed"),
    ],
    ids=["context", "assumed"],
)
def test_nothing_is_said_by_a_blank_because_kubectl_drops_nulls(
    cluster: Cluster, document: dict[str, Any], field: str, blank: Any, path: str
) -> None:
    said = cluster.refused(changed(document, **{field: None}))
    assert f"{path}: kubectl apply drops null" in said
    cluster.apply(changed(document, **{field: blank}))
    cluster.apply(changed(document, **{field: blank}, metadata__labels={"team": "a"}))
    nothing = MODELS[document["kind"]].model_validate(changed(document, **{field: None}))
    assert stored(cluster, document).spec == nothing.spec
    usual = MODELS[document["kind"]].model_validate(document)
    assert nothing.spec != usual.spec


def test_no_client_gets_an_unknown_field_past_admission(cluster: Cluster) -> None:
    cluster.apply(STRATEGY, RISK_POLICY)
    said = cluster.refused(changed(STRATEGY, spec__signal__treshold=0.1), "--validate=false")
    assert "spec.signal: unknown field treshold" in said
    said = cluster.refused(changed(STRATEGY, spec__signal__treshold=0.1), "--server-side", "--force-conflicts")
    assert "spec.signal: unknown field treshold" in said
    patch = cluster.run(
        "patch", "riskpolicy", "paper", "--type=merge", '--patch={"spec":{"killSwich":{"engaged":true}}}'
    )
    assert patch.returncode != 0
    assert "spec: unknown field killSwich" in patch.stderr
    cluster.ok("patch", "riskpolicy", "paper", "--type=merge", '--patch={"spec":{"killSwitch":{"engaged":true}}}')
    assert cluster.get("riskpolicy", "paper")["spec"]["killSwitch"]["engaged"] is True


def test_a_field_without_effect_is_warned_of_when_applied(cluster: Cluster) -> None:
    document = changed(STRATEGY, spec__flatAtClose=True, spec__mode="Paper")
    expected = [n.field for n in notices(Strategy.model_validate(document))]
    done = cluster.run("apply", "-f", "-", given=yaml.safe_dump(document))
    assert done.returncode == 0
    for field in expected:
        assert f"{field} is set, but this version does not act on it yet" in done.stderr
    assert done.stderr.count("does not act on it yet") == len(expected)
    assert "does not act on it yet" not in cluster.run("apply", "-f", "-", given=yaml.safe_dump(RISK_POLICY)).stderr


@pytest.mark.parametrize(
    ("document", "field", "new", "says"),
    [
        (STRATEGY, "spec__riskPolicy", "other", "spec.riskPolicy"),
        (RISK_POLICY, "spec__account", "live", "spec.account"),
    ],
    ids=["riskPolicy", "account"],
)
def test_some_fields_cannot_change(cluster: Cluster, document: dict[str, Any], field: str, new: str, says: str) -> None:
    cluster.apply(document)
    said = cluster.refused(changed(document, **{field: new}))
    assert says in said
    assert "can't be changed" in said
    # And others can: removing a default is no change.
    cluster.apply(changed(document, metadata__labels={"team": "a"}))


def test_the_kill_switch_is_released_in_ones_own_name(cluster: Cluster) -> None:
    """`--as` is a user whom the API server knows by that name."""
    cluster.ok("create", "rolebinding", "people", "--clusterrole=cluster-admin", "--user=ann", "--user=bob")
    cluster.apply(changed(RISK_POLICY, spec__killSwitch__engaged=True))

    def release(user: str, by: str) -> tuple[int, str]:
        patch = f'{{"spec":{{"killSwitch":{{"engaged":false,"releasedBy":"{by}"}}}}}}'
        done = cluster.run("patch", "riskpolicy", "paper", "--type=merge", f"--patch={patch}", f"--as={user}")
        return done.returncode, done.stderr

    code, said = release("bob", "ann")
    assert code != 0
    assert "spec.killSwitch.releasedBy: write your own name, bob" in said
    assert cluster.get("riskpolicy", "paper")["spec"]["killSwitch"]["engaged"] is True
    assert release("ann", "ann")[0] == 0
    # What is written stays, whoever changes something else.
    cluster.ok(
        "patch", "riskpolicy", "paper", "--type=merge", '--patch={"spec":{"limits":{"shorting":false}}}', "--as=bob"
    )


def test_a_policy_in_use_is_not_deleted(cluster: Cluster) -> None:
    trend = changed(STRATEGY, metadata__name="trend")
    others = [
        changed(STRATEGY, metadata__name="else", spec__riskPolicy="other"),
        changed(STRATEGY, metadata__name="no"),
    ]
    cluster.apply(changed(RISK_POLICY, spec__strategies=["momentum", "trend", "else"]), STRATEGY, trend, *others)

    def refused() -> str:
        said = eventually(lambda: cluster.run("delete", "riskpolicy", "paper", "--dry-run=server").stderr)
        assert "trades under this RiskPolicy: delete it first" in said
        return str(said)

    assert re.search("Strategy (momentum|trend) trades", refused())  # it names the first that it comes to
    cluster.ok("delete", "strategy", "momentum")
    eventually(lambda: "Strategy trend" in refused())
    cluster.ok("delete", "strategy", "trend")
    # Who names another policy, or is not allowed by this one, does not trade under it.
    eventually(lambda: cluster.run("delete", "riskpolicy", "paper").returncode == 0)


def test_one_command_deletes_a_strategy_and_its_policy(cluster: Cluster) -> None:
    """The API server sees its own deletion by a watch, some milliseconds later: now and then it takes a second run."""
    documents = yaml.safe_dump_all([STRATEGY, RISK_POLICY])
    again, rounds = 0, 20
    for _ in range(rounds):
        cluster.apply(STRATEGY, RISK_POLICY)
        done = cluster.run("delete", "-f", "-", given=documents)
        if done.returncode != 0:
            assert "Strategy momentum trades under this RiskPolicy" in done.stderr
            again += 1
            cluster.ok("delete", "--ignore-not-found", "-f", "-", given=documents)
        assert cluster.ok("get", "tradewind", "-o", "name") == ""
    print(json.dumps({"figure": "one command refused at first", "rounds": rounds, "refused": again}))


def test_a_policy_that_waits_is_deleted_by_one_command_in_either_order(cluster: Cluster) -> None:
    waits = changed(RISK_POLICY, spec__onDelete="Wait")
    for documents in ([STRATEGY, waits], [waits, STRATEGY]):
        for _ in range(10):
            cluster.apply(*documents)
            cluster.ok("delete", "-f", "-", given=yaml.safe_dump_all(documents))
            assert cluster.ok("get", "tradewind", "-o", "name") == ""


def test_a_namespace_goes_with_the_policies_in_use(cluster: Cluster) -> None:
    name = f"{cluster.namespace}-goes"
    cluster.ok("create", "namespace", name)
    cluster.ok("apply", "--namespace", name, "-f", "-", given=yaml.safe_dump_all([RISK_POLICY, STRATEGY]))
    cluster.ok("delete", "namespace", name, "--timeout=40s")


def test_policies_type_check_against_the_definitions(cluster: Cluster) -> None:
    policies = yaml.safe_load(cluster.ok("get", "validatingadmissionpolicies", "-o", "yaml"))["items"]
    ours = [p for p in policies if p["metadata"]["name"].endswith(".tradewind.dev")]
    assert len(ours) >= 2
    assert [p["status"].get("typeChecking", {}).get("expressionWarnings") for p in ours] == [None] * len(ours)


def test_get_shows_what_matters_and_selects_by_field(cluster: Cluster) -> None:
    cluster.apply(
        STRATEGY, changed(STRATEGY, metadata__name="trend", spec__riskPolicy="other", spec__mode="DryRun"), RISK_POLICY
    )
    header, *rows = cluster.ok("get", "strat").splitlines()
    assert header.split() == ["NAME", "MODE", "POLICY", "MODEL", "TRAINED", "GATES", "STAGE", "READY", "AGE"]
    assert [row.split()[:3] for row in rows] == [["momentum", "Paper", "paper"], ["trend", "DryRun", "other"]]
    header, row = cluster.ok("get", "rp").splitlines()
    assert header.split() == ["NAME", "ACCOUNT", "KILL", "READY", "AGE"]
    assert row.split()[:3] == ["paper", "paper", "false"]
    selected = cluster.ok("get", "strat", "--field-selector=spec.riskPolicy=other", "-o", "name")
    assert selected.split() == ["strategy.tradewind.dev/trend"]
    assert len(cluster.ok("get", "tradewind", "-o", "name").split()) == 3


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("strategy", "A machine-learned trading strategy."),
        ("strategy.spec.mode", "DryRun sends nothing; Paper and Live share one path."),
        ("strategy.spec.training.label", "Which of three barriers a price touches first"),
        ("strategy.spec.training.label.horizonBars", "TripleBarrier: 10 by default. ForwardReturn: 5 by default."),
        ("riskpolicy.spec.limits.loss.daily", "From the day's highest equity."),
        ("riskpolicy.spec.overrides.limit", "position.maxShare"),
        ("riskpolicy.status.conditions.reason", "Why, in one word."),
    ],
)
def test_explain_reads_well(cluster: Cluster, path: str, words: str) -> None:
    said = re.sub(r"\s+", " ", cluster.ok("explain", path))
    assert words in said
    assert "<empty>" not in said


def test_every_field_is_explained(cluster: Cluster) -> None:
    for kind in ("strategy", "riskpolicy"):
        said = cluster.ok("explain", f"{kind}.spec", "--recursive=false")
        assert "<no description>" not in said
        assert "DESCRIPTION:" in said
