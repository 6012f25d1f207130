"""The form of what telemon stores in Redis."""

from __future__ import annotations

from engines.workload.redis_keys import is_payload, is_row


def test_a_row_is_six_numbers_of_that_very_car() -> None:
    assert is_row(50_000_000, b"50000000:750:60:80:30:1")
    for value in (
        None,
        b"",
        b"hello",
        b"50000001:750:60:80:30:1",
        b"50000000:750:60:80:30",
        b"50000000:750:60:80:30:1:2",
        b"50000000:750:60:80:30:-1",
        b"50000000:750:60:80:30:1\n",
        b"050000000:750:60:80:30:1",
        "50000000:750:60:80:30:1",
        ValueError("WRONGTYPE"),
    ):
        assert not is_row(50_000_000, value), value


def test_no_number_of_a_payload_is_too_large_to_be_read() -> None:
    """A version of more digits would be cached by one race, and be somebody else's key to the next."""
    for place in range(6):
        numbers = [b"1"] * 6
        numbers[place] = b"9" * 19
        assert is_payload(b":".join(numbers))
        numbers[place] = b"9" * 20
        assert not is_payload(b":".join(numbers))
