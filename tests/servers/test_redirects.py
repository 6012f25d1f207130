"""A server that sends its clients elsewhere: where only the server says so, telemon does not go."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from redis.exceptions import MovedError

from engines.backends.redis.client import client, seed, slot_map
from engines.config.server_config import RedisConfig
from engines.doctor.check import Status
from engines.doctor.redis.checks import check_redis
from engines.doctor.target import Target
from engines.endpoints.endpoint import LaneEndpoints
from engines.errors import PlanError, RaceError
from engines.metrics.frame import Frame
from engines.provisioning import prepare
from engines.provisioning.seed import SEED_VERSION
from engines.race.race import Race
from engines.sandbox.sandbox import Sandbox
from engines.wire.error_kinds import ERROR_KINDS
from engines.wire.resp import key_slot
from engines.workload.dataset import HOT_KEYS, TelemetryPool
from engines.workload.redis_keys import redis_key
from tests.support.fourth_node import fourth_node
from tests.support.race_run import Ran, forget, run_race, store_in_memory, with_settings
from tests.support.redirecting import HOST, Redirector, Trap, redirecting, trap


@pytest.fixture
def elsewhere() -> Iterator[Trap]:
    with trap() as waiting:
        yield waiting


def race_into(redirector: Redirector, redirect: str, store: RedisConfig) -> Ran:
    """Race on `store`; half a second later every GET and SET is redirected, until the end."""

    def turn(_: Race, frame: Frame) -> None:
        if frame.elapsed_s >= 0.4:
            redirector.redirect = redirect

    settings = with_settings(lanes=("durable",), duration_s=1.5, durable=store)
    return run_race(None, settings, on_frame=turn)


@pytest.mark.parametrize("form", ["MOVED", "ASK"])
def test_with_cluster_off_no_redirect_is_followed(
    sandbox: Sandbox, elsewhere: Trap, form: str
) -> None:
    redirector = Redirector()
    store = store_in_memory(sandbox)
    with redirecting(store.port, redirector) as port:
        ran = race_into(redirector, f"{form} 1 {elsewhere.address}", replace(store, port=port))
    total = ran.lanes["durable"]
    assert redirector.redirected > 0
    kind = f"redis_{form.lower()}"
    assert total.read.errors[kind] > 0
    assert total.write.errors[kind] > 0
    assert (elsewhere.connections, elsewhere.received) == (0, b"")


@pytest.mark.parametrize("form", ["MOVED", "ASK"])
def test_with_a_cluster_no_redirect_leads_out_of_it(
    sandbox: Sandbox, elsewhere: Trap, form: str
) -> None:
    """The listener is on the same address as the cluster, so its address alone is no reason against it."""
    forget(sandbox)
    at = sandbox.endpoints["durable"].redis
    assert at is not None
    seed(at, HOT_KEYS, TelemetryPool(1), SEED_VERSION)
    redirector = Redirector()
    with ExitStack() as ways:
        addresses = sorted({part.address for part in slot_map(at)})
        ports = {
            address: ways.enter_context(redirecting(int(address.rpartition(":")[2]), redirector))
            for address in addresses
        }
        store = RedisConfig(
            host=at.host,
            port=at.port,
            password=at.password,
            tls=False,
            cluster="on",
            address_map=tuple((address, f"{HOST}:{port}") for address, port in ports.items()),
        )
        ran = race_into(redirector, f"{form} 1 {elsewhere.address}", store)
    total = ran.lanes["durable"]
    kind = f"redis_{form.lower()}"
    assert total.read.errors[kind] > 0
    assert total.write.errors[kind] > 0
    assert (elsewhere.connections, elsewhere.received) == (0, b"")
    # Each engine process asks the cluster at most ten times a second, however many operations are redirected; both
    # roles did for 1.1 s. The counters' readings and the end of the race ask a few times, too.
    assert 2 <= redirector.slots <= 2 * 14 + 10


def test_what_is_before_and_beside_a_race_follows_no_redirect(
    sandbox: Sandbox, elsewhere: Trap
) -> None:
    """prepare, doctor, and each single command to a server."""
    redirector = Redirector()
    store = store_in_memory(sandbox)
    with redirecting(store.port, redirector) as port:
        redirector.redirect = f"MOVED 1 {elsewhere.address}"
        at = replace(store, port=port).endpoint()
        with client(f"{HOST}:{port}", at) as node, pytest.raises(MovedError):
            node.get("k")
        with pytest.raises(PlanError, match=elsewhere.address):
            prepare.plan({"durable": LaneEndpoints("durable", redis=at)}, 1)
        checks = list(check_redis(Target(at, ("durable",), connections=1, batch=1)))
    assert (checks[-1].status, checks[-1].problem) == (Status.FAIL, "refused_by_server")
    assert checks[-1].finding.startswith("MOVED")
    assert elsewhere.address in checks[-1].finding
    assert checks[-1].next_step == ERROR_KINDS["redis_moved"].next_step
    assert redirector.redirected > 0
    assert (elsewhere.connections, elsewhere.received) == (0, b"")


@pytest.mark.parametrize(
    ("host", "what"),
    [
        ("169.254.169.254", "the metadata service 169.254.169.254"),
        ("::ffff:169.254.169.254", "the metadata service 169.254.169.254"),
        ("fe80::1", "the local link"),
    ],
)
def test_a_node_where_no_node_can_be_stops_the_race_by_name(
    sandbox: Sandbox, host: str, what: str
) -> None:
    """CLUSTER SLOTS is no better a reason to go there than a redirect."""
    redirector = Redirector()
    redirector.named = (host, 80)
    store = store_in_memory(sandbox)
    with redirecting(store.port, redirector) as port:
        settings = with_settings(
            lanes=("durable",), durable=replace(store, port=port, cluster="on")
        )
        began_s = time.monotonic()
        with (
            pytest.raises(RaceError, match=f"{re.escape(host)}:80, which leads to {what}"),
            Race(settings),
        ):
            pass
    # A connection that is tried takes three seconds where nothing answers.
    assert time.monotonic() - began_s < 2.5


def test_a_node_that_joined_after_the_start_is_followed_to_once_the_cluster_names_it(
    tmp_path: Path,
) -> None:
    """Only the first slot of such a node has a time in which nothing but an ASK tells of it."""
    with Sandbox(["durable"], directory=tmp_path) as servers:
        private = servers.endpoints["durable"].redis
        assert private is not None
        at = replace(private, nodes=())  # as one that telemon did not start
        seed(at, HOT_KEYS, TelemetryPool(1), SEED_VERSION)
        store = RedisConfig(
            host=at.host, port=at.port, password=at.password, tls=False, cluster="on"
        )
        slots = {key_slot(redis_key(car)) for car in range(HOT_KEYS.first, HOT_KEYS.last + 1)}
        own = [part for part in slot_map(at) if part.address == f"{at.host}:{at.port}"]
        moved = sorted(slot for slot in slots if own[0].first <= slot <= own[0].last)[:40]
        with fourth_node(servers, at) as grown:
            todo = [moved]

            def reshard(_: Race, frame: Frame) -> None:
                if frame.elapsed_s >= 0.4 and todo:
                    grown.move(todo.pop(), at.port)

            settings = with_settings(lanes=("durable",), duration_s=2.0, durable=store)
            ran = run_race(None, settings, on_frame=reshard)
            total = ran.lanes["durable"]
            assert total.redirects > 0
            assert total.read.errors.keys() | total.write.errors.keys() <= {"redis_ask"}
            last = ran.frames[-2].lanes[0]
            assert last.read.errors == last.write.errors == {}
            stats: object = grown.nodes[grown.port].info("commandstats")
            assert "cmdstat_get" in str(stats)
