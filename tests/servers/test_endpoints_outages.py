"""Idle, hung and lost connections to servers of one's own, over TLS."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from signal import SIGCONT, SIGSTOP

import pytest

from engines.backends.mysql import client as mysql
from engines.metrics.frame import Frame, LaneFrame, LaneState
from engines.model.controls import Release
from engines.provisioning.seed import SEED_VERSION
from engines.race.race import Race
from engines.workload.dataset import HOT_KEYS, TelemetryPool
from engines.workload.namespace import DEFAULT
from tests.support.cluster_race import replica_of, settings
from tests.support.keepalive import idle_timers_s
from tests.support.race_run import SHORT, engine_pids, run_race
from tests.support.tls_cluster import TlsCluster
from tests.support.tls_mysql import tls_mysql

FORGOTTEN_AFTER_S = 350
"""When NAT gateways and load balancers of AWS forget an idle connection."""

IMPATIENT = """
import sys
if "engines.process" in " ".join(sys.orig_argv):
    import engines.backends.dialer as dial
    dial.CONNECT_TIMEOUT_S = dial.IO_TIMEOUT_S = 0.5
    import engines.driver.reactor
    engines.driver.reactor.REPLY_TIMEOUT_NS = 1_000_000_000
"""
"""A sitecustomize.py for engines that wait for a second where they wait for ten."""


def held_timers_s(race: Race, port: int) -> list[float | None]:
    """The timers of all connections of a race to `port`, when nothing goes over them."""
    frames = race.frames()
    pids = [os.getpid(), *engine_pids(race).values()]
    found: list[float | None] = [None]
    for number, _ in enumerate(frames):
        found = idle_timers_s(pids, port)
        # On a busy machine the last operations of the warm-up take their time.
        if number == 40 or (number >= 2 and found.count(None) <= 1):
            break
    race.send(Release(None))
    for _ in frames:
        pass
    return found


def check_timers(timers_s: list[float | None], connections: int) -> None:
    assert len(timers_s) >= connections
    # The counters' connection may be asked this very moment.
    kept = [each for each in timers_s if each is not None]
    assert len(kept) >= len(timers_s) - 1
    assert max(kept) < FORGOTTEN_AFTER_S / 2


def test_idle_connections_to_a_cluster_are_kept_alive(cluster: TlsCluster) -> None:
    asked = replace(settings(cluster), duration_s=0.2)
    with Race(asked, interval_s=0.1, hold=True) as race:
        check_timers(
            held_timers_s(race, cluster.primaries()[0].port), asked.writers + asked.readers
        )


def test_idle_connections_to_mysql_are_kept_alive() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="telemon-", dir="/var/tmp") as directory,
        tls_mysql(Path(directory)) as server,
    ):
        with mysql.cursor(server.backend.endpoint()) as cursor:
            mysql.make_table(cursor, DEFAULT.table)
            mysql.seed(cursor, DEFAULT.table, HOT_KEYS, TelemetryPool(1), SEED_VERSION)
        asked = replace(SHORT, lanes=("mysql",), mysql=server.backend, duration_s=0.2)
        with Race(asked, interval_s=0.1, hold=True) as race:
            check_timers(held_timers_s(race, server.port), asked.writers + asked.readers)


def well(lane: LaneFrame) -> bool:
    return (
        lane.state is LaneState.RACING
        and not lane.read.errors
        and not lane.write.errors
        and lane.read.operations > 0
        and lane.write.operations > 0
    )


def test_a_primary_that_hangs_is_given_up_for_the_replica_that_takes_over(
    cluster: TlsCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its kernel goes on taking connections and bytes: nothing but a timeout tells that nobody answers."""
    (tmp_path / "sitecustomize.py").write_text(IMPATIENT)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    victim = cluster.primaries()[0]
    replica_of(cluster, victim)
    assert victim.process is not None
    hung: list[float] = []

    def hang(_: Race, frame: Frame) -> None:
        if frame.elapsed_s >= 0.5 and not hung:
            assert victim.process is not None
            victim.process.send_signal(SIGSTOP)
            hung.append(frame.elapsed_s)

    try:
        ran = run_race(None, settings(cluster, 7.0), on_frame=hang)
    finally:
        victim.process.send_signal(SIGCONT)
    total = ran.lanes["durable"]
    assert total.read.errors["redis_timeout"] > 0
    assert total.write.errors["redis_timeout"] > 0
    assert well(ran.frames[-2].lanes[0])


def test_reads_from_replicas_go_on_when_a_replica_and_a_primary_are_lost(
    cluster: TlsCluster,
) -> None:
    one, other, _ = cluster.primaries()
    heir, reader = replica_of(cluster, one), replica_of(cluster, other)
    gets = {node.name: cluster.calls(node, "get") for node in (heir, other)}
    lost: list[float] = []

    def lose(_: Race, frame: Frame) -> None:
        if frame.elapsed_s >= 0.5 and not lost:
            cluster.kill(one)
            cluster.kill(reader)
            lost.append(frame.elapsed_s)

    asked = settings(cluster, 6.0)
    asked = replace(asked, durable=replace(asked.durable, read_from="replicas"))
    ran = run_race(None, asked, on_frame=lose)
    assert lost
    assert well(ran.frames[-2].lanes[0])
    assert cluster.role(heir) == "master"
    # Where there is no replica any more, the primary answers. Before the race each car was asked for once.
    for node in (heir, other):
        assert cluster.calls(node, "get") - gets[node.name] > len(HOT_KEYS)


def test_replicas_that_no_tunnel_leads_to_are_not_missed(cluster: TlsCluster) -> None:
    asked = settings(cluster)
    ways = asked.durable.address_map
    assert ways is not None
    primaries = {node.address for node in cluster.primaries()}
    some = tuple((real, here) for real, here in ways if real in primaries)
    assert len(some) < len(ways)
    # The node that is asked first may have become a replica.
    host, _, port = min(primaries).rpartition(":")
    reached = replace(asked.durable, host=host, port=int(port), address_map=some)
    ran = run_race(None, replace(asked, durable=reached))
    total = ran.lanes["durable"]
    assert total.read.errors == total.write.errors == {}
    assert total.server["set_calls"] == total.write.rows > 0
    assert ran.closing.counter_caveats["durable"] == ()
