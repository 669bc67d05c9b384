"""Going on from a place in a stream: what is missing is told, and nothing else is told as missing."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from toril import OptionError
from toril.model.names import QueueRef
from toril.model.stream import BEGINNING, Look, Place, StreamId, append, check_event_id, read_on

QUEUE = QueueRef("bull", "q")


@dataclass
class Stream:
    """A stream as servers keep them."""

    ids: list[StreamId] = field(default_factory=list[StreamId])
    last: StreamId = BEGINNING
    added: int = 0
    counts: bool = True

    def add(self, count: int = 1) -> None:
        for _ in range(count):
            self.last = StreamId(self.last.ms + 1, 0)
            self.ids.append(self.last)
            self.added += 1

    def trim(self, length: int) -> None:
        del self.ids[: max(len(self.ids) - length, 0)]

    def look(self, after: StreamId, count: int) -> Look:
        behind = [id for id in self.ids if id > after][:count]
        entries = [(str(id).encode(), {b"event": b"e", b"n": b"%d" % id.ms}) for id in behind]
        added = self.added if self.counts else None
        first = self.ids[0] if self.ids else None
        return Look(first, self.last, len(self.ids), added, entries, len(entries) == count)


@dataclass
class Reader:
    """What was read so far: numbers of events, and of gaps how many are missing."""

    stream: Stream
    place: Place
    seen: list[int] = field(default_factory=list[int])
    gaps: list[int | None] = field(default_factory=list[int | None])

    def read(self, count: int = 5) -> bool:
        reading = read_on(QUEUE, self.place, self.stream.look(self.place.id, count))
        for event, _ in reading.events:
            if event.is_gap:
                self.gaps.append(event.lost)
            else:
                self.seen.append(int(event.fields["n"]))
        self.place = reading.place
        return reading.more

    def read_all(self) -> None:
        while self.read():
            pass


@pytest.fixture
def stream() -> Stream:
    stream = Stream()
    stream.add(10)
    return stream


def test_all_that_is_there_is_read_in_order(stream: Stream) -> None:
    reader = Reader(stream, Place(BEGINNING))
    reader.read_all()
    stream.add(3)
    reader.read_all()

    assert (reader.seen, reader.gaps) == (list(range(1, 14)), [])
    assert reader.place == Place(StreamId(13, 0), 13)


def test_what_was_trimmed_before_it_was_read_is_counted(stream: Stream) -> None:
    reader = Reader(stream, Place(StreamId(4, 0), 4))
    stream.trim(3)
    reader.read_all()

    assert (reader.gaps, reader.seen) == ([3], [8, 9, 10])


def test_trimming_up_to_the_place_loses_nothing(stream: Stream) -> None:
    reader = Reader(stream, Place(StreamId(7, 0), 7))
    stream.trim(3)
    reader.read_all()

    assert (reader.gaps, reader.seen) == ([], [8, 9, 10])


def test_all_gone(stream: Stream) -> None:
    reader = Reader(stream, Place(StreamId(4, 0), 4))
    stream.trim(0)
    reader.read_all()
    stream.add()
    reader.read_all()

    assert (reader.gaps, reader.seen) == ([6], [11])


def test_the_beginning_is_the_oldest_there_is(stream: Stream) -> None:
    stream.trim(2)
    reader = Reader(stream, Place(BEGINNING))
    reader.read_all()

    assert (reader.gaps, reader.seen) == ([], [9, 10])


def test_a_reader_that_began_before_the_first_event_misses_none_untold() -> None:
    stream = Stream()
    reader = Reader(stream, Place(BEGINNING, 0))
    stream.add(10)
    stream.trim(2)
    reader.read_all()

    assert (reader.gaps, reader.seen) == ([8], [9, 10])


def test_entries_that_were_deleted_one_by_one_are_missing_too(stream: Stream) -> None:
    reader = Reader(stream, Place(StreamId(2, 0), 2))
    del stream.ids[4], stream.ids[-1]
    reader.read_all()
    stream.add()
    reader.read_all()

    assert (sum(lost or 0 for lost in reader.gaps), reader.seen) == (2, [3, 4, 6, 7, 8, 9, 11])


def test_a_place_of_unknown_count_that_is_still_there(stream: Stream) -> None:
    stream.trim(5)
    reader = Reader(stream, Place(StreamId(6, 0)))
    reader.read_all()

    assert (reader.gaps, reader.seen) == ([], [7, 8, 9, 10])
    assert reader.place.count == 10


def test_a_place_of_unknown_count_that_is_gone(stream: Stream) -> None:
    stream.trim(5)
    reader = Reader(stream, Place(StreamId(4, 0)))
    reader.read(2)
    assert reader.place.count == 7
    reader.read_all()

    assert (reader.gaps, reader.seen) == ([None], [6, 7, 8, 9, 10])


def test_a_stream_that_is_gone_has_lost_what_nobody_knows(stream: Stream) -> None:
    reader = Reader(Stream(), Place(StreamId(4, 0), 4))
    reader.read_all()
    assert reader.gaps == [None]

    reader.read_all()
    reader.stream.add(2)
    reader.read_all()

    assert (reader.gaps, reader.seen) == ([None], [1, 2])


def test_a_stream_that_began_again_behind_the_place_is_read_from_its_beginning(stream: Stream) -> None:
    reader = Reader(stream, Place(StreamId(4711, 0), 99))
    reader.read_all()

    assert (reader.gaps, reader.seen) == ([None], list(range(1, 11)))


def test_a_stream_that_began_again_with_later_ids() -> None:
    stream = Stream(last=StreamId(100, 0))
    stream.add(3)
    reader = Reader(stream, Place(StreamId(50, 0), 50))
    reader.read_all()

    assert (reader.gaps, reader.seen) == ([None], [101, 102, 103])
    stream.add()
    reader.read_all()
    assert (reader.gaps, reader.seen[-1]) == ([None], 104)


def test_a_server_that_does_not_count_may_say_gap_once_too_often() -> None:
    stream = Stream(counts=False)
    stream.add(10)
    exact = Reader(stream, Place(StreamId(10, 0)))
    held = Reader(stream, Place(StreamId(8, 0)))
    stream.trim(3)
    late = Reader(stream, Place(StreamId(7, 0)))
    lost = Reader(stream, Place(StreamId(3, 0)))
    for reader in (exact, held, late, lost):
        reader.read_all()

    assert (exact.gaps, held.gaps, late.gaps, lost.gaps) == ([], [], [None], [None])
    assert (exact.seen, held.seen, late.seen, lost.seen) == ([], [9, 10], [8, 9, 10], [8, 9, 10])


@pytest.mark.parametrize("seed", range(50))
def test_events_and_gaps_explain_everything(seed: int) -> None:
    chance = random.Random(seed)
    stream = Stream()
    reader = Reader(stream, Place(BEGINNING, 0))
    for _ in range(300):
        act = chance.choice(["add", "add", "trim", "read", "read"])
        if act == "add":
            stream.add(chance.randrange(12))
        elif act == "trim":
            stream.trim(chance.randrange(40))
        else:
            reader.read(chance.randrange(1, 20))
    reader.read_all()

    assert None not in reader.gaps
    assert len(reader.seen) + sum(lost or 0 for lost in reader.gaps) == stream.added > 0
    assert reader.seen == sorted(set(reader.seen))


def test_places_to_begin_at() -> None:
    assert check_event_id("$") is None
    assert check_event_id("0") == Place(BEGINNING)
    assert check_event_id(f"{2**64 - 1}-{2**64 - 1}") == Place(StreamId(2**64 - 1, 2**64 - 1))
    assert check_event_id("1800000000000-12") == Place(StreamId(1800000000000, 12))


@pytest.mark.parametrize(
    "value", ["", "now", "-1", "1-", "1-2-3", 7, None, "٣", str(2**64), f"1-{2**64}", "9" * 20]
)
def test_what_is_no_place(value: object) -> None:
    with pytest.raises(OptionError, match="last_event_id"):
        check_event_id(value)


def test_news_behind_a_place_are_its_events() -> None:
    entries = [(b"5-1", {b"event": b"old"}), (b"5-2", {b"event": b"here"}), (b"6-0", {b"event": b"new"})]
    reading = append(QUEUE, Place(StreamId(5, 2), 7), entries)

    assert [(event.id, event.name, count) for event, count in reading.events] == [("6-0", "new", None)]
    assert (reading.place, reading.more) == (Place(StreamId(6, 0)), False)
    assert append(QUEUE, reading.place, entries).place == reading.place
