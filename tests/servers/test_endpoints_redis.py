"""Races on a Redis of one's own that is no cluster, as a user with as few rights as can be, and on servers that change
their role."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pymysql
import pytest

from engines.backends.redis import client as redis
from engines.backends.redis import own_keys
from engines.config.server_config import MySQLConfig, RedisConfig
from engines.endpoints.endpoint import LaneEndpoints
from engines.errors import PreparationError
from engines.metrics.frame import Frame
from engines.provisioning.conflicts import resolve_cluster_modes
from engines.provisioning.seed import SEED_VERSION, seed_lanes
from engines.race.race import Race
from engines.results.caveat_text import caveat_sentences
from engines.sandbox.sandbox import Sandbox
from engines.workload.dataset import HOT_KEYS, TelemetryPool
from tests.support.race_run import SHORT, run_race
from tests.support.tls_servers import Certificates, SealedRedis, sealed_redis

USER, PASSWORD = "racer", "s3cret-of-the-racer"

RIGHTS = ("+get", "+set", "+cluster|slots")
"""Enough to race, and to look whether the cars are there; not enough to ask the server what it is."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SealedRedis]:
    certificates = Certificates(tmp_path_factory.mktemp("certificates"))
    with sealed_redis(certificates, tmp_path_factory.mktemp("redis")) as running:
        running.admin.acl_setuser(
            USER, enabled=True, passwords=[f"+{PASSWORD}"], keys=["telemon:*"], commands=RIGHTS
        )
        yield running


def backend(server: SealedRedis) -> RedisConfig:
    at = server.endpoint
    assert at.tls is not None
    return RedisConfig(
        host=at.host, port=at.port, user=USER, password=PASSWORD, tls_ca=at.tls.ca_file
    )


def test_a_user_with_few_rights_races_and_what_the_server_hides_is_said_to_be_hidden(
    server: SealedRedis,
) -> None:
    redis.seed(server.endpoint, HOT_KEYS, TelemetryPool(1), SEED_VERSION)
    settings = replace(SHORT, lanes=("durable",), durable=backend(server))
    with Race(settings) as race:
        (lane_info,) = race.lane_infos
        notes = caveat_sentences(race.environment.caveats)
        frames = list(race.frames())
    assert lane_info.product == "Redis"
    assert (lane_info.version, lane_info.durability) == ("not readable", "not readable")
    hidden = next(note for note in notes if "own counters cannot be read" in note)
    assert "`telemon doctor`" in hidden
    lanes = [frame.lanes[0] for frame in frames]
    assert all(lane.write.errors == lane.read.errors == {} for lane in lanes)
    assert sum(lane.write.rows for lane in lanes) > 0
    assert sum(lane.cache.hits for lane in lanes) > 0


def test_the_server_is_asked_whether_it_is_a_cluster(server: SealedRedis) -> None:
    at = backend(server).endpoint()
    assert at.cluster is None
    lane = {"durable": LaneEndpoints("durable", redis=at)}
    assert resolve_cluster_modes(lane)["durable"].redis == replace(at, cluster=False)
    told = {"durable": LaneEndpoints("durable", redis=replace(at, cluster=True))}
    with pytest.raises(PreparationError, match="it is no part of a cluster: set cluster to"):
        resolve_cluster_modes(told)


def test_a_user_who_may_not_ask_is_believed_what_the_configuration_says(
    server: SealedRedis,
) -> None:
    server.admin.acl_setuser(
        "mute", enabled=True, passwords=["+mute"], keys=["*"], commands=["+get", "+set"]
    )
    at = replace(backend(server).endpoint(), user="mute", password="mute")
    # With "auto" a server that does not tell is taken for one in no cluster.
    lane = {"durable": LaneEndpoints("durable", redis=at)}
    assert resolve_cluster_modes(lane)["durable"].redis == replace(at, cluster=False)
    for said in (replace(at, cluster=False), replace(at, cluster=True)):
        lane = {"durable": LaneEndpoints("durable", redis=said)}
        assert resolve_cluster_modes(lane)["durable"].redis == said


def on_sandbox_mysql(sandbox: Sandbox) -> MySQLConfig:
    """The MySQL of lane cached, named as one's own."""
    at = sandbox.endpoints["cached"].mysql
    assert at is not None
    return MySQLConfig(
        host=at.host,
        port=at.port,
        user=at.user,
        password=at.password,
        database=at.database,
        tls=False,
    )


class Demoted:
    """Takes a server's right to write from it for a while."""

    def __init__(self, demote: object, restore: object) -> None:
        self._steps = [(0.4, demote), (0.9, restore)]

    def __call__(self, _: Race, frame: Frame) -> None:
        while self._steps and frame.elapsed_s >= self._steps[0][0]:
            step = self._steps.pop(0)[1]
            assert callable(step)
            step()


def test_a_mysql_that_takes_no_writes_any_more_is_left_for_the_one_behind_its_name(
    sandbox: Sandbox,
) -> None:
    """As after a failover of Aurora: the old writer is up, and answers 1290."""
    seed_lanes({"cached": sandbox.endpoints["cached"]}, seed=1)
    root = pymysql.connect(
        unix_socket=str(sandbox.admin_mysql("cached-mysql")),
        user="root",
        ssl_disabled=True,
        autocommit=True,
    )

    def set_read_only(value: int) -> None:
        with root.cursor() as cursor:
            cursor.execute(f"SET GLOBAL read_only = {value}")

    settings = replace(
        SHORT, lanes=("mysql",), readers=2, mysql=on_sandbox_mysql(sandbox), duration_s=2.0
    )
    try:
        ran = run_race(
            None,
            settings,
            on_frame=Demoted(lambda: set_read_only(1), lambda: set_read_only(0)),
        )
    finally:
        set_read_only(0)
        root.close()
    total = ran.lanes["mysql"]
    assert total.write.errors.keys() <= {"mysql_1290_read_only", "mysql_2003_cannot_connect"}
    assert total.write.errors["mysql_1290_read_only"] > 0
    assert total.reconnects >= SHORT.writers
    assert ran.frames[-2].lanes[0].write.errors == {}
    assert ran.frames[-2].lanes[0].write.operations > 0


def test_a_cache_that_became_a_replica_is_left_for_the_one_behind_its_name(
    sandbox: Sandbox, server: SealedRedis
) -> None:
    """As after a failover of ElastiCache without cluster mode: the old primary is up, and answers READONLY."""
    seed_lanes({"cached": sandbox.endpoints["cached"]}, seed=1)
    # The cars of the other tests never expire: every read would be a hit.
    own_keys.delete_own_keys(server.endpoint)

    def ask(*command: str) -> None:
        server.admin.execute_command(*command)  # type: ignore[no-untyped-call]

    settings = replace(
        SHORT,
        lanes=("cached",),
        writers=1,
        ttl_s=0.05,
        cached_mysql=on_sandbox_mysql(sandbox),
        cached_redis=replace(backend(server), user="default", password=server.endpoint.password),
        duration_s=2.0,
    )
    ran = run_race(
        None,
        settings,
        on_frame=Demoted(
            # Nobody is there: it keeps what it has, and waits.
            lambda: ask("REPLICAOF", "127.0.0.1", "1"),
            lambda: ask("REPLICAOF", "NO", "ONE"),
        ),
    )
    total = ran.lanes["cached"]
    assert total.read.errors.keys() <= {"redis_readonly", "redis_cannot_connect"}
    assert total.read.errors["redis_readonly"] > 0
    assert total.reconnects > 0
    assert ran.frames[-2].lanes[0].read.errors == {}
    assert ran.frames[-2].lanes[0].cache.fills > 0
