"""Hash tags in keys that have braces in an unusual order."""

from __future__ import annotations

from engines.wire.resp import key_slot


def test_a_brace_that_closes_nothing_does_not_end_a_hash_tag() -> None:
    assert key_slot(b"}before{5001}after") == key_slot(b"5001")
