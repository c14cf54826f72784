"""The operator's role covers every kind that it watches and applies."""

from __future__ import annotations

import pytest

from tradewind.operators.crds.rbac import operator_rules
from tradewind.operators.run.api import KINDS


def permitted(group: str, resource: str) -> set[str]:
    rules = [r for r in operator_rules() if group in r["apiGroups"] and resource in r["resources"]]
    return {verb for rule in rules for verb in rule["verbs"]}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_watched_may_be_watched(kind: str) -> None:
    assert {"list", "watch"} <= permitted(KINDS[kind].group, KINDS[kind].plural)


def test_no_rule_has_a_wildcard_or_a_secret() -> None:
    for rule in operator_rules():
        assert "*" not in {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
        assert "secrets" not in rule["resources"]
