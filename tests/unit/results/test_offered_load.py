"""Offered load where there is nothing to divide by."""

from __future__ import annotations

from engines.metrics.stats import RoleStats
from engines.results.offered_load import offered_load


def test_a_race_without_measured_time_achieved_nothing_and_says_not_whether_it_held() -> None:
    offer = offered_load(RoleStats(), 100.0, backlog=0, backlog_max=0)
    assert offer.achieved_per_s == 0.0
    assert offer.off_percent is None
    assert offer.held is None
