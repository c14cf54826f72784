"""Fields a document sets that this version does not act on. Core."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel

from tradewind.specs.base import Document, is_in_effect


@dataclass(frozen=True)
class Notice:
    """One field that is set but has no effect yet."""

    document: str
    field: str

    def __str__(self) -> str:
        return f"{self.document}: {self.field} is set, but this version does not act on it yet"


def notices(document: Document) -> list[Notice]:
    """Every field of `document` that differs from its default and is not in effect."""
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
    return found
