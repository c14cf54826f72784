"""Core: decimal text and binary floats to integers of 1e-8, exactly or by a stated rule.

Rules. Text with at most 8 decimals is taken exactly. Text with more is rounded half-even to 8. A binary float
stands for its shortest decimal text (what `repr` prints), to which the same rule applies: 126.35 is 126.35 and not
126.349999999999994. Anything else (not a number, infinite, beyond 64 bits) becomes null and is the caller's to refuse.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation

import numpy as np
import polars as pl

SCALE = 100_000_000
_DECIMALS = 8
_STEP = Decimal(1).scaleb(-_DECIMALS)
_CONTEXT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_INT64_MAX = 2**63 - 1
# Below this a float product with 1e8 is off by less than half a unit: rounding it finds the decimal it stood for.
_EXACT_BELOW = float(2**51)
_PLAIN = r"^[+-]?\d{1,10}(\.\d{0,8})?$"


def fixed_from_text(text: str) -> int | None:
    """`text` in units of 1e-8, or None if it is not a finite number that fits 64 bits."""
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        return None
    if not value.is_finite() or abs(value) > _INT64_MAX // SCALE:
        return None
    return int(value.quantize(_STEP, context=_CONTEXT).scaleb(_DECIMALS, context=_CONTEXT))


def fixed_from_float(value: float) -> int | None:
    """The shortest decimal text of `value` in units of 1e-8, or None if it is not finite or too large."""
    return fixed_from_text(repr(float(value)))


def fixed_text(value: int) -> str:
    """`value` (units of 1e-8) as decimal text without trailing zeros."""
    sign = "-" if value < 0 else ""
    whole, part = divmod(abs(value), SCALE)
    return f"{sign}{whole}.{part:08d}".rstrip("0").rstrip(".")


def fixed_series(series: pl.Series) -> pl.Series:
    """A column of text, decimals, integers or floats as Int64 of 1e-8; null where there is no such number."""
    if series.dtype.is_float():
        return _from_floats(series)
    if series.dtype.is_integer():
        limit = _INT64_MAX // SCALE
        wide = series.cast(pl.Int64, strict=False)
        return wide.to_frame("v").select(
            pl.when(pl.col("v").is_between(-limit, limit)).then(pl.col("v")).alias(series.name) * SCALE
        )[series.name]
    return _from_text(series.cast(pl.String, strict=False))


def _from_floats(series: pl.Series) -> pl.Series:
    values = series.cast(pl.Float64).to_numpy().astype(np.float64)
    scaled = np.rint(values * SCALE)
    with np.errstate(invalid="ignore"):
        exact = (np.abs(scaled) < _EXACT_BELOW) & (scaled / SCALE == values)
    out = np.where(exact, scaled, 0).astype(np.int64)
    result = pl.Series(series.name, out, dtype=pl.Int64)
    odd = np.flatnonzero(~exact)
    if len(odd) == 0:
        return result
    return result.scatter(odd.tolist(), [fixed_from_float(float(values[i])) for i in odd])


def _from_text(series: pl.Series) -> pl.Series:
    stripped = series.str.strip_chars()
    parts = stripped.to_frame("t").select(
        plain=pl.col("t").str.contains(_PLAIN).fill_null(False),
        negative=pl.col("t").str.starts_with("-"),
        whole=pl.col("t").str.extract(r"^[+-]?(\d+)", 1).cast(pl.Int64, strict=False),
        part=pl.col("t").str.extract(r"\.(\d+)$", 1).fill_null("").str.pad_end(_DECIMALS, "0"),
    )
    magnitude = pl.col("whole") * SCALE + pl.col("part").str.slice(0, _DECIMALS).cast(pl.Int64, strict=False)
    value = pl.when(pl.col("negative")).then(-magnitude).otherwise(magnitude)
    result = parts.select(pl.when(pl.col("plain")).then(value).otherwise(None).alias(series.name))[series.name]
    odd = np.flatnonzero(~parts["plain"].to_numpy())
    if len(odd) == 0:
        return result
    texts = [stripped[int(i)] for i in odd]
    return result.scatter(odd.tolist(), [None if text is None else fixed_from_text(text) for text in texts])


def whole_series(series: pl.Series) -> pl.Series:
    """A column of whole numbers as Int64; null where a value is absent, has a fraction or is no number."""
    if series.dtype.is_integer():
        return series.cast(pl.Int64, strict=False)
    if series.dtype.is_float():
        values = series.cast(pl.Float64)
        return values.to_frame("v").select(
            pl.when((pl.col("v") == pl.col("v").floor()) & (pl.col("v").abs() < 2**53))
            .then(pl.col("v"))
            .cast(pl.Int64, strict=False)
            .alias(series.name)
        )[series.name]
    text = series.cast(pl.String, strict=False).str.strip_chars().str.replace(r"\.0*$", "")
    return text.cast(pl.Int64, strict=False)
