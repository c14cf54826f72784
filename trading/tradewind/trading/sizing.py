"""From a strength to a target position. Core.

Statistics are floats; the step to money is made once, by whole shares of a fixed-point price.
"""

from __future__ import annotations

import math

from tradewind.specs.strategy import Sizing

QUANTITY_SCALE = 10**9
MONEY_SCALE = 10**8


def target_share(strength: float, annual_volatility: float, sizing: Sizing) -> float:
    """Target position as a signed share of the strategy's capital.

    VolatilityTarget scales by target ÷ realised volatility (Moreira and Muir, Volatility-Managed Portfolios, 2017,
    eq. 1), never above `max_position_pct`; an unknown volatility means no position. Shares below `min_position_pct`
    are flat.
    """
    size = abs(strength) * sizing.max_position_pct
    if sizing.method == "VolatilityTarget":
        if not (math.isfinite(annual_volatility) and annual_volatility > 0):
            return 0.0
        size *= min(1.0, sizing.target_volatility / annual_volatility)
    return math.copysign(size, strength) if size >= sizing.min_position_pct else 0.0


def target_quantity(share: float, capital: int, price: int, step: int = QUANTITY_SCALE) -> int:
    """Shares (in 1e-9, signed, whole multiples of `step`) that `share` of `capital` buys at `price`, towards zero.

    `capital` and `price` are 1e-8 currency units. Raises ValueError for a price that is not positive.
    """
    if price <= 0:
        raise ValueError(f"price must be positive, got {price}")
    budget = abs(int(share * 1e9)) * max(capital, 0) // 10**9
    return int(math.copysign(1, share)) * (budget * QUANTITY_SCALE // price // step * step)


def keeps_position(current: int, target: int, threshold: float) -> bool:
    """Whether a position (1e-9 shares) is left alone because the target is close to it and on the same side."""
    if current == 0 or target == 0 or (current > 0) != (target > 0):
        return current == target
    return abs(target - current) < threshold * abs(target)
