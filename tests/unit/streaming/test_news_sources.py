"""News sources: a calendar, filings, and feeds from a real HTTP server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tradewind.streaming.datasets import DataError
from tradewind.streaming.news.alpaca import raw_item
from tradewind.streaming.news.calendar import CalendarSource, load_calendar
from tradewind.streaming.news.edgar import EdgarSource
from tradewind.streaming.news.rss import RssSource, parse_feed
from tradewind.streaming.news.validation import validate_item

CALENDAR = """
name: bank
timezone: America/New_York
source: a public record
entries:
  - {date: 2001-01-03, time: "13:13", headline: Cut, facts: {target_before: "6.50", target_after: "6.00"}}
  - {date: 2001-07-03, time: "14:15", headline: Hold}
"""


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


def test_a_calendar_tells_each_entry_once_at_its_time(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(CALENDAR)
    source = CalendarSource(load_calendar(tmp_path / "c.yaml"))
    winter, summer = utc("2001-01-03T18:13"), utc("2001-07-03T18:15")  # the second in daylight time
    assert source.poll(winter - 1) == []
    (first,) = source.poll(winter)
    assert (first.source, first.id, first.published) == ("calendar:bank", "2001-01-03T13:13", winter)
    assert first.facts == {"target_before": "6.50", "target_after": "6.00"}
    assert [item.published for item in source.poll(summer + 5)] == [summer]
    assert source.poll(summer + 6) == []
    assert [item.id for item in source.items_between(winter, summer - 1)] == ["2001-01-03T13:13"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("name: bank", "name: bank\ncolour: blue"), "colour"),
        (("America/New_York", "Mars"), "timezone"),
        (('"13:13"', '"25:13"'), r"entries\.0\.time"),
        (("2001-07-03", "2001-01-02"), "does not come after"),
        (("headline: Hold", "title: Hold"), r"entries\.1"),
        (("entries:", "entries: ["), "not readable YAML"),
    ],
)
def test_a_wrong_calendar_is_named(tmp_path: Path, change: tuple[str, str], reason: str) -> None:
    (tmp_path / "c.yaml").write_text(CALENDAR.replace(*change))
    with pytest.raises(DataError, match=rf"c\.yaml: .*{reason}") as error:
        load_calendar(tmp_path / "c.yaml")
    assert "\n" not in str(error.value)


def submissions(**over: Any) -> dict[str, Any]:
    recent = {
        "accessionNumber": ["0001-19-1", "0001-19-2", "0001-19-3"],
        "form": ["8-K", "4", "10-Q"],
        "acceptanceDateTime": ["2019-01-29T16:30:29.000Z", "2019-01-30T10:00:00.000Z", "2019-02-01T06:05:00.000Z"],
        "items": ["2.02,9.01", "", ""],
        "filingDate": ["2019-01-29", "2019-01-30", "2019-02-01"],
    } | over
    return {"cik": "320193", "name": "Apple Inc.", "tickers": ["AAPL"], "filings": {"recent": recent, "files": []}}


def test_filings_are_known_when_accepted(tmp_path: Path) -> None:
    (tmp_path / "CIK1.json").write_text(json.dumps(submissions()))
    source = EdgarSource(tmp_path)
    first, second = source.items_between(0, 2**62)
    assert (first.id, first.published) == ("0001-19-1", utc("2019-01-29T16:30:29"))
    assert first.facts == {"form": "8-K", "items": "2.02,9.01"}
    assert (first.symbols, second.facts) == (("AAPL",), {"form": "10-Q"})
    assert [item.id for item in source.poll(first.published or 0)] == ["0001-19-1"]
    assert [item.id for item in source.poll(2**62)] == ["0001-19-3"]


def test_a_z_on_eastern_times_can_be_corrected(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(submissions()))
    first = EdgarSource(tmp_path / "a.json", zone="America/New_York").items_between(0, 2**62)[0]
    assert first.published == utc("2019-01-29T21:30:29")


def test_a_filing_without_a_time_goes_to_the_dead_letters(tmp_path: Path) -> None:
    broken = submissions(acceptanceDateTime=["soon", "", "2019-02-01T06:05:00.000Z"])
    (tmp_path / "a.json").write_text(json.dumps(broken))
    items = EdgarSource(tmp_path / "a.json").items_between(0, 2**62)
    assert [validate_item(item, 2**62)[1] for item in items] == ["acceptanceDateTime: not a time: 'soon'", ""]


def test_filings_from_a_table(tmp_path: Path) -> None:
    pl.DataFrame(
        {
            "ticker": ["AAPL", "AAPL"],
            "form": ["8-K", "4"],
            "accepted_utc": [datetime(2019, 1, 29, 21, 30, 29, tzinfo=UTC)] * 2,
            "items": ["2.02", None],
            "accession": ["x", "y"],
        }
    ).write_parquet(tmp_path / "f.parquet")
    (item,) = EdgarSource(tmp_path / "f.parquet").items_between(0, 2**62)
    assert (item.id, item.published, item.symbols) == ("x", utc("2019-01-29T21:30:29"), ("AAPL",))


@pytest.mark.parametrize(
    ("content", "reason"),
    [("{", "truncated or not JSON"), ("{}", "not a submissions document"), ("[]", "not a submissions")],
)
def test_broken_submissions_are_named(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(DataError, match=rf"a\.json: {reason}"):
        EdgarSource(tmp_path / "a.json")


def test_the_sec_wants_to_know_who_asks() -> None:
    with pytest.raises(DataError, match="userAgent"):
        EdgarSource(None, ["https://data.sec.gov/x.json"], "anonymous")


RSS = """<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"><channel><title>t</title>
<item><guid>b</guid><title>Second &amp;amp; last</title><link>http://x/b</link>
<pubDate>Tue, 12 Feb 2019 09:30:00 -0500</pubDate>
<description>&lt;p&gt;More&lt;/p&gt;</description></item>
<item><guid>a</guid><title>First</title><pubDate>Mon, 11 Feb 2019 14:30:00 GMT</pubDate></item>
<item><guid>c</guid><title>No date</title></item></channel></rss>"""
ATOM = """<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><title>t</title><id>f</id>
<entry><id>urn:1</id><title>Entry</title><updated>2019-02-11T14:30:00Z</updated><summary>s</summary></entry></feed>"""


class FeedServer(ThreadingHTTPServer):
    """Serves `body`; answers 304 to its own ETag or date."""

    body = RSS
    tag = '"1"'
    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: list[tuple[int, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/feed"


class _Handler(BaseHTTPRequestHandler):
    server: FeedServer

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        status = 304 if headers.get("if-none-match") == self.server.tag else self.server.status
        self.server.seen.append((status, headers))
        body = self.server.body.encode() if status == 200 else b""
        self.send_response(status)
        self.send_header("ETag", self.server.tag)
        self.send_header("Last-Modified", "Mon, 11 Feb 2019 15:00:00 GMT")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_a_feed_is_read_once_and_asked_politely(server: FeedServer) -> None:
    source = RssSource("x", server.url)
    now = utc("2019-02-13T00:00")
    items = source.poll(now)
    assert [item.id for item in items] == ["c", "a", "b"]
    assert [item.published for item in items] == [None, utc("2019-02-11T14:30"), utc("2019-02-12T14:30")]
    assert (items[2].headline, items[2].summary) == ("Second & last", "More")
    assert items[0].problem == "published: missing"
    assert source.poll(now) == []
    assert server.seen[1][0] == 304
    assert server.seen[1][1]["if-modified-since"] == "Mon, 11 Feb 2019 15:00:00 GMT"
    server.tag, server.body = '"2"', RSS.replace("<guid>a</guid>", "<guid>d</guid>")
    assert [item.id for item in source.poll(now)] == ["d"]
    source.close()


def test_a_failed_poll_is_not_taken_for_the_feed(server: FeedServer) -> None:
    source = RssSource("x", server.url)
    server.status = 500
    with pytest.raises(Exception, match="500"):
        source.poll(0)
    server.status = 200
    assert len(source.poll(utc("2019-02-13T00:00"))) == 3
    source.close()


def test_filings_over_http(server: FeedServer) -> None:
    server.body = json.dumps(submissions())
    source = EdgarSource(None, [server.url], "Example Fund ops@example.com")
    now = utc("2019-03-01T00:00")
    assert [item.id for item in source.poll(now)] == ["0001-19-1", "0001-19-3"]
    assert source.poll(now) == []
    assert server.seen[0][1]["user-agent"] == "Example Fund ops@example.com"


def test_atom_and_feeds_that_are_none() -> None:
    (item,) = parse_feed("rss:x", ATOM.encode(), 7)
    assert (item.id, item.published, item.headline) == ("urn:1", utc("2019-02-11T14:30"), "Entry")
    (broken,) = parse_feed("rss:x", b"<html><body>404</body></html>", 7)
    assert broken.problem.startswith("feed: not readable")
    assert validate_item(broken, 7)[0] is None


def test_a_feeds_wrong_zone_can_be_corrected() -> None:
    items = parse_feed("rss:x", RSS.encode(), 7, zone="America/New_York")
    assert [item.published for item in items][1:] == [utc("2019-02-11T19:30"), utc("2019-02-12T14:30")]


def test_alpacas_articles() -> None:
    article = {
        "id": 77,
        "headline": "It&#39;s here",
        "summary": "",
        "created_at": "2019-02-11T14:30:00.000000001Z",
        "updated_at": "2019-02-11T14:31:00Z",
        "url": "u",
        "symbols": ["AAPL"],
        "source": "benzinga",
    }
    item = raw_item(article, "alpaca", None)
    assert (item.id, item.published, item.headline) == ("77", utc("2019-02-11T14:30") + 1, "It's here")
    assert (item.symbols, item.facts) == (("AAPL",), {"publisher": "benzinga"})
    assert raw_item(article | {"created_at": None}, "alpaca", None).problem == "created_at: not a time: None"
