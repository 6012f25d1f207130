"""Replies cut at any byte, compared with their meaning and with hiredis; requests as Redis expects them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import hiredis
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from redis.crc import key_slot as key_slot_of_redis_py

from engines.wire import resp
from engines.wire.reply import INCOMPLETE, ProtocolError
from engines.wire.resp import ALL_OK, Redirect, RedisErrorReply, RespReplyParser, redirect


@dataclass(frozen=True)
class Sent:
    """A reply as the bytes that a server sends, and what they mean."""

    wire: bytes
    meaning: Any


def bulk(value: bytes) -> Sent:
    return Sent(b"$%d\r\n%b\r\n" % (len(value), value), value)


def simple(value: bytes) -> Sent:
    return Sent(b"+%b\r\n" % value, value)


def error(text: str) -> Sent:
    return Sent(b"-%b\r\n" % text.encode(), RedisErrorReply(text.split(" ")[0], text))


def integer(value: int) -> Sent:
    return Sent(b":%d\r\n" % value, value)


def array(items: list[Sent]) -> Sent:
    head = b"*%d\r\n" % len(items)
    return Sent(head + b"".join(item.wire for item in items), [item.meaning for item in items])


NIL = Sent(b"$-1\r\n", None)
NIL_ARRAY = Sent(b"*-1\r\n", None)
OK = simple(b"OK")

SAMPLES = [
    bulk(b"50000123:2375:75:100:90:12345"),
    bulk(b""),
    bulk(b"+OK\r\n$-1\r\n-ERR no\r\n"),
    bulk(b"x" * 300),
    OK,
    simple(b""),
    NIL,
    NIL_ARRAY,
    integer(-(2**63)),
    error("MOVED 3999 127.0.0.1:6381"),
    error("ERR"),
    array([]),
    array([OK, NIL, array([error("ERR no"), integer(7)]), bulk(b"\r\n")]),
]
RESP3 = [
    Sent(b"_\r\n", None),
    Sent(b"#t\r\n", True),
    Sent(b",1.5\r\n", 1.5),
    Sent(b"(12345678901234567890123\r\n", b"12345678901234567890123"),
    Sent(b"=7\r\ntxt:abc\r\n", b"abc"),
    Sent(b"%1\r\n+a\r\n:1\r\n", {b"a": 1}),
    Sent(b"~2\r\n:1\r\n:2\r\n", [1, 2]),
]

line = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20)
leaves = st.one_of(
    st.just(OK),
    st.just(NIL),
    st.just(NIL_ARRAY),
    st.binary(max_size=40).map(bulk),
    st.integers(0, 3).map(lambda more: bulk(b"v" * (250 + more))),
    st.just(bulk(bytes(range(256)) * 300)),
    line.map(str.encode).map(simple),
    line.map(error),
    st.integers(-(2**63), 2**63 - 1).map(integer),
    st.sampled_from(RESP3),
)
replies = st.recursive(leaves, lambda items: st.lists(items, max_size=4).map(array), max_leaves=8)


def chunks(wire: bytes, cuts: list[int]) -> Iterator[bytes]:
    edges = [0, *sorted({cut % len(wire) for cut in cuts} - {0}), len(wire)]
    for begin, end in pairwise(edges):
        yield wire[begin:end]


def as_ours(reply: Any) -> Any:
    """What hiredis made of a reply, with its errors as ours."""
    if isinstance(reply, hiredis.ReplyError):
        return RedisErrorReply(str(reply).split(" ")[0], str(reply))
    if isinstance(reply, list):
        return [as_ours(item) for item in reply]
    return reply


def hiredis_reads(wire: bytes, wanted: int) -> list[Any]:
    reader = hiredis.Reader()
    reader.feed(wire)
    return [as_ours(reader.gets()) for _ in range(wanted)]


def read_one(parser: RespReplyParser, parts: Iterator[bytes]) -> Any:
    """Feed all parts; every one but the last must be told to be not enough."""
    *early, last = parts
    for part in early:
        assert parser.feed_one(part) is INCOMPLETE
    return parser.feed_one(last)


def read_many(parser: RespReplyParser, parts: Iterator[bytes], wanted: int) -> Any:
    *early, last = parts
    for part in early:
        assert parser.feed_many(part, wanted) is INCOMPLETE
    return parser.feed_many(last, wanted)


def same(left: Any, right: Any) -> bool:
    """Equality that tells 1 from True, within lists too."""
    return repr(left) == repr(right) and bool(left == right)


# ---------------------------------------------------------------- replies


@pytest.mark.parametrize("sent", SAMPLES + RESP3, ids=lambda sent: repr(sent.wire[:20]))
def test_a_reply_cut_at_any_byte_is_the_whole_reply(sent: Sent) -> None:
    parser = RespReplyParser()
    assert same(parser.feed_one(sent.wire), sent.meaning)
    for cut in range(1, len(sent.wire)):
        assert same(read_one(parser, chunks(sent.wire, [cut])), sent.meaning)
    every_byte = chunks(sent.wire, list(range(len(sent.wire))))
    assert same(read_one(parser, every_byte), sent.meaning)


@given(st.lists(st.tuples(replies, st.lists(st.integers(0, 100_000), max_size=5)), max_size=5))
def test_one_reply_after_another_reads_as_hiredis_reads_it(
    sequence: list[tuple[Sent, list[int]]],
) -> None:
    parser = RespReplyParser()
    for sent, cuts in sequence:
        got = read_one(parser, chunks(sent.wire, cuts))
        assert same(got, sent.meaning)
        assert same([got], hiredis_reads(sent.wire, 1))


@given(
    st.lists(st.one_of(st.just(OK), replies), min_size=1, max_size=12),
    st.lists(st.integers(0, 100_000), max_size=6),
)
@example([OK, OK, error("CLUSTERDOWN The cluster is down")], [2, 7, 12])
@example([error("TRYAGAIN later"), OK], [])
def test_a_batch_cut_anywhere_reads_as_hiredis_reads_it(batch: list[Sent], cuts: list[int]) -> None:
    wire = b"".join(sent.wire for sent in batch)
    parser = RespReplyParser()
    for _ in range(2):  # the second time finds the parser as it left it
        got = read_many(parser, chunks(wire, cuts), len(batch))
        if all(sent.wire == OK.wire for sent in batch):
            assert got is ALL_OK
            got = [got[index] for index in range(len(batch))]
        assert same(got, [sent.meaning for sent in batch])
        assert same(got, hiredis_reads(wire, len(batch)))


@pytest.mark.parametrize("wanted", [2, 3, 100, 128, 129, 1_000])
def test_a_batch_of_ok_is_told_as_such_wherever_it_is_cut(wanted: int) -> None:
    wire = b"+OK\r\n" * wanted
    parser = RespReplyParser()
    for cut in range(0, len(wire), max(1, len(wire) // 60)):
        assert read_many(parser, chunks(wire, [cut, cut + 3]), wanted) is ALL_OK


def test_an_error_in_a_batch_is_at_its_own_place() -> None:
    parser = RespReplyParser()
    for at in range(100):
        lines = [b"+OK\r\n"] * 100
        lines[at] = b"-MOVED 1 a:1\r\n"
        got = read_many(parser, chunks(b"".join(lines), [250, 251, 252]), 100)
        assert [index for index, reply in enumerate(got) if reply != b"OK"] == [at]
        assert got[at] == RedisErrorReply("MOVED", "MOVED 1 a:1")


def test_feed_one_and_feed_many_alternate() -> None:
    parser = RespReplyParser()
    assert parser.feed_many(b"+OK\r\n+O", 2) is INCOMPLETE
    assert parser.feed_many(b"K\r\n", 2) is ALL_OK
    assert parser.feed_one(b"$1\r\nx") is INCOMPLETE
    assert parser.feed_one(b"\r\n") == b"x"
    assert parser.feed_many(b"+OK\r\n:1", 2) is INCOMPLETE
    assert parser.feed_many(b"\r\n", 2) == [b"OK", 1]
    assert parser.feed_one(b"+OK\r\n") == b"OK"


def test_all_ok_answers_for_any_index_and_is_no_endless_loop() -> None:
    assert ALL_OK[0] == ALL_OK[99] == b"OK"
    with pytest.raises(TypeError):
        iter(ALL_OK)


@pytest.mark.parametrize("surplus", [b"+", b"+OK\r\n", b"$-1\r\n", b"\r\n"])
@pytest.mark.parametrize("sent", SAMPLES, ids=lambda sent: repr(sent.wire[:20]))
def test_more_than_was_due_is_an_error(sent: Sent, surplus: bytes) -> None:
    with pytest.raises(ProtocolError):
        RespReplyParser().feed_one(sent.wire + surplus)
    with pytest.raises(ProtocolError):
        RespReplyParser().feed_many(sent.wire * 2 + surplus, 2)
    with pytest.raises(ProtocolError):
        RespReplyParser().feed_many(sent.wire * 200, 199)


@pytest.mark.parametrize("wire", [b"hello\r\n", b"\r\n", b"$x\r\n", b":1.5\r\n", b"\0\0\0\1"])
def test_what_is_no_resp_is_an_error(wire: bytes) -> None:
    with pytest.raises(ProtocolError):
        RespReplyParser().feed_one(wire)
    with pytest.raises(ProtocolError):
        RespReplyParser().feed_many(b"+OK\r\n" + wire, 2)


def test_bytes_in_an_error_that_are_no_utf8_do_not_get_in_the_way() -> None:
    got = RespReplyParser().feed_one(b"-ERR unknown command '\xff'\r\n")
    assert isinstance(got, RedisErrorReply)
    assert got.code == "ERR"
    assert got.message.startswith("ERR unknown command '")


# ---------------------------------------------------------------- requests

sizes = st.sampled_from([0, 1, 9, 10, 99, 100, 255, 256, 257, 1_023, 1_024, 1_025, 70_000])
content = st.one_of(st.binary(max_size=30), sizes.map(lambda size: b"k" * size))


@given(content, content, st.integers(1, 10**12))
def test_requests_are_packed_as_hiredis_packs_them(key: bytes, value: bytes, ttl_ms: int) -> None:
    pack: Any = hiredis.pack_command  # its stub takes tuples of one
    assert resp.get(key) == pack((b"GET", key))
    assert resp.set_(key, value) == pack((b"SET", key, value))
    assert resp.set_px(key, value, ttl_ms) == pack((b"SET", key, value, b"PX", ttl_ms))
    assert resp.command(b"MSET", key, value) == pack((b"MSET", key, value))
    assert resp.asking() == pack((b"ASKING",))


# ---------------------------------------------------------------- slots and redirects


@pytest.mark.parametrize(
    ("key", "alike"),
    [
        (b"{user1000}.following", b"user1000"),
        (b"foo{bar}{zap}", b"bar"),
        (b"foo{{bar}}zap", b"{bar"),
    ],
)
def test_a_hash_tag_stands_for_its_key(key: bytes, alike: bytes) -> None:
    # The examples of the cluster specification.
    assert resp.key_slot(key) == resp.key_slot(alike) == key_slot_of_redis_py(key)
    assert resp.key_slot(key) != resp.key_slot(key.replace(b"{", b"(").replace(b"}", b")"))


def test_the_check_value_of_the_specification() -> None:
    assert resp.key_slot(b"123456789") == 0x31C3


@given(st.one_of(st.binary(), st.text("{}ab", max_size=8).map(str.encode)))
@example(b"foo{}{bar}")
@example(b"foo{bar")
def test_slots_are_those_of_redis_py(key: bytes) -> None:
    assert resp.key_slot(key) == key_slot_of_redis_py(key)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("MOVED 3999 127.0.0.1:6381", Redirect(3999, "127.0.0.1", 6381, ask=False)),
        ("ASK 1 node-2.example:7000", Redirect(1, "node-2.example", 7000, ask=True)),
        ("MOVED 16383 ::1:6379", Redirect(16383, "::1", 6379, ask=False)),
        ("MOVED 3999 :6381", Redirect(3999, "", 6381, ask=False)),
        ("MOVED 3999 ?:6381", None),
        ("MOVED", None),
        ("MOVED 3999", None),
        ("MOVED 3999 nowhere", None),
        ("MOVED 3999 6381", None),
        ("MOVED x 127.0.0.1:6381", None),
        ("MOVED 1 127.0.0.1:x", None),
        ("MOVEDX 3999 127.0.0.1:6381", None),
        ("TRYAGAIN Multiple keys request during rehashing of slot", None),
    ],
)
def test_redirects(text: str, meaning: Redirect | None) -> None:
    reply = RespReplyParser().feed_one(b"-%b\r\n" % text.encode())
    assert isinstance(reply, RedisErrorReply)
    assert redirect(reply) == meaning
