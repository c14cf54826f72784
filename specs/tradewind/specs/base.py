"""What every document shares: camelCase keys, refused unknown keys, metadata. Core."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticUndefined

API_VERSION = "tradewind.dev/v1alpha1"

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
PositiveFraction = Annotated[float, Field(gt=0.0, le=1.0)]
# A ticker as exchanges write it, a crypto pair, or an index with a caret.
Ticker = Annotated[str, StringConstraints(pattern=r"^\^?[A-Z0-9][A-Z0-9./-]{0,14}$")]
# RFC 1123 label: what Kubernetes accepts as a name.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
BarInterval = Literal["1m", "5m", "15m", "1h", "1d"]
# A decimal amount of the account's currency, kept as text so that it never becomes a binary float.
MoneyText = Annotated[str, StringConstraints(pattern=r"^\d{1,10}(\.\d{1,8})?$")]

_NOT_IN_EFFECT = "x-tradewind-not-in-effect"


class SpecModel(BaseModel):
    """A part of a document: camelCase keys, unknown keys refused, immutable once read."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, allow_inf_nan=False
    )


def later(default: Any = PydanticUndefined, *, description: str, **constraints: Any) -> Any:
    """A field that is part of the document's shape but that this version doesn't act on.

    Setting it to anything but its default is reported by `notices` (and by `tradewind validate`),
    never ignored in silence.
    """
    return Field(default, description=description, json_schema_extra={_NOT_IN_EFFECT: True}, **constraints)


def is_in_effect(extra: Any) -> bool:
    """Whether a field with this `json_schema_extra` is acted on by this version."""
    return not (isinstance(extra, dict) and extra.get(_NOT_IN_EFFECT))


def null_as(blank: str | float) -> BeforeValidator:
    """Another spelling of null, for fields whose default is not null: `kubectl apply` drops nulls."""
    return BeforeValidator(lambda value: None if type(value) is not bool and value == blank else value)


class Metadata(SpecModel):
    """Who a document is, as Kubernetes has it."""

    name: Name = Field(description="Unique among documents of its kind in the namespace.")
    namespace: Name = Field("default", description="Namespace; locally a label and nothing more.")
    labels: dict[str, str] = Field(default_factory=dict, description="Free labels.")
    annotations: dict[str, str] = Field(default_factory=dict, description="Free annotations.")
    generation: int = Field(1, ge=1, description="Counts changes of the spec; set by Kubernetes, 1 locally.")
    uid: str = Field("", description="Set by Kubernetes; locally derived from kind, namespace and name.")


class Document(SpecModel):
    """The envelope of a Kubernetes object."""

    api_version: Literal["tradewind.dev/v1alpha1"] = Field(description="tradewind.dev/v1alpha1")
    kind: str
    metadata: Metadata

    @property
    def uid(self) -> str:
        """The object's UID: Kubernetes' own, or a stable local one."""
        meta = self.metadata
        return meta.uid or f"{self.kind.lower()}/{meta.namespace}/{meta.name}"


DURATION = re.compile(r"^(\d+)(ms|s|m|h|d)$")
_NS = {"ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86400 * 10**9}
Duration = Annotated[str, StringConstraints(pattern=DURATION.pattern)]


def duration_ns(text: str) -> int:
    """Nanoseconds of a duration such as `500ms`, `60s`, `5m`, `1d`."""
    match = DURATION.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration: write a number and a unit, e.g. 500ms, 60s, 5m, 1d")
    return int(match[1]) * _NS[match[2]]


def interval_ns(interval: str) -> int:
    """Nanoseconds of a bar interval."""
    return duration_ns(interval)
