"""What a result says of a race on real servers: whether the servers counted the same, and what is not equal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from engines.backends.redis.client import client, nodes, slot_map
from engines.config import race_config as config
from engines.endpoints.endpoint import RedisEndpoint
from engines.metrics.frame import Frame
from engines.model.controls import Batch, Connections, Rate
from engines.model.lanes import LANES
from engines.race.race import Race
from engines.results.result_json import result_document
from engines.results.summary import Summary
from engines.sandbox.sandbox import Sandbox
from engines.wire.resp import key_slot
from engines.workload.dataset import HOT_KEYS
from engines.workload.redis_keys import redis_key
from tests.support.mysql_accounts import without_commits
from tests.support.race_run import forget, mysql, with_settings
from tui.report.text_table import final_table

WARM = with_settings(warmup_s=0.4, duration_s=1.0)


def raced(
    sandbox: Sandbox,
    settings: config.RaceConfig = WARM,
    on_frame: Callable[[Race, Frame], None] = lambda *_: None,
) -> Summary:
    """A race to its end, as `telemon run` sums it up."""
    forget(sandbox)
    with Race(settings, interval_s=0.25, sandbox=sandbox) as race:
        summary = Summary(settings, race.lane_infos, race.environment)
        for frame in race.frames():
            summary.add(frame)
            on_frame(race, frame)
        summary.reconcile_with_servers(race.closing_counts)
    return summary


def result_of(summary: Summary) -> tuple[dict[str, Any], dict[str, Any]]:
    """The result, and its lanes by id."""
    result: dict[str, Any] = result_document(summary)
    return result, {lane["id"]: lane for lane in result["lanes"]}


@pytest.mark.parametrize("preset", ["fair", "deck"])
def test_the_servers_counted_what_telemon_did_in_every_lane(sandbox: Sandbox, preset: str) -> None:
    asked: list[float] = []

    def change(race: Race, frame: Frame) -> None:
        # Whatever is asked while racing, nothing is counted twice or not at all.
        if frame.elapsed_s >= 0.5 and not asked:
            asked.append(frame.elapsed_s)
            race.send(Batch(7))
            race.send(Connections("read", 3))
            race.send(Rate(500.0))

    settings = replace(WARM, preset=preset, processes=2)
    summary = raced(sandbox, settings, change)
    result, lanes = result_of(summary)
    for lane in LANES:
        found = lanes[lane]["reconciliation"]
        except_for = ", except for commits, which this server does not count"
        commits = except_for if without_commits(sandbox, lane, preset) else ""
        assert found["verdict"] == f"reconciled{commits}", lane
        assert found["reconciled"] is True
        counts = {
            check["what"]: check["telemon"] for check in found["checks"] if check["shard"] is None
        }
        # The warm-up is among them.
        assert counts.get("rows", counts.get("sets")) > lanes[lane]["write"]["rows"] > 0
    assert [change["text"] for change in result["changes"]] == [
        "batch: 7 rows",
        "reader connections: 3 per lane",
        "mode: pace, 500 operations per second and role",
    ]
    assert all(change["elapsed_s"] >= asked[0] for change in result["changes"])
    text = "\n".join(final_table(summary))
    agreed = [lane for lane in LANES if not without_commits(sandbox, lane, preset)]
    assert f"reconciled with the servers' own: {', '.join(agreed)}" in text
    assert ": batch: 7 rows" in text


def test_somebody_else_on_the_servers_is_noticed(sandbox: Sandbox) -> None:
    asked: list[bool] = []

    def intrude(__: Race, frame: Frame) -> None:
        if frame.elapsed_s >= 0.5 and not asked:
            asked.append(True)
            with mysql(sandbox.endpoints["mysql"].mysql) as other, other.cursor() as cursor:
                for number in range(3):
                    cursor.execute("SELECT %s", (number,))

    _, lanes = result_of(raced(sandbox, WARM, intrude))
    assert asked
    found = lanes["mysql"]["reconciliation"]
    assert found["reconciled"] is False
    selects = next(check for check in found["checks"] if check["what"] == "selects")
    assert selects["servers"] - selects["telemon"] == 3
    assert "others may have used the servers too" in found["verdict"]
    assert lanes["cached"]["reconciliation"]["reconciled"]


@pytest.mark.parametrize("preset", ["fair", "deck"])
def test_one_foreign_command_on_one_shard_is_found_there(sandbox: Sandbox, preset: str) -> None:
    """A GET of a key that is there, a GET of one that is not, and a SET: one on each of the three shards."""
    endpoint = sandbox.endpoints["durable"].redis
    assert endpoint is not None
    shards = nodes(endpoint)
    foreign = {address: name_on(endpoint, address) for address in shards}
    asked: list[bool] = []

    def intrude(__: Race, frame: Frame) -> None:
        if frame.elapsed_s >= 0.5 and not asked:
            asked.append(True)
            for address, ask in zip(
                shards,
                (
                    lambda node, _: node.get(redis_key(HOT_KEYS.first + 1)),
                    lambda node, name: node.get(name),
                    lambda node, name: node.set(name, "x"),
                ),
                strict=True,
            ):
                with client(address, endpoint) as node:
                    ask(node, foreign[address])  # type: ignore[no-untyped-call]

    def moved() -> dict[tuple[str, str], int]:
        settings = replace(WARM, lanes=("durable",), preset=preset, processes=2)
        summary = raced(sandbox, settings, intrude)
        _, lanes = result_of(summary)
        found = lanes["durable"]["reconciliation"]
        by_shard = [check for check in found["checks"] if check["shard"]]
        assert {check["shard"] for check in by_shard} == set(shards)
        # Each shard did a part, and the parts are all.
        for what in ("sets", "gets", "hits", "misses"):
            parts = [check["telemon"] for check in by_shard if check["what"] == what]
            (whole,) = [
                check["telemon"]
                for check in found["checks"]
                if check["what"] == what and not check["shard"]
            ]
            assert sum(parts) == whole
            assert what == "misses" or all(parts)
        apart = {
            (check["shard"], check["what"]): check["servers"] - check["telemon"]
            for check in by_shard
            if check["servers"] != check["telemon"]
        }
        assert found["reconciled"] is (not apart)
        for (address, what), _ in apart.items():
            assert f"on shard {address}: {what} " in found["verdict"]
            assert any(f"on shard {address}: {what} " in line for line in final_table(summary))
        return apart

    on = home_of(endpoint, redis_key(HOT_KEYS.first + 1))
    shards.sort(key=lambda address: address != on)
    assert moved() == {
        (shards[0], "gets"): 1,
        (shards[0], "hits"): 1,
        (shards[1], "gets"): 1,
        (shards[1], "misses"): 1,
        (shards[2], "sets"): 1,
    }
    # Nobody interferes with the second.
    assert moved() == {}


def home_of(endpoint: RedisEndpoint, name: bytes) -> str:
    """The address of the node that has the key."""
    slot = key_slot(name)
    return next(part.address for part in slot_map(endpoint) if part.first <= slot <= part.last)


def name_on(endpoint: RedisEndpoint, address: str) -> str:
    """A key of nobody's that belongs on the node."""
    names = (f"foreign:{number}" for number in count())
    return next(name for name in names if home_of(endpoint, name.encode()) == address)


def test_a_race_with_a_killed_server_says_why_it_is_not_reconciled(breakable: Sandbox) -> None:
    done: list[str] = []

    def kill(_: Race, frame: Frame) -> None:
        if frame.elapsed_s >= 0.5 and not done:
            done.append("killed")
            breakable.kill("mysql")
        elif frame.elapsed_s >= 1.25 and len(done) == 1:
            done.append("started")
            breakable.start_server("mysql")

    summary = raced(breakable, replace(WARM, duration_s=2.0), kill)
    _, lanes = result_of(summary)
    found = lanes["mysql"]["reconciliation"]
    assert found["reconciled"] is False
    assert "operations failed, and what a server did of them is not known" in found["verdict"]
    assert any(line.startswith("counts   mysql: not reconciled") for line in final_table(summary))
    assert lanes["cached"]["reconciliation"]["reconciled"]
    assert lanes["durable"]["reconciliation"]["reconciled"]


def test_a_held_pace_says_so_and_one_that_cannot_be_held_is_overloaded(sandbox: Sandbox) -> None:
    settings = replace(
        WARM, writers=4, readers=4, batch=2, mode="pace", rate_per_s=200.0, duration_s=1.5
    )
    summary = raced(sandbox, settings)
    _, lanes = result_of(summary)
    assert any(lanes[lane]["pace"][role]["held"] for lane in LANES for role in ("write", "read"))
    for lane in LANES:
        pace = lanes[lane]["pace"]
        for role in ("write", "read"):
            assert pace[role]["offered_per_s"] == 200.0
            work = lanes[lane][role]
            # Nothing is lost: what was not done was due at the end. Only if a server stalled just then is it more
            # than the one or two of 300 that are always under way, and a hundredth is missing.
            # (A busy machine ends a race some milliseconds late, with an operation more for every five.)
            left = pace[role]["backlog_end"]
            assert abs(work["operations"] + left - 300) <= 8, (lane, pace)
            assert pace[role]["held"] is True or left > 1, (lane, pace)
            assert work["response_us"]["p50"] >= work["service_us"]["p50"]
        assert pace["overloaded"] is False
        assert lanes[lane]["reconciliation"]["reconciled"]
    assert not any("overloaded" in note for note in summary.notes())

    too_much = replace(
        settings,
        lanes=("mysql",),
        writers=1,
        readers=0,
        batch=100,
        rate_per_s=50_000.0,
        duration_s=2.0,
    )
    summary = raced(sandbox, too_much)
    _, lanes = result_of(summary)
    pace = lanes["mysql"]["pace"]
    assert pace["overloaded"] is True
    assert pace["write"]["held"] is False
    assert set(pace) & {"write", "read"} == {"write"}
    # What was due in two seconds was either done, or is what is left at the end.
    due = 50_000 * 2.0
    left = pace["write"]["backlog_end"]
    assert left + lanes["mysql"]["write"]["operations"] == pytest.approx(due, rel=0.02)
    assert left == pace["write"]["backlog_max"]
    assert any(note.startswith("mysql: overloaded") for note in summary.notes())


@pytest.mark.parametrize("lanes", [("mysql", "durable"), ("cached",)], ids=["two", "one"])
def test_every_heat_is_in_the_result_whole(sandbox: Sandbox, lanes: tuple[str, ...]) -> None:
    settings = replace(WARM, lanes=lanes, warmup_s=0.2, duration_s=0.6, heats=True, rounds=2)
    result, by_id = result_of(raced(sandbox, settings))
    # Rotated by one from round to round: the last of the first round may be the first of the second.
    order = [(1, lane) for lane in lanes] + [(2, lane) for lane in (*lanes[1:], lanes[0])]
    assert [(heat["round"], heat["lane"]) for heat in result["heats"]["order"]] == order
    assert 0.6 <= result["duration_s"] < 0.9
    for lane in lanes:
        heats = by_id[lane]["heats"]
        assert [each["round"] for each in heats["rounds"]] == [1, 2]
        for role in ("write", "read"):
            figures = [each[role] for each in heats["rounds"]]
            assert sum(each["rows"] for each in figures) == by_id[lane][role]["rows"]
            assert all(0.55 < each["measured_s"] < 0.9 for each in figures), figures
            rates = heats["spread"][role]["rows_per_s"]
            assert rates["min"] == min(each["rows_per_s"] for each in figures) > 0
            assert rates["max"] == max(each["rows_per_s"] for each in figures)
        assert by_id[lane]["reconciliation"]["reconciled"], by_id[lane]["reconciliation"]


def test_the_fairness_sheet_is_read_from_the_servers(sandbox: Sandbox) -> None:
    settings = replace(WARM, warmup_s=0.0, duration_s=0.3, cache="filled")
    summary = raced(sandbox, settings)
    result, lanes = result_of(summary)
    sheet = result["fairness"]
    (database,) = sheet["lanes"]["mysql"]
    with mysql(sandbox.endpoints["mysql"].mysql) as look, look.cursor() as cursor:
        cursor.execute("SELECT @@innodb_flush_log_at_trx_commit, @@sync_binlog, @@version")
        row = cursor.fetchone()
        assert row is not None
        flush, sync_binlog, version = row
    assert database["durability"]["innodb_flush_log_at_trx_commit"] == flush
    assert database["durability"]["sync_binlog"] == sync_binlog
    assert database["durability"]["replicas"] == 0
    assert version.startswith(database["version"])
    assert (database["tls"], database["nodes"]) == ("off", 1)
    assert [server["role"] for server in sheet["lanes"]["cached"]] == ["database", "cache"]
    (store,) = sheet["lanes"]["durable"]
    assert (store["role"], store["nodes"]) == ("store", 3)
    # What the sandbox promises of its cluster.
    assert store["durability"]["appendonly"] == "yes"
    assert store["durability"]["appendfsync"] == "always"
    every = [server for servers in sheet["lanes"].values() for server in servers]
    assert len({server["identity"] for server in every}) == 4
    assert all(0 < server["round_trip_us"] < 1_000_000 for server in every)
    assert sheet["shared_servers"] == []
    assert sheet["cache_start"] == "filled"
    assert sheet["cpus"] > 0
    assert sheet["pipeline_depth"]["durable"]["write"] == pytest.approx(20 / 3, abs=0.1)
    assert sheet["file_system"] == sandbox.file_system
    for lane in lanes.values():
        assert lane["write"]["floor_us"] > 0
    text = "\n".join(final_table(summary))
    assert "appendfsync always" in text
    assert "us, of which telemon" in text
