"""What a strategy does with its predictions. Core."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tradewind.specs import Strategy
from tradewind.specs.base import duration_ns
from tradewind.trading.execution_plans import execution_plan
from tradewind.trading.intents import intent_id
from tradewind.trading.placement import BARS_PER_YEAR, bracket_prices, limit_offset_ppm, place
from tradewind.trading.signals import decide_signal
from tradewind.trading.sizing import QUANTITY_SCALE, keeps_position, target_quantity, target_share
from tradewind.v1 import features_pb2, trading_pb2

_TIME_IN_FORCE = {
    "Day": trading_pb2.TIME_IN_FORCE_DAY,
    "Gtc": trading_pb2.TIME_IN_FORCE_GTC,
    "Ioc": trading_pb2.TIME_IN_FORCE_IOC,
    "Fok": trading_pb2.TIME_IN_FORCE_FOK,
    "Opg": trading_pb2.TIME_IN_FORCE_OPG,
    "Cls": trading_pb2.TIME_IN_FORCE_CLS,
}
_ORDER_TYPE = {
    "Market": trading_pb2.ORDER_TYPE_MARKET,
    "Limit": trading_pb2.ORDER_TYPE_LIMIT,
    "Stop": trading_pb2.ORDER_TYPE_STOP,
    "StopLimit": trading_pb2.ORDER_TYPE_STOP_LIMIT,
    "TrailingStop": trading_pb2.ORDER_TYPE_TRAILING_STOP,
}
# Features that prices are made from where the set has them: the spread as a fraction of the close (Roll), and the
# average true range in percent of it.
_SPREAD_FEATURE = "micro_roll_spread_20_ratio"
_RANGE_FEATURE = "vol_natr_14_raw"


@dataclass(frozen=True)
class Prediction:
    """One row of the predictor's answer, with the model that gave it."""

    value: float
    confidence: float
    model: str
    version: str
    alias: str
    gates_passed: bool


@dataclass(frozen=True)
class Book:
    """What the strategy owns and what it may use, as of a snapshot. Money 1e-8, quantities 1e-9 shares."""

    time: int
    equity: int
    positions: dict[str, int]


@dataclass(frozen=True)
class Decision:
    """The signal of one vector, and the intent that follows from it, if any."""

    signal: trading_pb2.Signal
    intent: trading_pb2.OrderIntent | None


class Decider:
    """Turns vectors and predictions into signals and intents; holds no state, so that a restart decides alike."""

    def __init__(
        self, strategy: Strategy, account: str, policy_generation: int, features: Sequence[str], volatility_feature: str
    ) -> None:
        if volatility_feature not in features:
            raise ValueError(
                f"volatility feature {volatility_feature} is not in the feature set: add it to spec.features"
            )
        self._strategy = strategy
        self._account = account
        self._generation = policy_generation
        bracket = strategy.spec.execution.bracket
        if (bracket.stop_loss_atr or bracket.take_profit_atr) and _RANGE_FEATURE not in features:
            raise ValueError(
                f"execution.bracket counts in average true ranges, and {_RANGE_FEATURE} is not in the feature set: "
                "add it to spec.features, or give shares of the price"
            )
        self._features = list(features)
        self._volatility_index = self._features.index(volatility_feature)
        self._bars_per_year = BARS_PER_YEAR[strategy.spec.bars]
        fractions = strategy.spec.sizing.fractional
        self._steps = {s: 1 if fractions or "/" in s else QUANTITY_SCALE for s in strategy.spec.universe.symbols}
        self._max_age = duration_ns(strategy.spec.features.max_age)
        self._valid_for = duration_ns(strategy.spec.execution.valid_for)

    def decide(
        self, vector: features_pb2.FeatureVector, offset: int, prediction: Prediction, book: Book, now: int
    ) -> Decision:
        """The signal and intent of one vector. `now` is ns UTC: virtual in a lockstep run."""
        spec = self._strategy.spec
        fresh = now - vector.event_time <= self._max_age
        signal = decide_signal(prediction.value, prediction.confidence, spec.signal, warm=vector.warm, fresh=fresh)
        message = trading_pb2.Signal(
            id=intent_id(self._strategy.uid, vector.symbol, vector.event_time, -1),
            strategy=self._strategy.uid,
            symbol=vector.symbol,
            event_time=vector.event_time,
            decision_time=vector.available_time,
            prediction=prediction.value,
            confidence=prediction.confidence,
            strength=signal.strength,
            horizon_bars=spec.training.label.horizon_bars,
            model=prediction.model,
            model_version=prediction.version,
            feature_set_version=vector.feature_set_version,
            reason=signal.reason,
            feature_offset=offset,
        )
        share = target_share(signal.strength, vector.values[self._volatility_index], spec.sizing)
        capital = book.equity * int(spec.capital_share * 10**9) // 10**9
        target = target_quantity(share, capital, vector.close, self._steps.get(vector.symbol, QUANTITY_SCALE))
        current = book.positions.get(vector.symbol, 0)
        if spec.mode == "DryRun" or keeps_position(current, target, spec.sizing.rebalance_threshold):
            return Decision(message, None)
        try:
            return Decision(message, self._intent(vector, target, current, prediction, message.id))
        except ValueError:
            message.strength, message.reason = 0.0, "no_bracket"
            return Decision(message, None)

    def refuse(self, vector: features_pb2.FeatureVector, offset: int, reason: str) -> Decision:
        """A flat signal that says why there is no decision. A doubt never trades."""
        return Decision(
            trading_pb2.Signal(
                id=intent_id(self._strategy.uid, vector.symbol, vector.event_time, -1),
                strategy=self._strategy.uid,
                symbol=vector.symbol,
                event_time=vector.event_time,
                decision_time=vector.available_time,
                feature_set_version=vector.feature_set_version,
                reason=reason,
                feature_offset=offset,
            ),
            None,
        )

    def _intent(
        self, vector: features_pb2.FeatureVector, target: int, current: int, prediction: Prediction, signal_id: str
    ) -> trading_pb2.OrderIntent:
        execution = self._strategy.spec.execution
        placed = place(
            execution,
            vector.close,
            limit_offset_ppm(execution, self._bar_volatility(vector), self._value(vector, _SPREAD_FEATURE)),
            buy=target > current,
            opens=target * current >= 0 and abs(target) > abs(current),
        )
        stop_loss, take_profit = 0, 0
        if target != 0:
            atr_share = self._value(vector, _RANGE_FEATURE) / 100
            stop_loss, take_profit = bracket_prices(execution.bracket, vector.close, atr_share, is_long=target > 0)
        return trading_pb2.OrderIntent(
            id=intent_id(self._strategy.uid, vector.symbol, vector.event_time, 0),
            strategy=self._strategy.uid,
            account=self._account,
            symbol=vector.symbol,
            target_quantity=target,
            decision_time=vector.available_time,
            valid_until=vector.available_time + self._valid_for,
            ordinal=0,
            order_type=_ORDER_TYPE[placed.order_type],
            time_in_force=_TIME_IN_FORCE[execution.time_in_force],
            limit_price=placed.limit_price,
            stop_price=placed.stop_price,
            trail_ratio=placed.trail_ratio,
            extended_hours=execution.extended_hours and placed.order_type == "Limit",
            stop_loss=stop_loss,
            take_profit=take_profit,
            reference_price=vector.close,
            urgency=execution.urgency,
            model=prediction.model,
            model_version=prediction.version,
            model_alias=prediction.alias,
            gates_passed=prediction.gates_passed,
            signal_id=signal_id,
            policy_generation=self._generation,
            plan=execution_plan(self._strategy, vector.values[self._volatility_index]),
        )

    def _value(self, vector: features_pb2.FeatureVector, name: str) -> float:
        return vector.values[self._features.index(name)] if name in self._features else math.nan

    def _bar_volatility(self, vector: features_pb2.FeatureVector) -> float:
        annual = vector.values[self._volatility_index]
        return annual / math.sqrt(self._bars_per_year) if annual > 0 else math.nan
