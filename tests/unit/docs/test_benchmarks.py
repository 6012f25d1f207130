"""What `make bench` makes of its measurements."""

from __future__ import annotations

from typing import Any

from benchmarks.__main__ import alternate, row
from benchmarks.circumstances import sentence
from benchmarks.measured import Measured, Pairs
from benchmarks.pairings import Pairing
from benchmarks.revisions import median_interval

OURS = [Measured(80.0, 30.0), Measured(300.0, 10.0), Measured(95.0, 23.0)]
THEIRS = [Measured(100.0, 20.0), Measured(100.0, 20.0), Measured(100.0, 20.0)]


def _pairing(
    throughput: float | None = None, p50: float | None = None, p50_least: float | None = None
) -> Pairing:
    return Pairing("a", "b", 4, lambda: OURS[0], lambda: THEIRS[0], throughput, p50, p50_least)


def test_a_ratio_is_the_median_of_the_pairs() -> None:
    figures = row(_pairing(), Pairs(OURS, THEIRS))
    assert figures["throughput_ratios"] == [0.8, 3.0, 0.95]
    assert figures["throughput_ratio"] == 0.95
    assert figures["p50_ratios"] == [1.5, 0.5, 1.15]
    assert figures["p50_ratio"] == 1.15
    assert figures["bars"] == ""


def test_each_bar_says_whether_it_is_reached() -> None:
    pairs = Pairs(OURS, THEIRS)
    just = row(_pairing(0.95, 1.15, 1.15), pairs)
    assert just["bars"] == ("throughput >= 0.95 reached, p50 <= 1.15 reached, p50 >= 1.15 reached")
    not_quite = row(_pairing(0.951, 1.149, 1.151), pairs)
    assert not_quite["bars"] == (
        "throughput >= 0.951 MISSED, p50 <= 1.149 MISSED, p50 >= 1.151 MISSED"
    )


def test_the_sides_take_turns_at_going_first() -> None:
    went: list[str] = []

    def side(name: str) -> Measured:
        went.append(name)
        return Measured(float(len(went)), 1.0)

    pairing = Pairing("a", "b", 1, lambda: side("ours"), lambda: side("theirs"))
    pairs = alternate(pairing, 3)
    assert went == ["ours", "theirs", "theirs", "ours", "ours", "theirs"]
    assert [one.per_s for one in pairs.ours] == [1.0, 4.0, 5.0]
    assert [one.per_s for one in pairs.theirs] == [2.0, 3.0, 6.0]


def test_the_table_says_what_it_was_measured_with() -> None:
    under: dict[str, Any] = {
        "pairs": 7,
        "seconds": 2.5,
        "machine": {
            "cpus_allowed": 2,
            "system": "Linux 6.1 x86_64",
            "versions": {"python": "3.11.2", "redis": "8.1.0"},
        },
        "peers": {"sysbench": "sysbench 1.0.20"},
        "servers": {"cache": "Redis 7.0.15", "durable-1": "Redis 7.0.15", "mysql": "MariaDB 10.11"},
    }
    assert sentence(under) == (
        "7 pairs of 2.5 s on 2 processors, Linux 6.1 x86_64; python 3.11.2, redis 8.1.0; sysbench 1.0.20; "
        "MariaDB 10.11, Redis 7.0.15"
    )


def test_the_interval_of_a_median_is_a_pair_of_order_statistics() -> None:
    # Outside of the 4th to 12th of 15 lies the median with 2 * (1 + 15 + 105 + 455) / 2**15 = 3.5 %; outside of the
    # 5th to 11th with 11.8 %, which is more than a tenth.
    assert median_interval([float(number) for number in range(15, 0, -1)]) == (4.0, 12.0)
    # Of five, the extremes leave out 2 / 2**5 = 6.3 %.
    assert median_interval([3.0, 1.0, 2.0, 5.0, 4.0]) == (1.0, 5.0)
    # Two hold it in half of all cases: there is no narrower pair.
    assert median_interval([2.0, 1.0]) == (1.0, 2.0)
