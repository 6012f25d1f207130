"""Spread of the time to live of cache entries."""

from __future__ import annotations

import pytest

from engines.workload.ttl import jittered_ttl_ms


@pytest.mark.parametrize(
    ("sample", "expected_ms"), [(0.0, 900), (0.25, 950), (0.5, 1000), (1.0, 1100)]
)
def test_a_sample_moves_the_ttl_by_up_to_the_jitter(sample: float, expected_ms: int) -> None:
    assert jittered_ttl_ms(1000, 0.1, sample) == expected_ms


def test_no_jitter_keeps_the_ttl() -> None:
    assert jittered_ttl_ms(1500, 0.0, 0.9) == 1500


def test_a_ttl_is_never_zero() -> None:
    assert jittered_ttl_ms(1, 1.0, 0.0) == 1
