"""Which product a Redis or Valkey program is: packages of Valkey bring links with the names of Redis' programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.sandbox.binaries import RedisBinary


@pytest.mark.parametrize(
    ("link", "program", "product"),
    [
        ("redis-server", "redis-server", "Redis"),
        ("redis-server", "redis-check-rdb", "Redis"),
        ("redis-server", "valkey-server", "Valkey"),
        ("redis-server", "valkey-check-rdb", "Valkey"),
        ("valkey-server", "valkey-check-rdb", "Valkey"),
        ("valkey-server", "redis-server", "Redis"),
        ("valkey-server", "wrapper", "Valkey"),
        ("redis-server", "wrapper", "Redis"),
    ],
)
def test_a_program_is_of_the_product_that_its_file_is_named_after(
    tmp_path: Path, link: str, program: str, product: str
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / program).touch()
    named = tmp_path / "bin" / link
    named.symlink_to(tmp_path / program)
    assert RedisBinary(named, link).product == product
