"""The documents a command was given. Shell (reads files)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tradewind.console.errors import ConsoleError
from tradewind.native.features import FeatureError, describe_feature
from tradewind.planning.engine_config import engine_config
from tradewind.specs import Notice, RiskPolicy, SpecError, Strategy, load_documents, notices


@dataclass(frozen=True)
class Documents:
    """Strategies and policies that fit together."""

    strategies: list[Strategy]
    policies: list[RiskPolicy]
    files: list[Path]

    @property
    def all(self) -> list[Strategy | RiskPolicy]:
        """In the order strategies, policies."""
        return [*self.strategies, *self.policies]

    @property
    def notices(self) -> list[Notice]:
        """Fields that are set without effect."""
        return [n for d in self.all for n in notices(d)]


def load(files: list[Path]) -> Documents:
    """Reads and checks the files. Raises ConsoleError with the first problem."""
    try:
        documents = load_documents(files)
    except SpecError as error:
        raise ConsoleError(str(error)) from None
    strategies = [d for d in documents if isinstance(d, Strategy)]
    for strategy in strategies:
        for name in strategy.spec.features.names:
            try:
                describe_feature(name)
            except FeatureError as error:
                raise ConsoleError(f"Strategy/{strategy.metadata.name}: spec.features.names: {error}") from None
    policies = [d for d in documents if isinstance(d, RiskPolicy)]
    for policy in policies:
        bound = [s for s in strategies if s.spec.risk_policy == policy.metadata.name]
        try:
            if bound:
                engine_config(policy, bound)
        except ValueError as error:
            raise ConsoleError(str(error)) from None
    return Documents(strategies, policies, files)


def load_complete(files: list[Path]) -> Documents:
    """The same for commands that trade: at least one strategy, and every policy that is named."""
    documents = load(files)
    names = ", ".join(map(str, files))
    if not documents.strategies:
        raise ConsoleError(f"{names}: no Strategy in these files; add one with -f")
    for strategy in documents.strategies:
        if strategy.spec.risk_policy not in {p.metadata.name for p in documents.policies}:
            raise ConsoleError(
                f"Strategy/{strategy.metadata.name}: spec.riskPolicy: RiskPolicy {strategy.spec.risk_policy!r} "
                f"is not in {names}; add its file with -f"
            )
    return documents
