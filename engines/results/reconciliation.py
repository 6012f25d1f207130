"""Comparison of telemon's operation counts with the servers' own counters. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from engines.metrics.node_counts import NodeComparison
from engines.metrics.stats import CacheStats, RoleStats
from engines.model.lanes import LANES, Lane, ReadPath, WritePath
from engines.model.roles import ROLES
from engines.model.server_facts import BINLOG_TRANSACTIONS, IDS_PER_COMMIT, TRANSACTION_IDS
from engines.wire.error_kinds import ENGINE_DIED

COMMITS, COMMITTED = "commits", "committed writes"
"""What is counted of transactions: COMMIT statements, and transactions that the storage engine has committed."""


@dataclass(frozen=True, slots=True)
class CounterCheck:
    """A count of telemon beside the servers' counter for the same thing. `counter` is the servers' name for it."""

    what: str
    counter: str
    ours: int
    theirs: int
    shard: str = ""
    """The address of one node of a cluster; "" for the sum over all servers of the lane."""
    at_least: bool = False
    """Whether the servers may count more: their own housekeeping, and what failed."""

    @property
    def difference(self) -> int:
        """Return the servers' count minus telemon's; 0 for a surplus of a counter that may count more."""
        difference = self.theirs - self.ours
        return min(0, difference) if self.at_least else difference


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The checks of a lane over the whole race, warm-up included.

    `explanation` names a cause of a difference other than a miscount by telemon; "" if no cause is known.
    `incomplete` says that the servers may have counted more than could be read. `commits_unknown` says that the servers
    do not count what they commit.
    """

    lane: str
    checks: tuple[CounterCheck, ...]
    explanation: str = ""
    incomplete: bool = False
    commits_unknown: bool = False

    @property
    def reconciled(self) -> bool:
        """Return whether there is at least one check and all checks agree."""
        return bool(self.checks) and not any(check.difference for check in self.checks)

    @property
    def complete(self) -> bool:
        """Return whether all counts agree, and commits are among them where the lane has any."""
        return self.reconciled and not self.commits_unknown

    @property
    def uncommitted(self) -> CounterCheck | None:
        """Return the check by which the servers committed less than they acknowledged; None if there is none.

        Whatever failed, and whoever else uses the servers, could only make them commit more. A binary log is no proof:
        it may leave this database out.
        """
        if self.incomplete:
            return None
        return next(
            (
                each
                for each in self.checks
                if each.difference < 0 and (each.what == COMMITS or each.counter == TRANSACTION_IDS)
            ),
            None,
        )

    @property
    def verdict(self) -> str:
        """Return the outcome in words: "reconciled", or the differences and the explanation."""
        if self.complete:
            return "reconciled"
        if self.reconciled:
            return "reconciled, except for commits, which this server does not count"
        if not self.checks:
            return "not reconciled: the servers' counters could not be read"
        apart = ", ".join(
            f"{f'on shard {check.shard}: ' if check.shard else ''}{check.what} {check.ours:,} here and "
            f"{check.theirs:,} there"
            for check in self.checks
            if check.difference
        )
        return f"not reconciled: {apart}" + (f" ({self.explanation})" if self.explanation else "")


@dataclass(frozen=True, slots=True)
class LaneCounts:
    """What telemon counted for a lane over the whole race, warm-up included."""

    preset: str
    write: RoleStats
    read: RoleStats
    cache: CacheStats

    @property
    def retries(self) -> int:
        """Return the number of further keys that readers tried within one operation.

        In preset deck a reader skips keys that nobody knows, until it finds a row or is stopped. Every row, every reply
        with wrong content and every skipped key is one try, and the servers count each.
        """
        if self.preset != "deck":
            return 0
        tries = self.read.rows + self.cache.skipped + self.read.wrong_content
        return tries - self.read.operations

    @property
    def found(self) -> int:
        """Return how many GETs found their key: hits, and values that were no row of their car."""
        if not self.read.wrong_content:
            return self.cache.hits
        return self.read.operations - self.cache.misses


Expected = tuple[str, str, int]
"""What was counted, the servers' counter for it, and telemon's count."""


def _written_to_mysql(counts: LaneCounts) -> Iterator[Expected]:
    write, deck = counts.write, counts.preset == "deck"
    yield "upserts", "Com_insert", write.rows if deck else write.operations
    yield "rows", "Handler_write", write.rows
    yield COMMITS, "Com_commit", write.operations if deck else 0


def _written_to_redis(counts: LaneCounts) -> Iterator[Expected]:
    yield "sets", "set_calls", counts.write.rows


def _selected(counts: LaneCounts) -> Iterator[Expected]:
    yield "selects", "Com_select", counts.read.operations + counts.retries


def _read_through_cache(counts: LaneCounts) -> Iterator[Expected]:
    cache, retries = counts.cache, counts.retries
    yield "selects", "Com_select", cache.misses + retries
    yield "sets", "set_calls", cache.fills
    yield "gets", "get_calls", counts.read.operations + retries
    yield "hits", "keyspace_hits", counts.found
    yield "misses", "keyspace_misses", cache.misses + retries


def _got(counts: LaneCounts) -> Iterator[Expected]:
    yield "gets", "get_calls", counts.read.operations
    yield "hits", "keyspace_hits", counts.found
    yield "misses", "keyspace_misses", counts.cache.misses


EXPECTED: Mapping[WritePath | ReadPath, Callable[[LaneCounts], Iterator[Expected]]] = {
    WritePath.MYSQL: _written_to_mysql,
    WritePath.REDIS: _written_to_redis,
    ReadPath.SELECT: _selected,
    ReadPath.CACHE_ASIDE: _read_through_cache,
    ReadPath.GET: _got,
}
"""By how much each path moves the counters of its lane's servers."""


def _expected(lane: Lane, counts: LaneCounts) -> Iterator[Expected]:
    """Return what both paths of a lane add up to. A counter that both of them move is one check."""
    found: dict[tuple[str, str], int] = {}
    for role in ROLES:
        for what, counter, ours in EXPECTED[lane.path(role)](counts):
            found[what, counter] = found.get((what, counter), 0) + ours
    for (what, counter), ours in found.items():
        yield what, counter, ours


def reconcile(
    lane: str,
    preset: str,
    write: RoleStats,
    read: RoleStats,
    cache: CacheStats,
    server: Mapping[str, int],
    sharing: Sequence[str] = (),
    counter_caveats: Sequence[str] = (),
    node_comparisons: Sequence[NodeComparison] = (),
) -> Reconciliation:
    """Compare the operations of a lane, warm-up included, with the changes of its servers' counters.

    `server` holds the changes of the counters by name: a counter that is missing is not checked, and without any there
    are no checks, which is not reconciled. `sharing` names the lanes that share a server with it, itself included, and
    is empty if it shares none. Raises KeyError for an unknown lane. `counter_caveats` say why the servers'
    counts may be incomplete. `node_comparisons` holds the counts of and by each node of a cluster, beside their sums.

    The names of the counters are those of `SHOW GLOBAL STATUS` and, for Redis, of `INFO stats` and the calls in
    `INFO commandstats`. `Handler_write` counts the rows that a statement tries to insert. A server's count of
    committed writes is its number of new transaction ids by `IDS_PER_COMMIT`, or its number of transactions in the
    binary log.
    """
    if not server:
        return Reconciliation(lane, ())
    checks: list[CounterCheck] = []

    def check(what: str, counter: str, ours: int, of: NodeComparison | None = None) -> None:
        theirs = server if of is None else of.server
        if counter in theirs:
            shard = "" if of is None else of.address
            checks.append(CounterCheck(what, counter, ours, theirs[counter], shard))

    counts = LaneCounts(preset, write, read, cache)
    for what, counter, ours in _expected(LANES[lane], counts):
        check(what, counter, ours)
    writes_sql = LANES[lane].writes_sql
    per_commit = {TRANSACTION_IDS: IDS_PER_COMMIT, BINLOG_TRANSACTIONS: 1} if writes_sql else {}
    commit_counter = next((name for name in per_commit if name in server), None)
    if commit_counter is not None:
        committed = server[commit_counter] // per_commit[commit_counter]
        checks.append(
            CounterCheck(COMMITTED, commit_counter, write.operations, committed, at_least=True)
        )
    for node in node_comparisons:
        check("sets", "set_calls", node.telemon.sets, node)
        check("gets", "get_calls", node.telemon.gets, node)
        check("hits", "keyspace_hits", node.telemon.hits, node)
        check("misses", "keyspace_misses", node.telemon.misses, node)
    return Reconciliation(
        lane,
        tuple(checks),
        _explanation(write, read, checks, sharing, counter_caveats),
        incomplete=bool(counter_caveats),
        commits_unknown=writes_sql and preset != "deck" and commit_counter is None,
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
    if ENGINE_DIED in write.errors or ENGINE_DIED in read.errors:
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
