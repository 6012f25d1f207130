"""Replies cut at any byte, compared with their meaning and with PyMySQL; requests as a server reads them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pymysql
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pymysql.constants import FIELD_TYPE
from pymysql.protocol import MysqlPacket

from engines.wire import mysql_packet
from engines.wire.mysql import MAX_COLUMNS, MySQLReplyParser, Ok, Row, query
from engines.wire.mysql_packet import MySQLErrorReply
from engines.wire.reply import INCOMPLETE, ProtocolError, ReplyTooLargeError

MAX = 0xFF_FF_FF
AUTOCOMMIT = 2
LARGEST = 1 << 26
"""Size of the largest reply in these tests, above what a race reads."""


@dataclass(frozen=True)
class Sent:
    """A reply as the bytes that a server sends, and what they mean."""

    wire: bytes
    meaning: Any


# ---------------------------------------------------------------- a server's side of the protocol


def packet(payload: bytes, number: int) -> bytes:
    """One payload in as many packets as it takes, counted from `number`."""
    packets = b""
    while True:
        part, payload = payload[:MAX], payload[MAX:]
        packets += len(part).to_bytes(3, "little") + bytes([number % 256]) + part
        number += 1
        if len(part) < MAX:
            return packets


def packets(payloads: list[bytes], number: int = 1) -> bytes:
    wire = []
    for payload in payloads:
        wire.append(packet(payload, number))
        number += len(payload) // MAX + 1
    return b"".join(wire)


def length(value: int) -> bytes:
    if value < 251:
        return bytes([value])
    if value < 1 << 16:
        return b"\xfc" + value.to_bytes(2, "little")
    if value < 1 << 24:
        return b"\xfd" + value.to_bytes(3, "little")
    return b"\xfe" + value.to_bytes(8, "little")


def text(value: bytes) -> bytes:
    return length(len(value)) + value


def column(kind: int, name: bytes) -> bytes:
    """A column definition (protocol 4.1)."""
    names = b"".join(map(text, (b"def", b"telemon", b"cars", b"cars", name, name)))
    return names + b"\x0c\x3f\x00" + (11).to_bytes(4, "little") + bytes([kind, 0x80, 0, 4, 0, 0])


def eof(status: int = AUTOCOMMIT, warnings: int = 0) -> bytes:
    return b"\xfe" + warnings.to_bytes(2, "little") + status.to_bytes(2, "little")


def error_payload(code: int, sqlstate: str, message: str) -> bytes:
    mark = b"#" + sqlstate.encode() if sqlstate else b""
    return b"\xff" + code.to_bytes(2, "little") + mark + message.encode()


def head(kinds: list[int]) -> list[bytes]:
    columns = [column(kind, b"c%d" % index) for index, kind in enumerate(kinds)]
    return [length(len(kinds)), *columns, eof()]


def row_payload(row: Row) -> bytes:
    return b"".join(b"\xfb" if value is None else text(value) for value in row)


def result_set(kinds: list[int], rows: list[Row], status: int = AUTOCOMMIT) -> Sent:
    return Sent(packets([*head(kinds), *map(row_payload, rows), eof(status)]), rows)


def ok(affected: int, insert_id: int, status: int, warnings: int, info: bytes = b"") -> Sent:
    ends = status.to_bytes(2, "little") + warnings.to_bytes(2, "little")
    payload = b"\x00" + length(affected) + length(insert_id) + ends + info
    return Sent(packets([payload]), Ok(affected, insert_id, status, warnings))


def error(code: int, sqlstate: str, message: str) -> Sent:
    return Sent(
        packets([error_payload(code, sqlstate, message)]), MySQLErrorReply(code, sqlstate, message)
    )


def error_after(kinds: list[int], rows: list[Row], code: int, message: str) -> Sent:
    payloads = [*head(kinds), *map(row_payload, rows), error_payload(code, "22003", message)]
    return Sent(packets(payloads), MySQLErrorReply(code, "22003", message))


# ---------------------------------------------------------------- what is sent in these tests

DECIMAL, BIGINT = FIELD_TYPE.NEWDECIMAL, FIELD_TYPE.LONGLONG
DOUBLE, BLOB, VARCHAR = FIELD_TYPE.DOUBLE, FIELD_TYPE.BLOB, FIELD_TYPE.VAR_STRING
NUMERIC = [
    FIELD_TYPE.DECIMAL,
    FIELD_TYPE.TINY,
    FIELD_TYPE.SHORT,
    FIELD_TYPE.LONG,
    FIELD_TYPE.INT24,
    FIELD_TYPE.YEAR,
    DECIMAL,
    BIGINT,
]
TELEMETRY = [DECIMAL, DECIMAL, DECIMAL, DECIMAL, BIGINT]

FROM_MARIADB = Sent(
    # MariaDB 10.11, SELECT avg(rpm), avg(water_temp), avg(oil_temp), avg(oil_pressure), max(version)
    # FROM cars WHERE car_id = 50000123
    b"\x01\0\0\x01\x05"
    b"\x1e\0\0\x02\x03def\0\0\0\x08avg(rpm)\0\x0c?\0\x0b\0\0\0\xf6\x80\0\x04\0\0"
    b"%\0\0\x03\x03def\0\0\0\x0favg(water_temp)\0\x0c?\0\x0b\0\0\0\xf6\x80\0\x04\0\0"
    b"#\0\0\x04\x03def\0\0\0\ravg(oil_temp)\0\x0c?\0\x0b\0\0\0\xf6\x80\0\x04\0\0"
    b"'\0\0\x05\x03def\0\0\0\x11avg(oil_pressure)\0\x0c?\0\x0b\0\0\0\xf6\x80\0\x04\0\0"
    b'"\0\0\x06\x03def\0\0\0\x0cmax(version)\0\x0c?\0\x14\0\0\0\x08\xa0\0\0\0\0'
    b"\x05\0\0\x07\xfe\0\0\x02\0"
    b")\0\0\x08\t2375.0000\x0775.0000\x08100.0000\x0790.0000\x0512345"
    b"\x05\0\0\t\xfe\0\0\x02\0",
    [(b"2375.0000", b"75.0000", b"100.0000", b"90.0000", b"12345")],
)

SAMPLES = [
    FROM_MARIADB,
    result_set(TELEMETRY, [(None,) * 5]),
    result_set(TELEMETRY, []),
    result_set([BIGINT], [(b"%d" % number,) for number in range(12)]),
    result_set([VARCHAR, BLOB], [(b"", None), (b"\xfe\0\0\x02\0", b"x" * 300)]),
    ok(2, 0, AUTOCOMMIT, 0),
    ok(70_000, 1 << 40, 3, 5, b"Records: 100  Duplicates: 37  Warnings: 0"),
    error(1213, "40001", "Deadlock found when trying to get lock; try restarting transaction"),
    error(1040, "", "Too many connections"),
    error_after(TELEMETRY, [(b"1", None, b"2", b"3", b"4")], 1690, "out of range"),
    error_after([VARCHAR], [], 1317, ""),
]

number_text = st.one_of(
    st.integers(-(10**18), 10**18).map(lambda number: b"%d" % number),
    st.integers(-(10**9), 10**9).map(lambda number: b"%d.0000" % number),
    st.integers(1, 67).map(lambda size: b"7" * size),
    st.integers(40, 60).map(lambda size: b"-" + b"7" * size),
)
any_text = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([0, 44, 45, 46, 250, 251, 252, 253, 254, 255, 256, 65_535, 65_536]).map(bytes),
    st.just(b"1.5e+20"),
    st.just(b"a b"),
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[int], st.SearchStrategy[Row]]:
    """The types of some columns, and what rows there can be of them."""
    kinds = draw(
        st.one_of(
            st.lists(st.sampled_from(NUMERIC), min_size=1, max_size=6),
            st.lists(st.sampled_from([*NUMERIC, DOUBLE, BLOB, VARCHAR]), min_size=1, max_size=6),
            st.sampled_from([TELEMETRY, [BIGINT] * 44, [BIGINT] * 45, [BIGINT] * 260]),
        )
    )
    values = [st.none() | (number_text if kind in NUMERIC else any_text) for kind in kinds]
    if len(kinds) > 40:  # one value per row will do, where there are this many
        return kinds, st.one_of(*values[:1]).map(lambda value: (value,) * len(kinds))
    return kinds, st.tuples(*values)


messages = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30).filter(
    lambda message: message[0] != "#"
)
counts = st.integers(0, 1 << 64 - 1) | st.integers(0, 300)
words = st.integers(0, 0x7FFF).map(lambda word: word & ~mysql_packet.MORE_RESULTS)


@st.composite
def conversations(draw: st.DrawFn) -> list[Sent]:
    """Answers to one connection: mostly to the same statement, so that its columns come again."""
    kinds, rows = draw(tables())
    result_sets = st.lists(rows, max_size=3).map(lambda some: result_set(kinds, some))
    singles = rows.map(lambda row: result_set(kinds, [row]))
    others = st.one_of(
        st.builds(ok, counts, counts, words, words, st.binary(max_size=30)),
        st.builds(error, st.integers(1, 32_767), st.sampled_from(["", "HY000"]), messages),
        st.builds(
            error_after,
            st.just(kinds),
            st.lists(rows, max_size=2),
            st.integers(1, 32_767),
            messages,
        ),
        st.sampled_from(SAMPLES),
    )
    return draw(st.lists(st.one_of(singles, singles, result_sets, others), max_size=6))


cuts = st.lists(st.integers(0, 1_000_000), max_size=4)


def chunks(wire: bytes, at: list[int]) -> Iterator[bytes]:
    edges = [0, *sorted({cut % len(wire) for cut in at} - {0}), len(wire)]
    for begin, end in pairwise(edges):
        yield wire[begin:end]


def read_one(parser: MySQLReplyParser, parts: Iterator[bytes]) -> Any:
    """Feed all parts; every one but the last must be told to be not enough."""
    *early, last = parts
    for part in early:
        assert parser.feed_one(part) is INCOMPLETE
    return parser.feed_one(last)


def pymysql_reads(wire: bytes) -> Any:
    """What PyMySQL makes of one reply, in our terms."""
    connection: Any = pymysql.Connection(
        defer_connect=True, use_unicode=False, conv={}, ssl_disabled=True
    )
    connection._rfile = stream = io.BytesIO(wire)
    connection._next_seq_id, connection._current_timeout = 1, None
    result: Any = pymysql.connections.MySQLResult(connection)
    try:
        result.read()
    except pymysql.MySQLError as error:
        return MySQLErrorReply(error.args[0], getattr(error, "sqlstate", None) or "", error.args[1])
    finally:
        assert not stream.read()
    if result.rows is None:
        return Ok(
            result.affected_rows, result.insert_id, result.server_status, result.warning_count
        )
    return list(result.rows)


# ---------------------------------------------------------------- replies


@pytest.mark.parametrize("sent", SAMPLES, ids=range(len(SAMPLES)))
def test_a_reply_cut_at_any_byte_is_the_whole_reply(sent: Sent) -> None:
    assert pymysql_reads(sent.wire) == sent.meaning
    for parser in (MySQLReplyParser(), practised(), practised(sent)):
        assert parser.feed_one(sent.wire) == sent.meaning
        for cut in range(1, len(sent.wire)):
            assert read_one(parser, chunks(sent.wire, [cut])) == sent.meaning
            assert parser.feed_one(sent.wire) == sent.meaning
        assert read_one(parser, chunks(sent.wire, list(range(len(sent.wire))))) == sent.meaning


def practised(*sent: Sent, parser: MySQLReplyParser | None = None) -> MySQLReplyParser:
    """A parser that has read this already, and a telemetry row before it."""
    parser = parser or MySQLReplyParser()
    for reply in (FROM_MARIADB, *sent):
        assert parser.feed_one(reply.wire) == reply.meaning
    return parser


@given(st.data(), conversations())
@settings(max_examples=200)
def test_one_reply_after_another_reads_as_pymysql_reads_it(
    data: st.DataObject, sequence: list[Sent]
) -> None:
    parser = MySQLReplyParser()
    for sent in sequence:
        got = read_one(parser, chunks(sent.wire, data.draw(cuts)))
        assert got == sent.meaning
        assert type(got) is type(sent.meaning)
        assert got == pymysql_reads(sent.wire)


@given(conversations().filter(bool), cuts)
def test_pipelined_replies_are_told_apart(sequence: list[Sent], at: list[int]) -> None:
    wire = b"".join(sent.wire for sent in sequence)
    parser = practised(sequence[0])
    *early, last = chunks(wire, at)
    for part in early:
        assert parser.feed_many(part, len(sequence)) is INCOMPLETE
    assert parser.feed_many(last, len(sequence)) == [sent.meaning for sent in sequence]
    assert parser.feed_one(FROM_MARIADB.wire) == FROM_MARIADB.meaning


rows_of_numbers = st.lists(st.tuples(*[st.none() | number_text] * 5), min_size=1, max_size=8)


@given(rows_of_numbers)
@example([(None, b"7", b"7", b"7", b"7"), (b"7", b"7", b"7", b"7", None), (None,) * 5])
@example([(b"1" * 45, b"1", b"1", b"1", b"1"), (b"1" * 48, None, b"1", b"1", b"1")])
@example([(b"1", b"1" * 48, b"1" * 57, None, b"-1"), (None, b"1" * 48, b"1", b"1", b"1")])
@settings(max_examples=300)
def test_rows_of_one_statement_do_not_mix(rows: list[Row]) -> None:
    parser = practised(result_set(TELEMETRY, [(b"0",) * 5]))
    for row in rows:
        assert parser.feed_one(result_set(TELEMETRY, [row]).wire) == [row]


@pytest.mark.parametrize(
    "rows",
    [
        [(b"1", b"2")] * 257,
        [(None, None)] * 256 + [(b"1", b"2")],
        [(b"1", b"2"), *[(None, None)] * 256],
        [(b"1", None), *[(None, None)] * 255, (None, b"2")],
        [(b"%d" % number, b"%d" % -number) for number in range(3_000)],
    ],
    ids=range(5),
)
def test_the_257th_row_has_the_sequence_number_of_the_first(rows: list[Row]) -> None:
    parser = practised(result_set([BIGINT, BIGINT], [(b"3", b"4")]))
    sent = result_set([BIGINT, BIGINT], rows)
    assert parser.feed_one(sent.wire) == rows == pymysql_reads(sent.wire)


@pytest.mark.parametrize("columns", [44, 45, 250, 251, 256, 257, 300])
def test_many_columns_and_many_rows(columns: int) -> None:
    kinds = [BIGINT] * columns
    full: Row = (b"1",) * columns
    parser = practised(result_set(kinds, [full]))
    empty: Row = (None,) * columns
    one: Row = (b"1", *empty[1:])
    for rows in ([full], [empty], [one], [empty] * 256 + [full], [one] + [empty] * 256):
        sent = result_set(kinds, rows)
        assert parser.feed_one(sent.wire) == rows == pymysql_reads(sent.wire)


@pytest.mark.parametrize("value", [b"1.5e+20", b"1 2", b"\x01\x02\x03", b"\x03777", b"", b" "])
@pytest.mark.parametrize("kind", [DOUBLE, BLOB, VARCHAR])
def test_values_that_are_no_plain_numbers_keep_every_byte(kind: int, value: bytes) -> None:
    for before in (kind, BIGINT):
        parser = practised(result_set([before, before], [(b"1", b"2")]))
        for row in ((value, value), (value, None), (b"7" * 48, value)):
            assert parser.feed_one(result_set([kind, kind], [row]).wire) == [row]


def test_as_many_values_as_columns_are_not_always_one_row() -> None:
    kinds: list[int] = [BIGINT] * 3
    several: list[list[Row]] = [
        [(b"1", None, None), (b"1", None, b"2")],
        [(b"1", b"2", None), (None, None, b"3")],
        [(b"1", None, None), (b"2", None, None), (b"3", None, None)],
    ]
    for rows in several:
        parser = practised(result_set(kinds, [(b"7", b"8", b"9")] * len(rows)))
        sent = result_set(kinds, rows)
        assert parser.feed_one(sent.wire) == rows == pymysql_reads(sent.wire)


def test_two_statements_by_turns() -> None:
    parser = MySQLReplyParser()
    four: Row = (b"1", b"2", b"3", b"4")
    for kinds in ([BIGINT] * 4, [VARCHAR] * 4):
        for _ in range(2):
            for row in ((*four, b"5"), (*four, None), (None, *four)):
                assert parser.feed_one(result_set(TELEMETRY, [row]).wire) == [row]
                assert parser.feed_one(result_set(kinds, [four, four]).wire) == [four, four]
                assert parser.feed_one(result_set(kinds, [four]).wire) == [four]


class Watched(MySQLReplyParser):
    """Counts the replies that are not read the quick way."""

    slow = 0

    def many(self, data: bytes, wanted: int) -> Any:
        self.slow += 1
        return super().feed_many(data, wanted)


def test_frequent_replies_use_the_fast_path() -> None:
    parser = Watched()
    done = ok(2, 0, AUTOCOMMIT, 0)
    parser.feed_one(FROM_MARIADB.wire)
    parser.feed_one(done.wire)
    parser.feed_one(FROM_MARIADB.wire[:200])
    parser.feed_one(FROM_MARIADB.wire[200:])
    parser.slow = 0
    other: Row = (b"750.0000", b"60.0000", b"120.0000", b"150.0000", b"1234567")
    for row in (FROM_MARIADB.meaning[0], other, (None,) * 5):
        wire = FROM_MARIADB.wire[: -9 - 0x29 - 4]
        wire += packets([row_payload(row), eof()], number=8)
        assert parser.feed_one(wire) == [row]
        assert parser.feed_one(done.wire) == done.meaning
    assert parser.slow == 0


def test_a_changed_status_is_no_other_statement() -> None:
    parser = MySQLReplyParser()
    for status in (2, 34, 34, 2, 3):
        assert parser.feed_one(result_set([BIGINT], [(b"5",)], status).wire) == [(b"5",)]


def test_a_chunk_that_looks_like_a_reply_is_not_one_in_the_midst_of_another() -> None:
    plain = ok(1, 0, AUTOCOMMIT, 0)
    for inner in (FROM_MARIADB, plain):
        value = b"x" + inner.wire + b"y"
        outer = result_set([BLOB], [(value,)])
        begin = outer.wire.index(inner.wire)
        parser = practised(plain)
        got = read_one(parser, chunks(outer.wire, [begin, begin + len(inner.wire)]))
        assert got == [(value,)]
        assert parser.feed_one(inner.wire) == inner.meaning


# ---------------------------------------------------------------- large values


def test_large_values() -> None:
    for size in (65_535, 65_536, 1 << 20):
        row = (b"a" * size, None, b"b" * 251)
        sent = result_set([BLOB] * 3, [row, row])
        pieces = chunks(sent.wire, list(range(0, len(sent.wire), 65_536)))
        parser = MySQLReplyParser(LARGEST)
        assert read_one(parser, pieces) == [row, row] == pymysql_reads(sent.wire)


@pytest.mark.parametrize(
    "size",
    [
        MAX - 4,  # the payload fills one packet to the byte, so an empty one follows
        MAX + 1,  # the first value with a length of eight bytes, which begins as an EOF does
        2 * MAX - 9,
    ],
)
def test_rows_of_16_mib_and_more_come_in_several_packets(size: int) -> None:
    row = (b"a" * size,)
    sent = result_set([BLOB], [row, (b"b",)])
    for parser in (MySQLReplyParser(LARGEST), practised(parser=MySQLReplyParser(LARGEST))):
        pieces = list(chunks(sent.wire, list(range(0, len(sent.wire), 1 << 18))))
        got = read_one(parser, iter(pieces))
        assert [len(value) for (value,) in got] == [size, 1]
        assert got == [row, (b"b",)]
    assert got == pymysql_reads(sent.wire)


# ---------------------------------------------------------------- what must not be


@pytest.mark.parametrize("surplus", [b"\x01", b"\x05\0\0\x01\xfe\0\0\x02\0", None])
@pytest.mark.parametrize("sent", SAMPLES, ids=range(len(SAMPLES)))
def test_more_than_was_due_is_an_error(sent: Sent, surplus: bytes | None) -> None:
    more = sent.wire if surplus is None else surplus
    for parser in (MySQLReplyParser(), practised(sent)):
        with pytest.raises(ProtocolError, match="more than was due"):
            parser.feed_one(sent.wire + more)
    with pytest.raises(ProtocolError, match="more than was due"):
        MySQLReplyParser().feed_many(sent.wire * 2 + more, 2)


def renumbered(wire: bytes, index: int, number: int) -> bytes:
    """The packets of `wire` with the number of one of them changed."""
    at = 0
    for _ in range(index):
        at += 4 + int.from_bytes(wire[at : at + 3], "little")
    return wire[: at + 3] + bytes([number]) + wire[at + 4 :]


@pytest.mark.parametrize("index", range(1, 9))
def test_a_packet_out_of_turn_is_an_error(index: int) -> None:
    for number in (0, index, index + 2, 255):
        with pytest.raises(ProtocolError, match=f"packet {number} came where {index + 1} was due"):
            MySQLReplyParser().feed_one(renumbered(FROM_MARIADB.wire, index, number))
    with pytest.raises(ProtocolError, match="packet 0 came where 1 was due"):
        MySQLReplyParser().feed_one(renumbered(FROM_MARIADB.wire, 0, 0))


def test_the_reply_to_a_statement_in_several_packets_counts_on() -> None:
    sent = packets([*head(TELEMETRY), row_payload(FROM_MARIADB.meaning[0]), eof()], number=3)
    parser = practised()
    assert parser.feed_one(sent) == FROM_MARIADB.meaning
    assert parser.feed_one(FROM_MARIADB.wire) == FROM_MARIADB.meaning


@pytest.mark.parametrize("rows", [None, [], [(b"1",)]])
def test_a_server_that_shuts_down_says_so_out_of_turn(rows: list[Row] | None) -> None:
    message = packet(error_payload(1053, "08S01", "Server shutdown in progress"), 0)
    before = b"" if rows is None else packets([*head([BIGINT]), *map(row_payload, rows)])
    got = MySQLReplyParser().feed_one(before + message)
    assert got == MySQLErrorReply(1053, "08S01", "Server shutdown in progress")


@pytest.mark.parametrize(
    ("payloads", "why"),
    [
        ([b""], "ends before"),
        ([b"\x00\x00"], "ends before"),
        ([b"\x00\x00\x00\x02"], "ends before"),
        ([*head([BIGINT]), b"\x011", eof() + b"\x00"], "ends within a length"),
        ([*head([BIGINT])[:-1], eof() + b"\x00"], "do not end where they should"),
        ([b"\x00\xfc\x01"], "ends within a length"),
        ([eof()], "ends within a length"),
        ([b"\x02\x03"], "begins with byte 2"),
        ([b"\xfb/etc/passwd"], "local file"),
        ([*head([BIGINT])[:-1], b"\x011"], "do not end where they should"),
        ([*head([BIGINT]), b""], "ends before"),
        ([*head([BIGINT]), b"\x0212"[:-1]], "not as long as its packet"),
        ([*head([BIGINT]), b"\x01123"], "not as long as its packet"),
        ([*head([BIGINT] * 2), b"\x011"], "ends before"),
        ([*head([BIGINT] * 2), b"\x011\xff11"], "a length begins with byte 255"),
        (
            [*head([BIGINT]), b"\x011", eof(AUTOCOMMIT | mysql_packet.MORE_RESULTS)],
            "more than one result",
        ),
        ([b"\x00\x00\x00\x0a\x00\x00\x00"], "more than one result"),
    ],
)
def test_what_is_no_reply_is_an_error(payloads: list[bytes], why: str) -> None:
    for parser in (MySQLReplyParser(), practised(result_set([BIGINT], [(b"2",)]))):
        with pytest.raises(ProtocolError, match=why):
            parser.feed_one(packets(payloads))


# ---------------------------------------------------------------- requests


class Sink:
    """The socket of a PyMySQL connection that only keeps what is sent."""

    def __init__(self) -> None:
        self.sent = b""

    def sendall(self, data: bytes) -> None:
        self.sent += data


@pytest.mark.parametrize("size", [0, 1, 100, MAX - 3, MAX - 2, MAX - 1, MAX, 2 * MAX - 1, 2 * MAX])
def test_a_statement_is_sent_as_pymysql_sends_it(size: int) -> None:
    sql, sink = b"s" * size, Sink()
    connection: Any = pymysql.Connection(defer_connect=True, ssl_disabled=True)
    connection._sock, connection._current_timeout = sink, None
    connection._execute_command(3, sql)
    request = query(sql)
    assert request == sink.sent
    assert request == packet(b"\x03" + sql, 0)


def test_pymysql_offers_nothing_that_changes_what_is_read() -> None:
    flags = pymysql.constants.CLIENT
    offered: int = pymysql.Connection(defer_connect=True).client_flag
    changing = flags.COMPRESS | flags.SESSION_TRACK | flags.DEPRECATE_EOF | flags.MULTI_STATEMENTS
    assert offered & flags.PROTOCOL_41
    assert not offered & (changing | flags.LOCAL_FILES)
    assert MysqlPacket(eof(), "ascii").is_eof_packet()


def test_a_reply_may_have_as_many_bytes_as_were_said_and_no_more() -> None:
    """Counted over all parts in which it comes, and for each of several replies."""
    sent = result_set([VARCHAR], [(b"x" * 40,)] * 5)
    halves = [sent.wire[:-20], sent.wire[-20:]]
    for limit, fits in ((len(sent.wire), True), (len(sent.wire) - 20, False)):
        parser = MySQLReplyParser(limit)
        if fits:
            assert read_one(parser, iter(halves)) == sent.meaning
            # The bytes of the one before are not counted again.
            assert read_one(parser, iter(halves)) == sent.meaning
            continue
        with pytest.raises(ReplyTooLargeError, match=rf"^a reply of MySQL exceeds {limit:,} bytes"):
            parser.feed_one(halves[0][:-1])
    two = sent.wire * 2
    parser = MySQLReplyParser(len(sent.wire))
    assert parser.feed_many(two[:-1], 2) is INCOMPLETE
    assert parser.feed_many(two[-1:], 2) == [sent.meaning] * 2
    parser = MySQLReplyParser(len(sent.wire) - 1)
    with pytest.raises(ReplyTooLargeError):
        parser.feed_many(two[:-1], 2)
    # A packet that announces more than that is not waited for.
    announced = (1 << 20).to_bytes(3, "little") + b"\x01"
    with pytest.raises(ReplyTooLargeError):
        MySQLReplyParser(1 << 20).feed_one(announced)
    assert MySQLReplyParser((1 << 20) + 4).feed_one(announced) is INCOMPLETE


def test_a_result_set_may_have_so_many_columns_and_no_more() -> None:
    kinds = [BIGINT] * MAX_COLUMNS
    sent = result_set(kinds, [(b"1",) * MAX_COLUMNS])
    assert MySQLReplyParser(LARGEST).feed_one(sent.wire) == sent.meaning
    with pytest.raises(ReplyTooLargeError, match=r"^a result set of MySQL exceeds 1,024 columns"):
        MySQLReplyParser(LARGEST).feed_one(packet(length(MAX_COLUMNS + 1), 1))


def test_an_error_says_what_it_can_of_bytes_that_are_no_text() -> None:
    parser = MySQLReplyParser()
    reply = parser.feed_one(packet(b"\xff\x15\x04#\xff8000no \xfe text", 1))
    assert reply == MySQLErrorReply(1045, "\ufffd8000", "no \ufffd text")
    assert parser.feed_one(packet(b"\xff\x15\x04", 1)) == MySQLErrorReply(1045, "", "")


@pytest.mark.parametrize(
    ("payloads", "why"),
    [
        ([b"\xff\x15"], "an error packet ends before its number does"),
        ([b"\xfbfile"], "the server asks for a local file"),
        (
            [b"\x01", column(BIGINT, b"n"), b"\x00"],
            "the column definitions do not end where they should",
        ),
        ([b"\xfc\x00\x00"], "a result set has no columns"),
        ([b"\xfc\x01"], "a packet ends within a length"),
        ([b"\x00"], "a packet ends before its content does"),
        ([b"\x00\x00\x00\x0a\x00\x00\x00"], "the statement has more than one result"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_read_is_said_in_these_words(payloads: list[bytes], why: str) -> None:
    with pytest.raises(ProtocolError) as raised:
        MySQLReplyParser().feed_one(packets(payloads))
    assert str(raised.value) == (
        f"MySQL's reply cannot be read: {why}; the connection must be opened anew"
    )
