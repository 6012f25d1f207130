"""Compares telemon's operation counts with the servers' own counters. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engines.metrics.node_counts import NodeComparison
from engines.metrics.stats import CacheStats, RoleStats

DIED = "engine_died"
"""The error kind under which a frame counts an engine process that died."""


@dataclass(frozen=True, slots=True)
class CounterCheck:
    """A count of telemon beside the servers' counter for the same thing. `counter` is the servers' name for it."""

    what: str
    counter: str
    ours: int
    theirs: int
    shard: str = ""
    """The address of one node of a cluster; "" for the sum over all servers of the lane."""

    @property
    def difference(self) -> int:
        """Servers minus telemon."""
        return self.theirs - self.ours


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The checks of a lane over the whole race, warm-up included.

    `explanation` names a cause of a difference other than a miscount by telemon; "" if no cause is known.
    """

    lane: str
    checks: tuple[CounterCheck, ...]
    explanation: str = ""

    @property
    def reconciled(self) -> bool:
        """Whether there is at least one check and all checks agree."""
        return bool(self.checks) and not any(check.difference for check in self.checks)

    @property
    def verdict(self) -> str:
        """The outcome in words: "reconciled", or the differences and the explanation."""
        if self.reconciled:
            return "reconciled"
        if not self.checks:
            return "not reconciled: the servers' counters could not be read"
        apart = ", ".join(
            f"{f'on shard {check.shard}: ' if check.shard else ''}{check.what} {check.ours:,} here and "
            f"{check.theirs:,} there"
            for check in self.checks
            if check.difference
        )
        return f"not reconciled: {apart}" + (f" ({self.explanation})" if self.explanation else "")


def reconcile(
    lane: str,
    preset: str,
    write: RoleStats,
    read: RoleStats,
    cache: CacheStats,
    server: Mapping[str, int],
    sharing: Sequence[str] = (),
    counter_caveats: Sequence[str] = (),
    shards: Sequence[NodeComparison] = (),
) -> Reconciliation:
    """Compare the operations of a lane, warm-up included, with the changes of its servers' counters.

    `sharing` names the lanes that share a server with it, itself included. `counter_caveats` say why the servers'
    counts may be incomplete. `shards` holds the counts of and by each node of a cluster, beside their sums.

    The names of the counters are those of `SHOW GLOBAL STATUS` and, for Redis, of `INFO stats` and the calls in
    `INFO commandstats`. `Handler_write` counts the rows that a statement tries to insert.
    """
    if not server:
        return Reconciliation(lane, ())
    checks: list[CounterCheck] = []

    def check(what: str, counter: str, ours: int, of: NodeComparison | None = None) -> None:
        theirs = server if of is None else of.server
        if counter in theirs:
            shard = "" if of is None else of.address
            checks.append(CounterCheck(what, counter, ours, theirs[counter], shard))

    selects = read.operations if lane == "mysql" else cache.misses
    # In preset deck a reader tries cars until it finds one or is stopped. Each try is a request to the servers: one
    # per row and one per missing key. `tries` counts the requests beyond one per operation.
    tries = read.rows + cache.skipped - read.operations if preset == "deck" else 0
    if lane in ("mysql", "cached"):
        check("upserts", "Com_insert", write.rows if preset == "deck" else write.operations)
        check("rows", "Handler_write", write.rows)
        check("commits", "Com_commit", write.operations if preset == "deck" else 0)
        check("selects", "Com_select", selects + tries)
    if lane == "cached":
        check("sets", "set_calls", cache.fills)
    if lane == "durable":
        check("sets", "set_calls", write.rows)
    if lane in ("cached", "durable"):
        asked_again = tries if lane == "cached" else 0
        check("gets", "get_calls", read.operations + asked_again)
        check("hits", "keyspace_hits", cache.hits)
        check("misses", "keyspace_misses", cache.misses + asked_again)
    for node in shards:
        check("sets", "set_calls", node.telemon.sets, node)
        check("gets", "get_calls", node.telemon.gets, node)
        check("hits", "keyspace_hits", node.telemon.hits, node)
        check("misses", "keyspace_misses", node.telemon.misses, node)
    return Reconciliation(
        lane, tuple(checks), _explanation(write, read, checks, sharing, counter_caveats)
    )


def _explanation(
    write: RoleStats,
    read: RoleStats,
    checks: list[CounterCheck],
    sharing: Sequence[str],
    counter_caveats: Sequence[str],
) -> str:
    if sharing:
        return f"lanes {' and '.join(sharing)} share one server, which counts for both"
    if DIED in write.errors or DIED in read.errors:
        return "an engine process died, and what it did last is not known"
    failed = write.failed + read.failed
    reasons = [f"{failed:,} operations failed, and what a server did of them is not known"]
    reasons = [*(reasons if failed else ()), *counter_caveats]
    if failed and not counter_caveats:
        reasons.append("a server that restarts forgets what it counted last")
    if reasons:
        return "; ".join(reasons)
    if any(check.difference > 0 for check in checks):
        return "others may have used the servers too"
    return ""
