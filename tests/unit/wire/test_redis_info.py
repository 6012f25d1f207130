"""Product and version from INFO."""

from __future__ import annotations

import pytest

from engines.wire.redis_info import product_and_version
from tests.support.recorded_info import VERSIONS, recorded


@pytest.mark.parametrize("name", VERSIONS)
def test_every_product_is_known_by_what_it_answers(name: str) -> None:
    assert product_and_version(recorded(name)["server"]) == VERSIONS[name]


def test_valkey_is_known_by_either_of_its_names() -> None:
    assert product_and_version({"redis_version": "7.2.4", "server_name": "valkey"}) == (
        "Valkey",
        "7.2.4",
    )
    assert product_and_version({"valkey_version": "9.0.0"}) == ("Valkey", "9.0.0")


def test_what_says_neither_is_taken_for_redis() -> None:
    assert product_and_version({}) == ("Redis", "")
    assert product_and_version({"redis_version": "6.2.6", "server_name": "other"}) == (
        "Redis",
        "6.2.6",
    )
