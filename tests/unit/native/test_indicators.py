"""Each indicator against TA-Lib where TA-Lib has it, against a plain numpy or pandas calculation where it has not.

Tolerance: 1e-9 of the column's largest magnitude. Every comparison counts its values and fails below half the bars.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import talib

from tradewind.native.indicators import Indicator, IndicatorError, specifications

Floats = npt.NDArray[np.float64]
BARS = 700
DAY = 86_400_000_000_000


@dataclass(frozen=True)
class Series:
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    time: npt.NDArray[np.int64]
    market: Floats


def eighths(prices: Floats) -> Floats:
    return np.round(prices * 8) / 8


def random_walk(seed: int, bars: int = BARS) -> Series:
    """Prices on a grid of eighths, exact in binary: equal highs, unchanged closes and bars without range occur."""
    rng = np.random.default_rng(seed)
    market = 1000 * np.exp(np.cumsum(rng.normal(0, 0.01, bars)))
    close = eighths(40 * np.exp(np.cumsum(rng.normal(0, 0.015, bars))))
    open_ = eighths(np.roll(close, 1) * np.exp(rng.normal(0, 0.004, bars)))
    open_[0] = close[0]
    high = eighths(np.maximum(open_, close) + rng.exponential(0.2, bars))
    low = eighths(np.minimum(open_, close) - rng.exponential(0.2, bars))
    volume = rng.integers(1_000, 5_000_000, bars).astype(np.float64)
    time = 1_200_000_000_000_000_000 + DAY * np.arange(bars, dtype=np.int64)
    return Series(open_, high, low, close, volume, time, market)


def run(name: str, d: Series, parameters: Mapping[str, float]) -> dict[str, Floats]:
    indicator = Indicator(name, **parameters)
    table = indicator.batch(d.open, d.high, d.low, d.close, d.volume, d.time, d.market)
    return {output: table[:, i] for i, output in enumerate(indicator.outputs)}


def assert_agree(ours: Floats, theirs: Floats, label: str) -> None:
    both = ~np.isnan(theirs)
    assert both.sum() > len(theirs) / 2, f"{label}: only {both.sum()} values were compared"
    assert not np.isnan(ours[both]).any(), f"{label}: we give NaN where the reference gives a number"
    scale = np.abs(theirs[both]).max()
    assert np.abs(ours[both] - theirs[both]).max() <= 1e-9 * max(scale, 1e-12), label


Reference = Callable[..., Mapping[str, Floats]]


# ---- TA-Lib ------------------------------------------------------------------------------------------------------


def named(*names: str) -> Callable[[tuple[Floats, ...]], dict[str, Floats]]:
    return lambda columns: dict(zip(names, columns, strict=True))


TALIB: dict[str, tuple[list[dict[str, float]], Reference]] = {
    "sma": ([{"window": 2}, {"window": 20}, {"window": 200}], lambda d, window: {"value": talib.SMA(d.close, window)}),
    "ema": ([{"window": 2}, {"window": 20}, {"window": 200}], lambda d, window: {"value": talib.EMA(d.close, window)}),
    "wma": ([{"window": 2}, {"window": 30}], lambda d, window: {"value": talib.WMA(d.close, window)}),
    "dema": ([{"window": 2}, {"window": 20}], lambda d, window: {"value": talib.DEMA(d.close, window)}),
    "tema": ([{"window": 2}, {"window": 20}], lambda d, window: {"value": talib.TEMA(d.close, window)}),
    "trix": ([{"window": 2}, {"window": 15}], lambda d, window: {"value": talib.TRIX(d.close, window)}),
    "kama": ([{"window": 2}, {"window": 10}, {"window": 30}], lambda d, window: {"value": talib.KAMA(d.close, window)}),
    "adx": (
        [{"window": 5}, {"window": 14}],
        lambda d, window: {
            "adx": talib.ADX(d.high, d.low, d.close, window),
            "plus_di": talib.PLUS_DI(d.high, d.low, d.close, window),
            "minus_di": talib.MINUS_DI(d.high, d.low, d.close, window),
        },
    ),
    "aroon": (
        [{"window": 5}, {"window": 25}],
        lambda d, window: (
            named("down", "up")(talib.AROON(d.high, d.low, window))
            | {"oscillator": talib.AROONOSC(d.high, d.low, window)}
        ),
    ),
    "parabolic_sar": (
        [{"step": 0.02, "maximum": 0.2}, {"step": 0.1, "maximum": 0.5}],
        lambda d, step, maximum: {"value": talib.SAR(d.high, d.low, step, maximum)},
    ),
    "rsi": ([{"window": 7}, {"window": 14}, {"window": 21}], lambda d, window: {"value": talib.RSI(d.close, window)}),
    "stochastic": (
        [{"window": 5, "smooth_k": 3, "smooth_d": 3}, {"window": 14, "smooth_k": 1, "smooth_d": 5}],
        lambda d, window, smooth_k, smooth_d: named("k", "d")(
            talib.STOCH(d.high, d.low, d.close, window, smooth_k, 0, smooth_d, 0)
        ),
    ),
    "stochastic_rsi": (
        [{"window": 14, "range": 14, "smooth_d": 3}, {"window": 10, "range": 5, "smooth_d": 2}],
        lambda d, window, smooth_d, **rest: named("k", "d")(
            talib.STOCHRSI(d.close, window, rest["range"], smooth_d, 0)
        ),
    ),
    "williams_r": ([{"window": 14}], lambda d, window: {"value": talib.WILLR(d.high, d.low, d.close, window)}),
    "cci": ([{"window": 5}, {"window": 20}], lambda d, window: {"value": talib.CCI(d.high, d.low, d.close, window)}),
    "ultimate_oscillator": (
        [{"short": 7, "middle": 14, "long": 28}, {"short": 3, "middle": 9, "long": 11}],
        lambda d, short, middle, long: {"value": talib.ULTOSC(d.high, d.low, d.close, short, middle, long)},
    ),
    "roc": ([{"window": 1}, {"window": 10}], lambda d, window: {"value": talib.ROC(d.close, window)}),
    "momentum": ([{"window": 10}], lambda d, window: {"value": talib.MOM(d.close, window)}),
    "simple_return": ([{"window": 1}, {"window": 20}], lambda d, window: {"value": talib.ROCP(d.close, window)}),
    "macd": (
        [{"fast": 12, "slow": 26, "signal": 9}, {"fast": 3, "slow": 40, "signal": 5}],
        lambda d, fast, slow, signal: named("line", "signal", "histogram")(talib.MACD(d.close, fast, slow, signal)),
    ),
    "ppo": (
        [{"fast": 12, "slow": 26}, {"fast": 3, "slow": 40}],
        lambda d, fast, slow: {"line": talib.PPO(d.close, fast, slow, 1)},
    ),
    "bollinger": (
        [{"window": 20, "multiplier": 2}, {"window": 5, "multiplier": 1.5}],
        lambda d, window, multiplier: named("upper", "middle", "lower")(
            talib.BBANDS(d.close, window, multiplier, multiplier, 0)
        ),
    ),
    "true_range": ([{}], lambda d: {"value": talib.TRANGE(d.high, d.low, d.close)}),
    "atr": ([{"window": 2}, {"window": 14}], lambda d, window: {"value": talib.ATR(d.high, d.low, d.close, window)}),
    "natr": ([{"window": 14}], lambda d, window: {"value": talib.NATR(d.high, d.low, d.close, window)}),
    "donchian": (
        [{"window": 20}],
        lambda d, window: {"upper": talib.MAX(d.high, window), "lower": talib.MIN(d.low, window)},
    ),
    "obv": ([{}], lambda d: {"value": talib.OBV(d.close, d.volume)}),
    "accumulation_distribution": ([{}], lambda d: {"value": talib.AD(d.high, d.low, d.close, d.volume)}),
    "mfi": ([{"window": 14}], lambda d, window: {"value": talib.MFI(d.high, d.low, d.close, d.volume, window)}),
    "price_moments": ([{"window": 20}], lambda d, window: {"std": talib.STDDEV(d.close, window)}),
    "regression": (
        [{"window": 20}],
        lambda d, window: {
            "value": talib.LINEARREG(d.close, window),
            "slope": talib.LINEARREG_SLOPE(d.close, window),
        },
    ),
    "beta": (
        [{"window": 20}, {"window": 60}],
        lambda d, window: {"beta": talib.BETA(d.market, d.close, window)},
    ),
}


# ---- plain calculations ------------------------------------------------------------------------------------------


def floats(values: npt.ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64)


def rolling(values: Floats, window: int, f: Callable[[Floats], float]) -> Floats:
    """f of each full window; a window that holds a NaN gives NaN."""
    out = np.full(len(values), np.nan)
    for i in range(window - 1, len(values)):
        part = values[i - window + 1 : i + 1]
        if not np.isnan(part).any():
            out[i] = f(part)
    return out


def sma(values: Floats, window: int) -> Floats:
    return rolling(values, window, lambda w: float(np.mean(w)))


def wma(values: Floats, window: int) -> Floats:
    return rolling(values, window, lambda w: float(np.average(w, weights=np.arange(1, window + 1))))


def recursive(values: Floats, window: int, alpha: float) -> Floats:
    out = np.full(len(values), np.nan)
    start = int(np.argmax(~np.isnan(values))) + window - 1
    out[start] = values[start - window + 1 : start + 1].mean()
    for i in range(start + 1, len(values)):
        out[i] = alpha * values[i] + (1 - alpha) * out[i - 1]
    return out


def ema(values: Floats, window: int) -> Floats:
    return recursive(values, window, 2 / (window + 1))


def lag(values: Floats, bars: int) -> Floats:
    return pd.Series(values).shift(bars).to_numpy(dtype=np.float64)


def atr(d: Series, window: int) -> Floats:
    before = lag(d.close, 1)
    moves = np.vstack([d.high - d.low, np.abs(d.high - before), np.abs(d.low - before)])
    return recursive(np.where(np.isnan(before), np.nan, moves.max(axis=0)), window, 1 / window)


def highest(values: Floats, window: int) -> Floats:
    return pd.Series(values).rolling(window).max().to_numpy(dtype=np.float64)


def lowest(values: Floats, window: int) -> Floats:
    return pd.Series(values).rolling(window).min().to_numpy(dtype=np.float64)


def zscore(values: Floats, window: int) -> Floats:
    return rolling(values, window, lambda w: float((w[-1] - w.mean()) / w.std()))


def log_returns(d: Series) -> Floats:
    return np.log(d.close / lag(d.close, 1))


def location(d: Series) -> Floats:
    span = d.high - d.low
    return floats((2 * d.close - d.high - d.low) / np.where(span == 0, 1.0, span))


def roc(values: Floats, window: int) -> Floats:
    return 100 * (values / lag(values, window) - 1)


def deviation(variance: Floats) -> dict[str, Floats]:
    return {"bar": np.sqrt(variance), "annual": np.sqrt(variance * 252)}


def rs_bar(d: Series) -> Floats:
    up = np.log(d.high / d.close) * np.log(d.high / d.open)
    return floats(up + np.log(d.low / d.close) * np.log(d.low / d.open))


def kama_efficiency(d: Series, window: int) -> dict[str, Floats]:
    return {"efficiency": rolling(d.close, window + 1, lambda w: abs(w[-1] - w[0]) / np.abs(np.diff(w)).sum())}


def hma(d: Series, window: int) -> dict[str, Floats]:
    return {"value": wma(2 * wma(d.close, window // 2) - wma(d.close, window), int(np.sqrt(window)))}


def ichimoku(d: Series) -> dict[str, Floats]:
    def middle(window: int) -> Floats:
        return (highest(d.high, window) + lowest(d.low, window)) / 2

    return {
        "conversion": middle(9),
        "base": middle(26),
        "leading_a": lag((middle(9) + middle(26)) / 2, 26),
        "leading_b": lag(middle(52), 26),
        "lagging": d.close,
        "lagging_over": lag(d.close, 26),
    }


def supertrend(d: Series, window: int, multiplier: float) -> dict[str, Floats]:
    middle, width = (d.high + d.low) / 2, multiplier * atr(d, window)
    line, direction = np.full(BARS, np.nan), np.full(BARS, np.nan)
    up = bool(d.close[window] >= middle[window])
    upper, lower = middle[window] + width[window], middle[window] - width[window]
    for i in range(window, BARS):
        if i > window:
            basic_upper, basic_lower = middle[i] + width[i], middle[i] - width[i]
            upper = basic_upper if d.close[i - 1] > upper else min(upper, basic_upper)
            lower = basic_lower if d.close[i - 1] < lower else max(lower, basic_lower)
            up = d.close[i] >= lower if up else d.close[i] > upper
        line[i], direction[i] = (lower, 1.0) if up else (upper, -1.0)
    return {"value": line, "direction": direction}


def sar_direction(d: Series) -> dict[str, Floats]:
    value = talib.SAR(d.high, d.low, 0.02, 0.2)
    side = np.where(np.isnan(value), np.nan, np.where(value <= d.low, 1.0, -1.0))
    flips = np.where(np.isnan(lag(side, 1)), np.nan, (side != lag(side, 1)).astype(np.float64))
    return {"direction": side, "flip": flips}


def kst(d: Series) -> dict[str, Floats]:
    terms = [(10, 10), (15, 10), (20, 10), (30, 15)]
    value = np.sum([(i + 1) * sma(roc(d.close, r), s) for i, (r, s) in enumerate(terms)], axis=0)
    return {"value": value, "signal": sma(value, 9)}


def yang_zhang(d: Series, window: int) -> dict[str, Floats]:
    overnight, session = np.log(d.open / lag(d.close, 1)), np.log(d.close / d.open)
    weight = 0.34 / (1.34 + (window + 1) / (window - 1))
    spread = [pd.Series(each).rolling(window).var().to_numpy(dtype=np.float64) for each in (overnight, session)]
    return deviation(spread[0] + weight * spread[1] + (1 - weight) * sma(rs_bar(d), window))


def volume_index(d: Series, window: int) -> dict[str, Floats]:
    growth = np.nan_to_num(d.close / lag(d.close, 1), nan=1.0)
    change = np.nan_to_num(d.volume - lag(d.volume, 1))
    positive = floats(1000 * np.cumprod(np.where(change > 0, growth, 1.0)))
    negative = floats(1000 * np.cumprod(np.where(change < 0, growth, 1.0)))
    signals = {"positive_signal": positive / sma(positive, window) - 1}
    signals["negative_signal"] = negative / sma(negative, window) - 1
    return {"positive": positive, "negative": negative} | signals


def ease_of_movement(d: Series, window: int) -> dict[str, Floats]:
    middle = (d.high + d.low) / 2
    ease = (middle - lag(middle, 1)) * (d.high - d.low) / d.volume
    volume = np.where(np.isnan(ease), np.nan, d.volume)
    return {"value": sma(ease * 1e8, window), "normalised": sma(ease / d.close**2, window) * sma(volume, window)}


def tail(d: Series, window: int) -> dict[str, Floats]:
    def shortfall(w: Floats) -> float:
        return float(-w[w <= np.quantile(w, 0.05)].mean())

    var = -pd.Series(log_returns(d)).rolling(window).quantile(0.05).to_numpy(dtype=np.float64)
    return {"value_at_risk": var, "expected_shortfall": rolling(log_returns(d), window, shortfall)}


def autocorrelation(d: Series, window: int, lag: int) -> dict[str, Floats]:
    def statistic(w: Floats) -> float:
        e = w - w.mean()
        return float((e[lag:] * e[:-lag]).sum() / (e * e).sum())

    return {"value": rolling(log_returns(d), window, statistic)}


def regression(d: Series, window: int) -> dict[str, Floats]:
    x = np.arange(window)

    def fitted(w: Floats) -> Floats:
        return np.asarray(np.polyval(np.polyfit(x, w, 1), x))

    def error(w: Floats) -> float:
        return float(np.sqrt(((w - fitted(w)) ** 2).sum() / (window - 2)))

    return {
        "r2": rolling(d.close, window, lambda w: float(np.corrcoef(x, w)[0, 1] ** 2)),
        "residual": rolling(d.close, window, lambda w: float(w[-1] - fitted(w)[-1])),
        "standard_error": rolling(d.close, window, error),
    }


def moments(d: Series, window: int) -> dict[str, Floats]:
    r = pd.Series(log_returns(d)).rolling(window)
    columns = {"mean": r.mean(), "std": r.std(), "skew": r.skew(), "kurtosis": r.kurt()}
    return {name: column.to_numpy(dtype=np.float64) for name, column in columns.items()}


def roll_spread(d: Series, window: int) -> dict[str, Floats]:
    def spread(w: Floats) -> float:
        return float(2 * np.sqrt(max(0.0, -np.cov(w[1:], w[:-1])[0, 1])))

    return {"value": rolling(d.close - lag(d.close, 1), window, spread)}


def dates(d: Series) -> dict[str, Floats]:
    days = [datetime.fromtimestamp(t // 10**9, UTC) for t in d.time.tolist()]
    ends = [calendar.monthrange(day.year, day.month)[1] - day.day for day in days]
    columns = ([day.weekday() for day in days], [day.day for day in days], [day.month for day in days], ends)
    names = ("day_of_week", "day_of_month", "month", "days_to_month_end")
    return {name: np.array(column, dtype=np.float64) for name, column in zip(names, columns, strict=True)}


def beta(d: Series, window: int) -> dict[str, Floats]:
    own = pd.Series(d.close).pct_change()
    market = pd.Series(d.market).pct_change()
    slope = own.rolling(window).cov(market) / market.rolling(window).var()
    alpha = own.rolling(window).mean() - slope * market.rolling(window).mean()
    correlation = own.rolling(window).corr(market)
    return {"alpha": alpha.to_numpy(dtype=np.float64), "correlation": correlation.to_numpy(dtype=np.float64)}


def pivots(d: Series) -> dict[str, Floats]:
    high, low, close = lag(d.high, 1), lag(d.low, 1), lag(d.close, 1)
    pivot = (high + low + close) / 3
    first = {"pivot": pivot, "resistance_1": 2 * pivot - low, "support_1": 2 * pivot - high}
    return first | {"resistance_2": pivot + (high - low), "support_2": pivot - (high - low)}


def tsi(d: Series) -> dict[str, Floats]:
    change = d.close - lag(d.close, 1)
    return {"value": 100 * ema(ema(change, 25), 13) / ema(ema(np.abs(change), 25), 13)}


def relative_strength(d: Series, window: int) -> dict[str, Floats]:
    own, market = d.close / lag(d.close, window), d.market / lag(d.market, window)
    return {"excess": own - market, "ratio": own / market - 1}


def bollinger_shape(d: Series, window: int) -> dict[str, Floats]:
    half = 2 * pd.Series(d.close).rolling(window).std(ddof=0).to_numpy(dtype=np.float64)
    middle = sma(d.close, window)
    return {"percent_b": (d.close - middle + half) / (2 * half), "bandwidth": 2 * half / middle}


def channel(middle: Floats, half: Floats, d: Series) -> dict[str, Floats]:
    upper, lower = middle + half, middle - half
    return {"upper": upper, "middle": middle, "lower": lower, "position": (d.close - lower) / (upper - lower)}


def money_flow(d: Series, window: int) -> dict[str, Floats]:
    return {"value": sma(location(d) * d.volume, window) / sma(d.volume, window)}


def amihud(d: Series, window: int) -> dict[str, Floats]:
    impact = 1e6 * np.abs(d.close / lag(d.close, 1) - 1) / (d.close * d.volume)
    return {"value": sma(impact, window), "relative": impact / sma(impact, window)}


def force(d: Series, window: int) -> dict[str, Floats]:
    push = (d.close - lag(d.close, 1)) * d.volume
    money = np.where(np.isnan(push), np.nan, d.close * d.volume)
    return {"value": ema(push, window), "normalised": ema(push, window) / ema(money, window)}


def ppo_signal(d: Series) -> dict[str, Floats]:
    line = talib.PPO(d.close, 12, 26, 1)
    return {"signal": ema(line, 9), "histogram": line - ema(line, 9)}


def typical(d: Series) -> Floats:
    return (d.high + d.low + d.close) / 3


def trend(d: Series, window: int) -> dict[str, Floats]:
    value = floats(pd.Series((d.close / lag(d.close, 1) - 1) * d.volume).cumsum())
    return {"value": value, "zscore": zscore(value, window)}


def rank(w: Floats) -> float:
    return float(((w < w[-1]).sum() + 0.5 * (w == w[-1]).sum()) / len(w))


def quantiles(d: Series, window: int, level: float) -> dict[str, Floats]:
    value = pd.Series(d.close).rolling(window).quantile(level).to_numpy(dtype=np.float64)
    return {"value": value, "rank": rolling(d.close, window, rank)}


def chaikin(d: Series) -> dict[str, Floats]:
    return {"value": roc(ema(d.high - d.low, 10), 10)}


def garman_klass(d: Series, window: int) -> dict[str, Floats]:
    bar = np.log(d.high / d.low) ** 2 / 2 - (2 * np.log(2) - 1) * np.log(d.close / d.open) ** 2
    return deviation(sma(bar, window))


def chandelier(d: Series, window: int, multiplier: float) -> dict[str, Floats]:
    width = multiplier * atr(d, window)
    return {"long": highest(d.high, window) - width, "short": lowest(d.low, window) + width}


def vortex(d: Series, window: int) -> dict[str, Floats]:
    def share(reach: Floats) -> Floats:
        return sma(np.abs(reach), window) / sma(talib.TRANGE(d.high, d.low, d.close), window)

    return {"plus": share(d.high - lag(d.low, 1)), "minus": share(d.low - lag(d.high, 1))}


W20: list[dict[str, float]] = [{"window": 20}, {"window": 7}]
PLAIN: dict[str, tuple[list[dict[str, float]], Reference]] = {
    "kama": (W20, kama_efficiency),
    "hma": ([{"window": 16}, {"window": 21}], hma),
    "vwma": (W20, lambda d, window: {"value": sma(d.close * d.volume, window) / sma(d.volume, window)}),
    "parabolic_sar": ([{}], sar_direction),
    "vortex": (W20, vortex),
    "ichimoku": ([{}], ichimoku),
    "supertrend": ([{"window": 10, "multiplier": 3}, {"window": 7, "multiplier": 1.5}], supertrend),
    "chandelier_exit": ([{"window": 22, "multiplier": 3}], chandelier),
    "atr_bands": ([{}], lambda d: {"upper": d.close + 2 * atr(d, 14), "lower": d.close - 2 * atr(d, 14)}),
    "tsi": ([{}], tsi),
    "coppock": ([{}], lambda d: {"value": wma(roc(d.close, 14) + roc(d.close, 11), 10)}),
    "kst": ([{}], kst),
    "ppo": ([{}], ppo_signal),
    "bollinger": (W20, bollinger_shape),
    "keltner": ([{}], lambda d: channel(ema(d.close, 20), 2 * atr(d, 10), d)),
    "donchian": (
        W20,
        lambda d, window: channel(
            (highest(d.high, window) + lowest(d.low, window)) / 2,
            (highest(d.high, window) - lowest(d.low, window)) / 2,
            d,
        ),
    ),
    "chaikin_volatility": ([{}], chaikin),
    "historical_volatility": (
        W20,
        lambda d, window: deviation(pd.Series(log_returns(d)).rolling(window).var().to_numpy(dtype=np.float64)),
    ),
    "garman_klass": (W20, garman_klass),
    "parkinson": (W20, lambda d, window: deviation(sma(np.log(d.high / d.low) ** 2, window) / (4 * np.log(2)))),
    "rogers_satchell": (W20, lambda d, window: deviation(sma(rs_bar(d), window))),
    "yang_zhang": (W20, yang_zhang),
    "obv": (W20, lambda d, window: {"zscore": zscore(talib.OBV(d.close, d.volume), window)}),
    "accumulation_distribution": (
        W20,
        lambda d, window: {"zscore": zscore(talib.AD(d.high, d.low, d.close, d.volume), window)},
    ),
    "price_volume_trend": (W20, trend),
    "volume_index": (W20, volume_index),
    "chaikin_money_flow": (W20, money_flow),
    "force_index": (W20, force),
    "volume_ratio": (W20, lambda d, window: {"value": d.volume / sma(d.volume, window)}),
    "volume_zscore": (W20, lambda d, window: {"value": zscore(d.volume, window)}),
    "ease_of_movement": (W20, ease_of_movement),
    "rolling_vwap": (W20, lambda d, window: {"value": sma(typical(d) * d.volume, window) / sma(d.volume, window)}),
    "log_return": (W20, lambda d, window: {"value": np.log(d.close / lag(d.close, window))}),
    "return_moments": (W20, moments),
    "price_moments": (W20, lambda d, window: {"zscore": zscore(d.close, window)}),
    "rolling_quantile": ([{"window": 20, "level": 0.5}, {"window": 33, "level": 0.9}], quantiles),
    "tail_risk": ([{"window": 60}], tail),
    "drawdown": (W20, lambda d, window: {"value": d.close / highest(d.close, window) - 1}),
    "autocorrelation": ([{"window": 60, "lag": 1}, {"window": 30, "lag": 5}], autocorrelation),
    "regression": (W20, regression),
    "amihud": (W20, amihud),
    "roll_spread": ([{"window": 20}, {"window": 60}], roll_spread),
    "close_location_value": ([{"window": 1}, {"window": 5}], lambda d, window: {"value": sma(location(d), window)}),
    "gap": ([{}], lambda d: {"value": d.open / lag(d.close, 1) - 1}),
    "pivot_points": ([{}], pivots),
    "calendar": ([{}], dates),
    "beta": (W20, beta),
    "relative_strength": (W20, relative_strength),
}

CASES = [
    pytest.param(name, parameters, reference, id=f"{source}-{name}-{'-'.join(str(v) for v in parameters.values())}")
    for source, table in (("talib", TALIB), ("plain", PLAIN))
    for name, (choices, reference) in table.items()
    for parameters in choices
]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("name", "parameters", "reference"), CASES)
def test_agrees_with_an_independent_calculation(
    name: str, parameters: dict[str, float], reference: Reference, seed: int
) -> None:
    d = random_walk(seed)
    ours = run(name, d, parameters)
    expected = reference(d, **parameters)
    assert expected
    for output, theirs in expected.items():
        assert_agree(ours[output], theirs, f"{name}.{output}{parameters}")


def test_every_output_of_every_indicator_is_compared() -> None:
    d = random_walk(3)
    compared: dict[str, set[str]] = {}
    for table in (TALIB, PLAIN):
        for name, (choices, reference) in table.items():
            compared.setdefault(name, set()).update(reference(d, **choices[0]))
    missing = {name: set(s.outputs) - compared.get(name, set()) for name, s in specifications().items()}
    assert {name: outputs for name, outputs in missing.items() if outputs} == {}
    assert len(compared) >= 45


@pytest.mark.parametrize("name", sorted(specifications()))
def test_stream_and_batch_give_the_same_bits(name: str) -> None:
    d = random_walk(4, 250)
    batch = Indicator(name).batch(d.open, d.high, d.low, d.close, d.volume, d.time, d.market)
    one = Indicator(name)
    rows = zip(d.open, d.high, d.low, d.close, d.volume, d.time.tolist(), d.market, strict=True)
    stream = np.array([one.update(*row) for row in rows])
    assert np.array_equal(stream.view(np.uint64), batch.view(np.uint64))


def test_bad_names_and_parameters_are_named() -> None:
    with pytest.raises(IndicatorError, match=r"unknown indicator 'rsj'; nearest: rsi"):
        Indicator("rsj")
    with pytest.raises(IndicatorError, match=r"rsi: unknown parameter 'length'; it has: window"):
        Indicator("rsi", length=3)
    with pytest.raises(IndicatorError, match=r"rsi: window must be a whole number from 1 to 100000, not 0$"):
        Indicator("rsi", window=0)
    with pytest.raises(IndicatorError, match=r"window must be a whole number"):
        Indicator("rsi", window=2.5)
    with pytest.raises(IndicatorError, match=r"window must be a whole number"):
        Indicator("rsi", window=float("nan"))
    with pytest.raises(IndicatorError, match=r"macd: fast must be below slow"):
        Indicator("macd", fast=26, slow=12)
    with pytest.raises(IndicatorError, match=r"equal lengths"):
        Indicator("sma").batch([1.0], [1.0, 2.0], [1.0], [1.0])
