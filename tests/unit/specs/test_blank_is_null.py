"""A blank says null where the default is something else."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tradewind.specs.risk import VolatilityLimits
from tradewind.specs.strategy import Universe


def test_an_empty_context_is_none() -> None:
    assert Universe(symbols=["AAPL"], context="").context is None
    assert Universe(symbols=["AAPL"]).context == "^GSPC"


def test_an_assumed_volatility_of_zero_is_none_and_nothing_else_is() -> None:
    assert VolatilityLimits(assumed=0).assumed is None
    assert VolatilityLimits().assumed == 0.5
    with pytest.raises(ValidationError):
        VolatilityLimits(assumed=-0.1)
