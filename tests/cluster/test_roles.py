"""What each account and each role may do, and that it is no more. That it is enough, the operator's own tests show."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cluster.conftest import Cluster
from tests.cluster.manifests import RISK_POLICY, STRATEGY, changed
from tests.cluster.operator_process import operators_account

# What every authenticated account may do, and reviews of its own rights.
EVERYBODY = ("selfsubject", "nonresource")


def permitted(cluster: Cluster, *user: str) -> set[tuple[str, str]]:
    """Every (resource, verb) that a user may do in the test's namespace, as the API server itself lists it."""
    found = set()
    for line in cluster.ok("auth", "can-i", "--list", "--no-headers", *user).splitlines():
        match = re.match(r"^(\S*)\s+\[(.*?)\]\s+\[(.*?)\]\s+\[(.*?)\]$", line)
        assert match, line
        resource, urls, names, verbs = match.groups()
        if urls or resource.startswith(EVERYBODY):
            continue
        assert not names, line
        found |= {(resource, verb) for verb in verbs.split()}
    return found


def verbs(text: str) -> set[tuple[str, str]]:
    """`resource: verb verb` lines as pairs."""
    lines = [line.split(":") for line in text.strip().splitlines()]
    return {(resource.strip(), verb) for resource, listed in lines for verb in listed.split()}


OPERATOR = """
    riskpolicies.tradewind.dev: get list watch patch
    strategies.tradewind.dev: get list watch patch
    riskpolicies.tradewind.dev/status: patch
    strategies.tradewind.dev/status: patch
    riskpolicies.tradewind.dev/finalizers: update
    strategies.tradewind.dev/finalizers: update
    statefulsets.apps: list watch create patch
    deployments.apps: list watch create patch delete
    jobs.batch: list watch create patch delete
    configmaps: list watch create patch delete
    serviceaccounts: list watch create patch
    services: list watch create patch
    roles.rbac.authorization.k8s.io: list watch create patch
    rolebindings.rbac.authorization.k8s.io: list watch create patch
    pods: list watch patch delete
    events: create
    leases.coordination.k8s.io: get create update
"""
AUTHOR = """
    strategies.tradewind.dev: create update patch delete get list watch
    riskpolicies.tradewind.dev: get list watch
"""
MANAGER = """
    riskpolicies.tradewind.dev: create update patch delete get list watch
    strategies.tradewind.dev: get list watch
"""


def test_the_operators_account_may_do_what_it_does_and_no_more(cluster: Cluster, tmp_path: Path) -> None:
    operators_account(cluster, tmp_path)
    user = f"--as=system:serviceaccount:{cluster.namespace}:tradewind-operator"
    assert permitted(cluster, user) == verbs(OPERATOR)
    assert cluster.run("auth", "can-i", "list", "pods", user, "--namespace=default").stdout.strip() == "no"
    assert cluster.run("auth", "can-i", "get", "secrets", user).stdout.strip() == "no"


@pytest.mark.parametrize(("role", "may"), [("tradewind-strategy-author", AUTHOR), ("tradewind-risk-manager", MANAGER)])
def test_a_persons_role_is_what_it_says(cluster: Cluster, role: str, may: str) -> None:
    cluster.ok("create", "rolebinding", "person", f"--clusterrole={role}", "--user=ann")
    assert permitted(cluster, "--as=ann") == verbs(may)


def test_an_author_trades_within_limits_that_only_a_manager_sets(cluster: Cluster) -> None:
    cluster.ok("create", "rolebinding", "author", "--clusterrole=tradewind-strategy-author", "--user=ann")
    cluster.ok("create", "rolebinding", "manager", "--clusterrole=tradewind-risk-manager", "--user=bob")
    cluster.apply(RISK_POLICY, as_user="bob")
    cluster.apply(STRATEGY, as_user="ann")
    said = cluster.refused(changed(RISK_POLICY, spec__limits__loss__daily=0.5), "--as=ann")
    assert 'User "ann" cannot patch resource "riskpolicies"' in said
    said = cluster.refused(changed(STRATEGY, spec__capitalShare=0.5), "--as=bob")
    assert 'User "bob" cannot patch resource "strategies"' in said


def test_who_may_view_the_namespace_sees_the_documents(cluster: Cluster) -> None:
    cluster.ok("create", "rolebinding", "guest", "--clusterrole=view", "--user=eve")
    may = permitted(cluster, "--as=eve")
    assert {(f"{kind}.tradewind.dev", "get") for kind in ("strategies", "riskpolicies")} <= may
    assert not {pair for pair in may if "tradewind.dev" in pair[0] and pair[1] not in ("get", "list", "watch")}
