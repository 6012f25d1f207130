"""telemon's counts beside the servers'."""

from __future__ import annotations

from engines.metrics.node_counts import NodeComparison, NodeCounts, merged
from engines.metrics.stats import CacheStats, RoleStats
from engines.model.server_facts import BINLOG_TRANSACTIONS, TRANSACTION_IDS
from engines.results.reconciliation import reconcile

WRITE = RoleStats(operations=10, rows=1_000)
READ = RoleStats(operations=50, rows=50)
CACHE = CacheStats(hits=45, misses=5, fills=5)


def test_equal_counts_are_reconciled() -> None:
    server = {
        "Com_insert": 10,
        "Handler_write": 1_000,
        "Com_commit": 0,
        "Com_select": 5,
        "set_calls": 5,
        "get_calls": 50,
        "keyspace_hits": 45,
        "keyspace_misses": 5,
        "expired_keys": 3,
        TRANSACTION_IDS: 20,
    }
    result = reconcile("cached", "fair", WRITE, READ, CACHE, server)
    assert result.reconciled
    assert result.verdict == "reconciled"
    assert len(result.checks) == 9


def test_in_deck_a_row_is_a_statement_and_a_batch_a_commit() -> None:
    server = {"Com_insert": 1_000, "Handler_write": 1_000, "Com_commit": 10, "Com_select": 53}
    read = CacheStats(skipped=3)
    assert reconcile("mysql", "deck", WRITE, READ, read, server).reconciled
    assert not reconcile("mysql", "fair", WRITE, READ, read, server).reconciled


def test_a_difference_is_named_with_both_counts() -> None:
    server = {"set_calls": 1_002, "get_calls": 50, "keyspace_hits": 45, "keyspace_misses": 5}
    result = reconcile("durable", "fair", WRITE, READ, CACHE, server)
    assert not result.reconciled
    assert [check.difference for check in result.checks if check.difference] == [2]
    assert "sets 1,000 here and 1,002 there" in result.verdict
    assert "others may have used the servers too" in result.verdict


def test_a_key_with_wrong_content_is_found_all_the_same() -> None:
    """The server counts a hit for it and telemon none. Two of the seven came from MySQL, after a miss."""
    read = RoleStats(operations=57, rows=50, wrong_content=7)
    cache = CacheStats(hits=43, misses=9, fills=7)
    server = {"Com_select": 9, "set_calls": 7, "get_calls": 57}
    server |= {"keyspace_hits": 48, "keyspace_misses": 9}
    assert reconcile("cached", "fair", RoleStats(), read, cache, server).reconciled
    assert reconcile("mysql", "fair", WRITE, read, cache, {"Com_select": 57}).reconciled
    durable = {"set_calls": 1_000, "get_calls": 57, "keyspace_hits": 48, "keyspace_misses": 9}
    assert reconcile("durable", "fair", WRITE, read, cache, durable).reconciled
    deck = CacheStats(skipped=3)
    assert reconcile("mysql", "deck", WRITE, read, deck, {"Com_select": 60}).reconciled


def test_failed_operations_are_named_as_a_reason() -> None:
    write = RoleStats(operations=10, rows=1_000, errors={"redis_lost_connection": 2})
    server = {"set_calls": 1_100, "get_calls": 50, "keyspace_hits": 45, "keyspace_misses": 5}
    result = reconcile("durable", "fair", write, READ, CACHE, server)
    assert "2 operations failed" in result.verdict


def test_fewer_on_the_servers_has_no_excuse() -> None:
    server = {"set_calls": 999, "get_calls": 50, "keyspace_hits": 45, "keyspace_misses": 5}
    result = reconcile("durable", "fair", WRITE, READ, CACHE, server)
    assert result.explanation == ""
    assert not result.reconciled


def test_without_counters_nothing_is_claimed() -> None:
    result = reconcile("mysql", "fair", WRITE, READ, CACHE, {})
    assert not result.reconciled
    assert "could not be read" in result.verdict


def test_lanes_that_share_a_server_cannot_tell_whose_counts_are_whose() -> None:
    server = {"Com_insert": 20, "Handler_write": 2_000, "Com_commit": 0, "Com_select": 50}
    result = reconcile("mysql", "fair", WRITE, READ, CacheStats(), server, ("mysql", "cached"))
    assert not result.reconciled
    assert "lanes mysql and cached share one server" in result.verdict


def test_what_a_dead_engine_did_last_is_not_known() -> None:
    write = RoleStats(operations=10, rows=1_000, errors={"engine_died": 1})
    server = {"Com_insert": 12, "Handler_write": 1_200, "Com_commit": 0, "Com_select": 50}
    result = reconcile("mysql", "fair", write, READ, CacheStats(), server)
    assert "an engine process died" in result.verdict


def test_what_the_counters_may_lack_is_the_reason_and_no_restart_is_guessed() -> None:
    write = RoleStats(operations=10, rows=1_000, errors={"redis_lost_connection": 2})
    server = {"set_calls": 900, "get_calls": 50, "keyspace_hits": 45, "keyspace_misses": 5}
    counter_caveats = ("node-1:7001 went down, and what it counted last with it",)
    result = reconcile(
        "durable", "fair", write, READ, CACHE, server, counter_caveats=counter_caveats
    )
    assert "2 operations failed" in result.explanation
    assert counter_caveats[0] in result.explanation
    assert "restarts" not in result.explanation
    # Without a difference there is nothing to excuse.
    server["set_calls"] = 1_000
    assert reconcile(
        "durable", "fair", WRITE, READ, CACHE, server, counter_caveats=counter_caveats
    ).reconciled


def test_each_shard_is_compared_even_where_the_sums_agree() -> None:
    server = {"set_calls": 1_000, "get_calls": 50, "keyspace_hits": 45, "keyspace_misses": 5}
    one = {"set_calls": 600, "get_calls": 30, "keyspace_hits": 27, "keyspace_misses": 3}
    two = {"set_calls": 400, "get_calls": 20, "keyspace_hits": 18, "keyspace_misses": 2}
    equal = [
        NodeComparison("a:1", NodeCounts(600, 30, 3), one),
        NodeComparison("b:1", NodeCounts(400, 20, 2), two),
    ]
    result = reconcile("durable", "fair", WRITE, READ, CACHE, server, node_comparisons=equal)
    assert result.reconciled
    assert len(result.checks) == 4 + 2 * 4
    apart = [
        NodeComparison("a:1", NodeCounts(601, 30, 3), one),
        NodeComparison("b:1", NodeCounts(399, 20, 2), two),
    ]
    result = reconcile("durable", "fair", WRITE, READ, CACHE, server, node_comparisons=apart)
    assert [(check.shard, check.difference) for check in result.checks if check.difference] == [
        ("a:1", -1),
        ("b:1", 1),
    ]
    assert "on shard a:1: sets 601 here and 600 there" in result.verdict
    assert "on shard b:1: sets 399 here and 400 there" in result.verdict


def test_what_engines_had_of_a_node_adds_up() -> None:
    first = {"a:1": NodeCounts(5, 10, 2), "b:1": NodeCounts(1, 0, 0)}
    both = merged([first, {"a:1": NodeCounts(0, 4, 1)}, {}])
    assert both == {"a:1": NodeCounts(5, 14, 3), "b:1": NodeCounts(1, 0, 0)}
    assert both["a:1"].hits == 11


def test_a_car_that_nobody_knows_is_asked_of_the_cache_too() -> None:
    cache = CacheStats(hits=45, misses=5, fills=5, skipped=3)
    server = {
        "Com_insert": 1_000,
        "Handler_write": 1_000,
        "Com_commit": 10,
        "Com_select": 8,
        "set_calls": 5,
        "get_calls": 53,
        "keyspace_hits": 45,
        "keyspace_misses": 8,
    }
    assert reconcile("cached", "deck", WRITE, READ, cache, server).reconciled


def test_a_server_that_commits_less_than_it_acknowledges_is_noticed() -> None:
    server = {"Com_insert": 10, "Handler_write": 1_000, "Com_commit": 0, "Com_select": 50}
    enough = {**server, TRANSACTION_IDS: 20}
    assert reconcile("mysql", "fair", WRITE, READ, CacheStats(), enough).reconciled
    # A server keeps house too.
    more = {**server, TRANSACTION_IDS: 27}
    assert reconcile("mysql", "fair", WRITE, READ, CacheStats(), more).verdict == "reconciled"
    for ids, committed in ((19, 9), (1, 0), (0, 0)):
        short = reconcile(
            "mysql", "fair", WRITE, READ, CacheStats(), {**server, TRANSACTION_IDS: ids}
        )
        assert not short.reconciled
        assert f"committed writes 10 here and {committed} there" in short.verdict
        assert short.uncommitted is not None
        assert (short.uncommitted.ours, short.uncommitted.theirs) == (10, committed)


def test_nothing_but_counts_that_are_lost_excuses_missing_commits() -> None:
    server = {"Com_insert": 12, "Handler_write": 1_200, "Com_commit": 0, TRANSACTION_IDS: 2}
    failed = RoleStats(operations=10, rows=1_000, errors={"mysql_timeout": 2})
    assert reconcile("mysql", "fair", failed, READ, CacheStats(), server).uncommitted
    sharing = ("mysql", "cached")
    assert reconcile("mysql", "fair", failed, READ, CacheStats(), server, sharing).uncommitted
    restarted = reconcile(
        "mysql", "fair", failed, READ, CacheStats(), server, counter_caveats=("a:1 went down",)
    )
    assert restarted.uncommitted is None
    assert not restarted.reconciled


def test_in_deck_a_missing_commit_statement_is_one_too() -> None:
    server = {"Com_insert": 1_000, "Handler_write": 1_000, "Com_commit": 9, "Com_select": 50}
    assert reconcile("mysql", "deck", WRITE, READ, CacheStats(), server).uncommitted
    server["Com_commit"] = 11
    assert reconcile("mysql", "deck", WRITE, READ, CacheStats(), server).uncommitted is None


def test_a_binary_log_counts_commits_and_proves_no_loss() -> None:
    server = {"Com_insert": 10, "Handler_write": 1_000, "Com_commit": 0, "Com_select": 50}
    enough = {**server, BINLOG_TRANSACTIONS: 10}
    assert reconcile("mysql", "fair", WRITE, READ, CacheStats(), enough).verdict == "reconciled"
    found = reconcile(
        "mysql", "fair", WRITE, READ, CacheStats(), {**server, BINLOG_TRANSACTIONS: 0}
    )
    assert not found.reconciled
    assert "committed writes 10 here and 0 there" in found.verdict
    assert found.uncommitted is None


def test_a_server_that_does_not_count_commits_is_said_to() -> None:
    """Oracle's MySQL without a binary log: its Handler_commit counts the end of a statement, committed or not."""
    server = {"Com_insert": 10, "Handler_write": 1_000, "Com_commit": 0, "Com_select": 50}
    found = reconcile("mysql", "fair", WRITE, READ, CacheStats(), server)
    assert found.reconciled
    assert found.verdict == "reconciled, except for commits, which this server does not count"
    sets = {"set_calls": 1_000, "get_calls": 50, "keyspace_hits": 45, "keyspace_misses": 5}
    assert reconcile("durable", "fair", WRITE, READ, CACHE, sets).verdict == "reconciled"


def test_each_check_has_its_name_and_the_counter_that_it_is_compared_with() -> None:
    counters = {
        "Com_insert": 10,
        "Handler_write": 1_000,
        "Com_commit": 0,
        "Com_select": 5,
        "set_calls": 5,
    }
    counters |= {"get_calls": 50, "keyspace_hits": 45, "keyspace_misses": 5, TRANSACTION_IDS: 20}
    result = reconcile("cached", "fair", WRITE, READ, CACHE, counters)
    assert result.lane == "cached"
    assert {(check.what, check.counter) for check in result.checks} == {
        ("upserts", "Com_insert"),
        ("rows", "Handler_write"),
        ("commits", "Com_commit"),
        ("selects", "Com_select"),
        ("sets", "set_calls"),
        ("gets", "get_calls"),
        ("hits", "keyspace_hits"),
        ("misses", "keyspace_misses"),
        ("committed writes", TRANSACTION_IDS),
    }
    durable = reconcile("durable", "fair", WRITE, READ, CACHE, counters)
    assert [(check.what, check.counter) for check in durable.checks] == [
        ("sets", "set_calls"),
        ("gets", "get_calls"),
        ("hits", "keyspace_hits"),
        ("misses", "keyspace_misses"),
    ]
    selects = reconcile("mysql", "fair", WRITE, READ, CACHE, {"Com_select": 50})
    assert [(check.what, check.ours) for check in selects.checks] == [("selects", 50)]


def test_what_a_shard_counted_otherwise_is_named() -> None:
    theirs = {"set_calls": 1, "get_calls": 3, "keyspace_hits": 2, "keyspace_misses": 1}
    node = NodeComparison("a:1", NodeCounts(sets=9, gets=9, misses=9), theirs)
    result = reconcile("durable", "fair", WRITE, READ, CACHE, theirs, node_comparisons=[node])
    on_shard = [check for check in result.checks if check.shard == "a:1"]
    assert [check.what for check in on_shard] == ["sets", "gets", "hits", "misses"]
    assert "on shard a:1: sets 9 here and 1 there" in result.verdict


def test_failed_reads_are_counted_beside_failed_writes() -> None:
    write = RoleStats(operations=10, rows=1_000, errors={"redis_lost_connection": 2})
    read = RoleStats(operations=50, rows=50, errors={"redis_timed_out": 3})
    server = {"set_calls": 1_100, "get_calls": 50, "keyspace_hits": 45, "keyspace_misses": 5}
    explanation = reconcile("durable", "fair", write, read, CACHE, server).explanation
    assert explanation == (
        "5 operations failed, and what a server did of them is not known; a server that restarts forgets what it "
        "counted last"
    )


def test_one_command_too_many_was_somebody_elses() -> None:
    server = {"set_calls": 1_001, "get_calls": 50, "keyspace_hits": 45, "keyspace_misses": 5}
    result = reconcile("durable", "fair", WRITE, READ, CACHE, server)
    assert result.explanation == "others may have used the servers too"


def test_in_deck_commits_are_statements_and_so_are_known() -> None:
    server = {"Com_insert": 1_000, "Handler_write": 1_000, "Com_commit": 10, "Com_select": 50}
    assert reconcile("mysql", "deck", WRITE, READ, CacheStats(), server).complete
    fair = {"Com_insert": 10, "Handler_write": 1_000, "Com_commit": 0, "Com_select": 50}
    assert not reconcile("mysql", "fair", WRITE, READ, CacheStats(), fair).complete
    # A lane that writes no SQL commits nothing.
    durable = {"set_calls": 1_000, "get_calls": 50, "keyspace_hits": 45, "keyspace_misses": 5}
    assert reconcile("durable", "fair", WRITE, READ, CACHE, durable).complete
