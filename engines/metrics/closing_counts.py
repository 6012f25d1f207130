"""Counts that a race has only at its end, for the comparison with the servers' counters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engines.metrics.node_counts import NodeComparison
from engines.metrics.stats import IntervalStats
from engines.model.caveats import Caveat
from engines.model.read_back import CacheLifetimes, ReadBack, SettingChange, UnreadSettings
from engines.model.roles import Role


@dataclass(frozen=True, slots=True)
class ClosingCounts:
    """Counts of a whole race by lane, complete after the last frame.

    `warm` holds, by role, the operations that count as warm-up: the servers executed them, but the measured part of
    no frame shows them. `counter_caveats` holds the reasons why the servers' counters may be incomplete.
    `node_comparisons` holds the counts of telemon and of the node itself for each node of the lane's cluster.
    `read_backs` holds what the servers store of a sample of the acknowledged rows; a lane without writers has none.
    `setting_changes` holds the durability settings that changed during the race, `unread_settings` those that may have
    changed, because they could not be read again. `lifetimes` holds the times to live of a cache's keys, `filled` the
    lanes whose race has put keys into the cache.
    `caveats` are those of the race itself that nobody knew before it ended.
    """

    warm: Mapping[str, Mapping[Role, IntervalStats]] = field(default_factory=dict)
    counter_caveats: Mapping[str, Sequence[str]] = field(default_factory=dict)
    node_comparisons: Mapping[str, Sequence[NodeComparison]] = field(default_factory=dict)
    read_backs: Mapping[str, ReadBack] = field(default_factory=dict)
    setting_changes: Mapping[str, Sequence[SettingChange]] = field(default_factory=dict)
    unread_settings: Mapping[str, Sequence[UnreadSettings]] = field(default_factory=dict)
    lifetimes: Mapping[str, CacheLifetimes] = field(default_factory=dict)
    filled: frozenset[str] = frozenset()
    caveats: tuple[Caveat, ...] = ()
