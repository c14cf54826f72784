"""One interface to a log of messages: Kafka, and a file-backed log for one host."""

from tradewind.bus.errors import BusAwayError, BusError, UnreadableRecordError
from tradewind.bus.file_bus import FileBus
from tradewind.bus.interface import Bus, Start, Subscription
from tradewind.bus.kafka_bus import KafkaBus
from tradewind.bus.opening import BRINGERS_OUTAGE_S, open_bus
from tradewind.bus.probes import Probes
from tradewind.bus.record import Outgoing, Record
from tradewind.bus.topics import ALL_TOPICS, TOPICS, dead_topic, message_type

__all__ = [
    "ALL_TOPICS",
    "BRINGERS_OUTAGE_S",
    "TOPICS",
    "Bus",
    "BusAwayError",
    "BusError",
    "FileBus",
    "KafkaBus",
    "Outgoing",
    "Probes",
    "Record",
    "Start",
    "Subscription",
    "UnreadableRecordError",
    "dead_topic",
    "message_type",
    "open_bus",
]
