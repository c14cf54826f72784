"""The two CustomResourceDefinitions. Core."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from tradewind.operators.crds.rules import NAMED
from tradewind.operators.crds.structural import PRESERVE, structural
from tradewind.specs import RiskPolicySpec, StrategySpec
from tradewind.specs.base import API_VERSION
from tradewind.specs.risk import RiskPolicy
from tradewind.specs.strategy import Strategy

GROUP, VERSION = API_VERSION.split("/")


@dataclass(frozen=True)
class Column:
    """A column of `kubectl get`; priority 1 shows with `-o wide` only."""

    name: str
    path: str
    description: str
    kind: str = "string"
    priority: int = 0

    def as_column(self) -> dict[str, Any]:
        """The column as an entry of additionalPrinterColumns."""
        told: dict[str, Any] = {"name": self.name, "type": self.kind, "jsonPath": self.path}
        return {**told, "description": self.description, **({"priority": 1} if self.priority else {})}


def _of(condition: str, field: str) -> str:
    return f'.status.conditions[?(@.type=="{condition}")].{field}'


_COMMON = (
    Column("Ready", _of("Ready", "status"), "Whether it does what it says."),
    Column("Reason", _of("Ready", "reason"), "Why it is ready or not.", priority=1),
    Column("Message", _of("Ready", "message"), "The same in words.", priority=1),
    Column("Age", ".metadata.creationTimestamp", "Since when it is there.", kind="date"),
)


@dataclass(frozen=True)
class Definition:
    """One kind as the API server knows it."""

    document: type[BaseModel]
    spec: type[BaseModel]
    plural: str
    short: tuple[str, ...]
    columns: tuple[Column, ...]
    selectable: tuple[str, ...]

    @property
    def kind(self) -> str:
        """The kind's name."""
        return self.document.__name__


KINDS = (
    Definition(
        Strategy,
        StrategySpec,
        "strategies",
        ("strat",),
        (
            Column("Mode", ".spec.mode", "DryRun, Paper or Live."),
            Column("Policy", ".spec.riskPolicy", "The RiskPolicy it trades under."),
            Column("Model", ".status.model.version", "Version of the model that is served to it.", kind="integer"),
            Column("Trained", _of("ModelReady", "reason"), "How far its training is."),
            Column("Gates", _of("GatesPassed", "status"), "Whether its model passed the gates."),
            Column("Stage", ".status.rollout.stage", "Live: Shadow or Canary while a model is on trial, or Champion."),
        ),
        (".spec.mode", ".spec.riskPolicy"),
    ),
    Definition(
        RiskPolicy,
        RiskPolicySpec,
        "riskpolicies",
        ("rp",),
        (
            Column("Account", ".spec.account", "paper or live."),
            Column("Kill", ".spec.killSwitch.engaged", "Whether the kill switch is asked for.", kind="boolean"),
        ),
        (".spec.account",),
    ),
)

CONDITION = {
    "type": "object",
    "description": "One observation of the object's state.",
    "required": ["type", "status", "lastTransitionTime", "reason", "message"],
    "properties": {
        "type": {"type": "string", "maxLength": 316, "description": "What is observed, such as Ready."},
        "status": {"type": "string", "enum": ["True", "False", "Unknown"], "description": "What was seen."},
        "observedGeneration": {
            "type": "integer",
            "format": "int64",
            "minimum": 0,
            "description": "metadata.generation that this was seen of; `kubectl wait` looks at it.",
        },
        "lastTransitionTime": {"type": "string", "format": "date-time", "description": "When status last changed."},
        "reason": {
            "type": "string",
            "minLength": 1,
            "maxLength": 1024,
            "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
            "description": "Why, in one word.",
        },
        "message": {"type": "string", "maxLength": 32768, "description": "Why, in words: the field and the fix."},
    },
}
_OBSERVED: dict[str, dict[str, Any]] = {
    "observedGeneration": {
        "type": "integer",
        "format": "int64",
        "description": "metadata.generation that this status is of.",
    },
    "conditions": {
        "type": "array",
        "description": "Observations; `kubectl wait --for=condition=Ready` waits for one of them.",
        "items": CONDITION,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
    },
}
_OBSERVED_OF: dict[str, dict[str, Any]] = {
    "Strategy": {
        "model": {
            "type": "object",
            "description": "The model that is served to it.",
            "properties": {
                "name": {"type": "string", "description": "Its name in the registry."},
                "version": {"type": "integer", "format": "int64", "description": "The version."},
                "alias": {"type": "string", "description": "Live serves champion, everything else candidate."},
            },
        },
        "rollout": {
            "type": "object",
            "description": "How far a Live strategy's models are on their way to its capital.",
            "properties": {
                "stage": {"type": "string", "description": "Waiting, Shadow, Canary or Champion."},
                "champion": {"type": "integer", "format": "int64", "description": "The version that is the champion."},
                "challenger": {
                    "type": "object",
                    "description": "The version on trial.",
                    "properties": {
                        "version": {"type": "integer", "format": "int64", "description": "The version."},
                        "stage": {
                            "type": "string",
                            "description": "Shadow: no orders; Canary: a share of the capital.",
                        },
                        "since": {"type": "string", "format": "date-time", "description": "When the stage began."},
                        "trades": {
                            "type": "integer",
                            "format": "int64",
                            "description": "Orders of which it got a fill.",
                        },
                        "intents": {"type": "integer", "format": "int64", "description": "Intents that were decided."},
                        "errors": {
                            "type": "integer",
                            "format": "int64",
                            "description": "Those that were its own fault.",
                        },
                    },
                },
                "refused": {
                    "type": "array",
                    "description": "Newer versions than the champion that are not tried again.",
                    "items": {
                        "type": "object",
                        "properties": {
                            "version": {"type": "integer", "format": "int64", "description": "The version."},
                            "reason": {"type": "string", "description": "Why."},
                        },
                    },
                },
            },
        },
    },
    "RiskPolicy": {
        "boundStrategies": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Strategies that trade under this policy now; while there are any it can't be deleted.",
        },
        "refused": {
            "type": "object",
            "description": "The executor's pod was refused by the kubelet; it is tried again later and later.",
            "properties": {
                "count": {"type": "integer", "format": "int64", "description": "Refusals in a row."},
                "at": {"type": "string", "format": "date-time", "description": "Time of the last one."},
                "pod": {"type": "string", "description": "UID of the pod that was refused last."},
                "reason": {"type": "string", "description": "The kubelet's reason."},
                "message": {"type": "string", "description": "The kubelet's words."},
            },
        },
    },
}


def definitions() -> list[dict[str, Any]]:
    """The CustomResourceDefinition of each kind."""
    return [_definition(kind) for kind in KINDS]


def _definition(kind: Definition) -> dict[str, Any]:
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [c.as_column() for c in (*kind.columns, *_COMMON)],
        "selectableFields": [{"jsonPath": path} for path in kind.selectable],
        "schema": {"openAPIV3Schema": _schema(kind)},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.kind.lower(),
                "shortNames": list(kind.short),
                "categories": ["tradewind"],
            },
            "versions": [version],
        },
    }


def _schema(kind: Definition) -> dict[str, Any]:
    return {
        "type": "object",
        "description": (kind.document.__doc__ or "").strip(),
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": API_VERSION},
            "kind": {"type": "string", "description": kind.kind},
            "metadata": {"type": "object"},
            "spec": structural(kind.spec),
            "status": {
                "type": "object",
                "description": "What was observed; written by the operator only.",
                "properties": {**_OBSERVED, **_OBSERVED_OF[kind.kind]},
            },
        },
        PRESERVE: True,
        "x-kubernetes-validations": [NAMED.as_validation()],
    }
