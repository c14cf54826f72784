"""Shell: filings with the SEC (8-K, 10-Q, 10-K) as a news source.

Reads `submissions/CIK….json` as data.sec.gov serves it, from a file, a folder of files, or the service itself, which
wants a User-Agent that says who is asking; or a Parquet table of accepted filings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import polars as pl

from tradewind.streaming.datasets.errors import DataError
from tradewind.streaming.news.items import NewsSource, RawItem
from tradewind.streaming.news.times import published_ns

SOURCE = "edgar"
FORMS = frozenset({"8-K", "8-K/A", "10-Q", "10-Q/A", "10-K", "10-K/A"})
_PARQUET = {"ticker", "form", "accepted_utc", "items", "accession"}


class EdgarSource(NewsSource):
    """Filings, known from the moment the SEC accepted them.

    Args:
        path: a submissions JSON, a folder of them, or a Parquet table; or None.
        urls: submissions JSONs to fetch at each poll.
        user_agent: who we are, with an address, as the SEC asks ("Example Fund ops@example.com").
        zone: None if the acceptance time's own offset is right, else the zone its wall time is really in.

    Raises:
        DataError: naming the file or setting.
    """

    def __init__(
        self,
        path: Path | str | None = None,
        urls: Sequence[str] = (),
        user_agent: str = "",
        zone: str | None = None,
    ) -> None:
        if path is None and not urls:
            raise DataError("news edgar: neither path nor url is set; give one")
        if urls and "@" not in user_agent:
            raise DataError("news edgar: userAgent: the SEC asks for a name and an e-mail address; set both")
        self._urls = list(urls)
        self._zone = zone
        self._headers = {"User-Agent": user_agent}
        self._stored = sorted(_from_path(Path(path), zone), key=_order) if path is not None else []
        self._given: set[str] = set()

    @property
    def name(self) -> str:
        return SOURCE

    def poll(self, now: int) -> Sequence[RawItem]:
        items = [*self._stored, *self._fetch(now)]
        fresh = [i for i in items if (i.published or 0) <= now and (i.id or i.problem) not in self._given]
        self._given.update(i.id or i.problem for i in fresh)
        return sorted(fresh, key=_order)

    def items_between(self, start: int, end: int) -> Sequence[RawItem]:
        return [item for item in self._stored if item.published is None or start <= item.published <= end]

    def _fetch(self, now: int) -> Iterator[RawItem]:
        for url in self._urls:
            response = httpx.get(url, headers=self._headers, timeout=30.0, follow_redirects=True)
            response.raise_for_status()
            yield from submissions(response.json(), url, self._zone, received=now)


def _order(item: RawItem) -> tuple[int, str]:
    return item.published or 0, item.id or ""


def _from_path(path: Path, zone: str | None) -> Iterator[RawItem]:
    if path.is_dir():
        files = sorted(path.glob("*.json"))
        if not files:
            raise DataError(f"{path}: holds no submissions JSON; put CIK….json files there")
        for file in files:
            yield from _from_path(file, zone)
    elif not path.is_file():
        raise DataError(f"{path}: no such file; check the path of the news source")
    elif path.suffix == ".parquet":
        yield from _from_parquet(path)
    else:
        try:
            body = json.loads(path.read_bytes())
        except ValueError as error:
            raise DataError(f"{path}: truncated or not JSON ({error}); fetch it again") from None
        yield from submissions(body, str(path), zone, received=None)


def submissions(body: Any, where: str, zone: str | None, received: int | None) -> Iterator[RawItem]:
    """Items of a submissions document: parallel arrays under filings.recent.

    Raises:
        DataError: the document has not that shape.
    """
    try:
        recent = body["filings"]["recent"]
        columns = [recent[k] for k in ("accessionNumber", "form", "acceptanceDateTime", "items")]
        rows = list(zip(*columns, strict=True))
        company, tickers, cik = str(body["name"]), tuple(str(t) for t in body["tickers"]), str(body["cik"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{where}: not a submissions document ({error}); fetch it again from data.sec.gov") from None
    for accession, form, accepted, items in rows:
        if form in FORMS:
            at = published_ns(str(accepted), zone)
            yield _filing(accession, form, at, str(accepted), items, company, tickers, received, cik)


def _filing(
    accession: str,
    form: str,
    published: int | None,
    accepted: str,
    items: str | None,
    company: str,
    tickers: tuple[str, ...],
    received: int | None,
    cik: str = "",
) -> RawItem:
    listed = ",".join(part.strip() for part in (items or "").split(",") if part.strip())
    url = f"https://www.sec.gov/Archives/edgar/data/{cik}/{accession.replace('-', '')}/" if cik else ""
    return RawItem(
        source=SOURCE,
        id=accession,
        published=published,
        received=received,
        headline=f"{company} files {form}" + (f" (items {listed})" if listed else ""),
        url=url,
        symbols=tickers,
        facts={"form": form, **({"items": listed} if listed else {})},
        payload=json.dumps({"accession": accession, "form": form, "accepted": accepted, "items": items}).encode(),
        problem="" if published is not None else f"acceptanceDateTime: not a time: {accepted!r}",
    )


def _from_parquet(path: Path) -> Iterator[RawItem]:
    try:
        table = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"{path}: not a readable Parquet file ({' '.join(str(error).split())}); export it again"
        ) from None
    missing = sorted(_PARQUET - set(table.columns))
    if missing:
        raise DataError(f"{path}: column {missing[0]!r} is missing; filings need {', '.join(sorted(_PARQUET))}")
    for row in table.filter(pl.col("form").is_in(list(FORMS))).iter_rows(named=True):
        accepted = row["accepted_utc"]
        at = None if accepted is None else int(accepted.timestamp()) * 10**9
        company = row.get("company") or row["ticker"]
        yield _filing(row["accession"], row["form"], at, str(accepted), row["items"], company, (row["ticker"],), None)
