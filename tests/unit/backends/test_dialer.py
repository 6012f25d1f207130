"""What opening a connection does with addresses that are none."""

from __future__ import annotations

import pytest

from engines.backends.dialer import dial


@pytest.mark.parametrize("host", ["a..b", "x" * 64, "\N{SNOWMAN}..b"])
def test_a_name_that_cannot_be_looked_up_is_an_error_of_the_network(host: str) -> None:
    """A cluster may name its nodes by any text; only OSError is what a server that cannot be reached raises."""
    with pytest.raises(OSError, match="is no address"):
        dial(f"{host}:6379")


def test_a_way_to_such_a_name_is_named_as_it_is_reached() -> None:
    with pytest.raises(OSError, match=r"'c\.\.d:1' is no address"):
        dial("a..b:6379", (("a..b:6379", "c..d:1"),))
