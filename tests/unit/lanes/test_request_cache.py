"""Requests that repeat: each is that of its car, in the names of its namespace."""

from __future__ import annotations

from redis.crc import key_slot

from engines.lanes.request_cache import GetCache, SelectCache


def test_a_get_has_the_key_and_the_slot_of_its_namespace() -> None:
    gets = GetCache(b"telemon:blue:")
    slot, request, *_ = gets[50_000_000]
    assert slot == key_slot(b"telemon:blue:50000000")
    assert request == b"*2\r\n$3\r\nGET\r\n$21\r\ntelemon:blue:50000000\r\n"
    assert gets.get(50_000_000) is gets[50_000_000]


def test_a_select_is_of_the_table_of_its_namespace() -> None:
    selects = SelectCache("telemon_blue")
    request, car = selects[7]
    assert request.endswith(b" FROM telemon_blue WHERE car_id = 7")
    assert car == b"7"
    assert selects.get(7) is selects[7]
