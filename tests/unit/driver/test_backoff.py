"""Pauses grow, are limited, and differ."""

from engines.driver.backoff import CAP_S, FIRST_S, delay_s


def test_delays_double_up_to_the_cap_with_jitter_over_the_upper_half() -> None:
    for failures, longest in ((1, FIRST_S), (2, 2 * FIRST_S), (4, 8 * FIRST_S), (1000, CAP_S)):
        delays = {delay_s(failures) for _ in range(200)}
        assert longest / 2 <= min(delays)
        assert max(delays) <= longest
        assert len(delays) > 100
