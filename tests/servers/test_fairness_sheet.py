"""What a result says of its servers is what they are: other settings, another way, another disk are said."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engines.backends.redis.client import client, nodes
from engines.backends.server_facts import read_server_facts
from engines.endpoints.endpoint import LaneEndpoints
from engines.race.race import Race
from engines.results.result_json import result_document
from engines.results.summary import Summary
from engines.sandbox import directory as directories
from engines.sandbox.sandbox import Sandbox
from tests.support.race_run import with_settings
from tests.support.tunnel import tunnel
from tests.support.user_servers import as_root
from tui.report.text_table import final_table

FLUSH = "innodb_flush_log_at_trx_commit"


@contextmanager
def careless(sandbox: Sandbox) -> Iterator[None]:
    """Servers that acknowledge what is not on disk: MySQL, and the cluster."""
    at = sandbox.endpoints["durable"].redis
    assert at is not None

    def policy(value: str) -> None:
        for address in nodes(at):
            with client(address, at) as node:
                node.config_set("appendfsync", value)

    as_root(sandbox, "mysql", f"SET GLOBAL {FLUSH} = 2", "SET GLOBAL sync_binlog = 7")
    policy("everysec")
    try:
        yield
    finally:
        policy("always")
        as_root(sandbox, "mysql", f"SET GLOBAL {FLUSH} = 1", "SET GLOBAL sync_binlog = 0")


def summary_of(lanes: tuple[str, ...], sandbox: Sandbox) -> Summary:
    """A short race."""
    settings = with_settings(lanes=lanes, duration_s=0.3)
    with Race(settings, sandbox=sandbox) as race:
        summary = Summary(settings, race.lane_infos, race.environment)
        for frame in race.frames():
            summary.add(frame)
    return summary


def test_servers_that_do_not_wait_for_the_disk_are_found_out(sandbox: Sandbox) -> None:
    with careless(sandbox):
        summary = summary_of(("mysql", "durable"), sandbox)
    result: Any = result_document(summary)
    found = result["fairness"]["lanes"]
    (database,), (store,) = found["mysql"], found["durable"]
    assert (database["durability"][FLUSH], database["durability"]["sync_binlog"]) == (2, 7)
    assert store["durability"]["appendfsync"] == "everysec"
    sentences = (
        f"mysql: a commit does not wait for the disk ({FLUSH} = 2)",
        "durable: a SET does not wait for the disk (appendfsync = everysec)",
    )
    for sentence in sentences:
        assert sentence in result["fairness"]["notes"]
        assert f"note: {sentence}" in list(final_table(summary))


def test_a_long_way_to_a_server_is_measured(sandbox: Sandbox) -> None:
    at = sandbox.endpoints["cached"].redis
    assert at is not None
    with tunnel(at.port, 0.003) as port:
        (far,) = read_server_facts(
            LaneEndpoints("durable", redis=replace(at, port=port, cluster=False))
        )
    (near,) = read_server_facts(LaneEndpoints("durable", redis=replace(at, cluster=False)))
    assert far.round_trip_us is not None
    assert near.round_trip_us is not None
    assert 3_000 < far.round_trip_us < 30_000
    assert 5 < near.round_trip_us < far.round_trip_us - 1_000
    # Another way to it makes no other server of it.
    assert far.role == near.role == "store"


def test_a_race_in_memory_says_that_a_commit_costs_nothing() -> None:
    if not Path("/dev/shm").is_dir() or directories.file_system(Path("/dev/shm")) != "tmpfs":
        pytest.skip("no tmpfs at /dev/shm here")
    directory = Path(tempfile.mkdtemp(dir="/dev/shm"))
    try:
        with Sandbox(["mysql"], directory=directory) as servers:
            summary = summary_of(("mysql",), servers)
    finally:
        shutil.rmtree(directory)
    result: Any = result_document(summary)
    assert result["fairness"]["file_system"] == "tmpfs"
    sentence = "data on tmpfs: memory, not a disk, so a commit costs nothing here"
    assert result["fairness"]["notes"].count(sentence) == 1
    assert f"note: {sentence}" in list(final_table(summary))
