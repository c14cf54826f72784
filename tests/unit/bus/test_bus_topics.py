"""Topics, encoding and progress: the pure parts of the bus."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.bus import ALL_TOPICS, TOPICS, BusError, Outgoing, UnreadableRecordError, dead_topic, message_type
from tradewind.bus.encoding import decode, encode
from tradewind.bus.progress import Progress
from tradewind.bus.record import RawRecord
from tradewind.v1 import control_pb2, features_pb2, market_pb2, trading_pb2

EXPECTED = {
    "bars": market_pb2.Bar,
    "quotes": market_pb2.Quote,
    "trades": market_pb2.Trade,
    "news": market_pb2.NewsItem,
    "events": market_pb2.Event,
    "features": features_pb2.FeatureVector,
    "signals": trading_pb2.Signal,
    "intents": trading_pb2.OrderIntent,
    "orders": trading_pb2.OrderUpdate,
    "fills": trading_pb2.Fill,
    "positions": trading_pb2.PositionSnapshot,
    "risk": trading_pb2.RiskState,
    "control": control_pb2.ControlMessage,
    "audit": trading_pb2.AuditRecord,
}


def test_each_topic_carries_its_type_and_has_a_twin() -> None:
    assert {topic: message_type(topic) for topic in TOPICS} == EXPECTED
    assert {message_type(dead_topic(topic)) for topic in TOPICS} == {market_pb2.DeadLetter}
    assert set(ALL_TOPICS) == set(EXPECTED) | {f"{topic}.dead" for topic in EXPECTED}


@pytest.mark.parametrize("topic", ["", "bar", "BARS", "bars.dead.dead", ".dead"])
def test_other_names_are_refused(topic: str) -> None:
    with pytest.raises(BusError, match="does not exist: use one of bars, quotes"):
        message_type(topic)


def test_equal_messages_are_equal_bytes_whatever_the_order_they_were_filled_in() -> None:
    names = [f"code_{number}" for number in range(20)]
    there, back = trading_pb2.RiskState(), trading_pb2.RiskState()
    for name in names:
        there.rejections[name] = 1
    for name in reversed(names):
        back.rejections[name] = 1
    assert encode(Outgoing("risk", "paper", there)) == encode(Outgoing("risk", "paper", back))


@given(st.binary(max_size=40), st.sampled_from(TOPICS))
def test_any_bytes_are_read_or_refused_in_one_line(payload: bytes, topic: str) -> None:
    raw = RawRecord(topic, 3, "key", payload, {"schema": f"tradewind.v1.{EXPECTED[topic].__name__}"}, 5)
    try:
        record = decode(raw)
    except UnreadableRecordError as error:
        reason = str(error)
    else:
        assert isinstance(record.message, EXPECTED[topic])
        assert (record.offset, record.key, record.timestamp_ns) == (3, "key", 5)
        return
    assert reason.startswith(f"payload of {len(payload)} bytes is not a tradewind.v1.{EXPECTED[topic].__name__}: ")
    assert "\n" not in reason


@given(start=st.integers(0, 3), floor=st.integers(0, 6), data=st.data())
def test_progress_commits_up_to_the_first_record_neither_done_nor_skipped(
    start: int, floor: int, data: st.DataObject
) -> None:
    progress, committed = Progress(start, floor), floor
    skipped: set[int] = set()
    asked = 0
    for offset in range(start, start + data.draw(st.integers(0, 12))):
        results = []
        if data.draw(st.booleans()):
            skipped.add(offset)
            results.append(progress.skip(offset))
        if data.draw(st.booleans()):
            next_offset = data.draw(st.integers(0, offset + 1))
            asked = max(asked, next_offset)
            results.append(progress.commit(next_offset))
        for result in results:
            if result is not None:
                assert result > committed, "a commit that changes nothing"
                committed = result
        open_offset = next(o for o in range(start, offset + 2) if o >= asked and o not in skipped)
        assert committed == max(floor, asked, open_offset if open_offset > start else 0)


def test_progress_holds_back_a_skipped_record_until_those_before_it_are_done() -> None:
    progress = Progress(start=0, floor=0)
    assert progress.skip(1) is None
    assert progress.skip(2) is None
    assert progress.commit(1) == 3
    assert progress.skip(3) == 4
    assert progress.commit(2) is None
