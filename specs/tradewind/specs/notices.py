"""Fields a document sets that this version, or another field, leaves without effect. Core."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel

from tradewind.specs.base import Document, duration_ns, interval_ns, is_in_effect
from tradewind.specs.strategy import Strategy


@dataclass(frozen=True)
class Notice:
    """One field that is set but has no effect, and why."""

    document: str
    field: str
    reason: str = "this version does not act on it yet"

    def __str__(self) -> str:
        return f"{self.document}: {self.field} is set, but {self.reason}"


def notices(document: Document) -> list[Notice]:
    """Every field of `document` that is set and has no effect."""
    name = f"{document.kind}/{document.metadata.name}"
    found: list[Notice] = []

    def walk(model: BaseModel, path: str) -> None:
        for key, info in type(model).model_fields.items():
            where = f"{path}.{info.alias or key}" if path else (info.alias or key)
            value = getattr(model, key)
            if not is_in_effect(info.json_schema_extra):
                if key in model.model_fields_set and value != info.get_default(
                    call_default_factory=True, validated_data={}
                ):
                    found.append(Notice(name, where))
            elif isinstance(value, BaseModel):
                walk(value, where)

    walk(document, "")
    if isinstance(document, Strategy) and document.spec.execution.algorithm != "None":
        execution, bars = document.spec.execution, document.spec.bars
        if not spreads(document):
            reason = f"its window of {execution.duration} is not longer than a bar ({bars}): each intent is one order"
            found.append(Notice(name, "spec.execution.algorithm", reason))
        elif duration_ns(execution.interval) < interval_ns(bars):
            reason = f"time is seen bar by bar: slices are at least {bars} apart in a replay"
            found.append(Notice(name, "spec.execution.interval", reason))
    return found


def spreads(strategy: Strategy) -> bool:
    """Whether the strategy's orders are spread over time: a schedule needs a window of more than one bar."""
    execution = strategy.spec.execution
    return execution.algorithm != "None" and duration_ns(execution.duration) > interval_ns(strategy.spec.bars)
