"""Where a redirect leads: only to where the cluster's own map of slots says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engines.driver.session import Awaiting
from engines.endpoints.slot_map import SlotMap, SlotRange
from engines.lanes.redirects import MAX_REDIRECTS, follow_redirects
from engines.wire import resp
from engines.wire.dialect import ConnectionLost
from engines.wire.error_kinds import ERROR_KINDS, error_kind
from engines.wire.resp import SLOTS, RedisErrorReply
from engines.workload.dataset import TelemetryPool
from tests.support.lane_context import lane_context

SLOT = 7
GET = resp.get(b"k")
HERE, THERE, REPLICA, NEW, EVIL = (
    "10.0.0.1:1",
    "10.0.0.2:1",
    "10.0.0.3:1",
    "10.0.0.4:1",
    "10.6.6.6:1",
)

LOST = ConnectionLost("redis_lost_connection")

RANGES = [SlotRange(0, 8_191, HERE, (REPLICA,)), SlotRange(8_192, SLOTS - 1, THERE)]


class FakeConnection:
    """A connection that counts like one."""

    def __init__(self, session: FakeSession, address: str) -> None:
        self.session = session
        self.address = address
        self.answered = 1


class FakeSession:
    """A session that notes which addresses it was asked for."""

    def __init__(self) -> None:
        self.connections: Any = self
        self.opened: dict[str, FakeConnection] = {}

    def __getitem__(self, address: str) -> FakeConnection:
        return self.opened.setdefault(address, FakeConnection(self, address))


class Cluster:
    """The slot map of a lane, and the answers that its refreshes get."""

    def __init__(self, *answers: list[SlotRange], cluster: bool = True) -> None:
        self.answers = list(answers)
        self.refreshes = 0
        self.waits = 0
        self.asked_node = ""
        self.slot_map = SlotMap(RANGES, self.refresh, after_refresh=self.after if cluster else None)
        self.session = FakeSession()

    def refresh(self) -> None:
        self.refreshes += 1

    def after(self, address: str, proceed: Callable[[], None]) -> None:
        self.asked_node = address
        self.waits += 1
        if self.answers:
            self.slot_map.update(self.answers.pop(0))
        proceed()

    def run(self, *replies: Any, at: str = HERE) -> tuple[list[str], Any]:
        """Follow the redirects that begin with the first reply. Return where requests went, and the final reply."""
        first, *later = replies
        context = lane_context(self.slot_map, TelemetryPool(1))
        connection: Any = self.session[at]
        steps = follow_redirects(connection, context, SLOT, GET, first)
        went: list[str] = []
        answer: Any = None
        try:
            while True:
                step: Any = steps.send(answer)
                answer = None
                if isinstance(step, Awaiting):
                    step.until(lambda: None)
                    continue
                target, request, wanted = step
                assert (request, wanted) in ((GET, 1), (resp.asking() + GET, 2))
                went.append(target.address)
                answer = later.pop(0)
        except StopIteration as ended:
            final, reply = ended.value
            assert final.address == (went[-1] if went else at)
            return went, reply


def moved(address: str) -> RedisErrorReply:
    return RedisErrorReply.of(f"MOVED {SLOT} {address}")


def ask(address: str) -> RedisErrorReply:
    return RedisErrorReply.of(f"ASK {SLOT} {address}")


@pytest.mark.parametrize("redirect", [moved(EVIL), moved(THERE), moved(HERE), ask(EVIL), ask(HERE)])
def test_a_single_server_s_redirect_is_an_error_with_a_name(redirect: RedisErrorReply) -> None:
    single = Cluster(cluster=False)
    went, reply = single.run(redirect)
    assert went == []
    assert reply is redirect
    assert set(single.session.opened) == {HERE}
    kind = error_kind(reply)
    assert kind in ("redis_moved", "redis_ask")
    assert 'set cluster to "auto" or "on"' in ERROR_KINDS[kind].next_step


def test_a_redirect_within_the_known_cluster_is_followed_at_once() -> None:
    cluster = Cluster()
    assert cluster.run(moved(THERE), b"x") == ([THERE], b"x")
    assert (cluster.waits, cluster.refreshes) == (0, 1)
    assert cluster.slot_map.write_node[SLOT] == THERE
    # A replica that was promoted is known, too.
    assert Cluster().run(moved(REPLICA), b"x") == ([REPLICA], b"x")
    asked = Cluster()
    assert asked.run(ask(THERE), [b"OK", b"x"]) == ([THERE], b"x")
    assert asked.slot_map.write_node[SLOT] == HERE


@pytest.mark.parametrize("redirect", [moved(EVIL), ask(EVIL)])
def test_an_address_that_the_cluster_does_not_name_gets_nothing(redirect: RedisErrorReply) -> None:
    cluster = Cluster(RANGES)
    went, reply = cluster.run(redirect)
    assert went == []
    assert reply is redirect
    assert EVIL not in cluster.session.opened
    assert EVIL not in cluster.slot_map.addresses()
    assert cluster.waits == 1


@pytest.mark.parametrize("form", [moved, ask])
def test_a_node_that_one_refresh_confirms_is_followed_to(
    form: Callable[[str], RedisErrorReply],
) -> None:
    cluster = Cluster([SlotRange(0, 8_191, NEW), SlotRange(8_192, SLOTS - 1, THERE)])
    answer: Any = [b"OK", b"x"] if form is ask else b"x"
    assert cluster.run(form(NEW), answer) == ([NEW], b"x")
    assert cluster.asked_node == HERE
    assert cluster.waits == 1


def test_what_the_map_says_after_the_refresh_is_used_and_not_what_the_redirect_says() -> None:
    cluster = Cluster([SlotRange(0, SLOTS - 1, THERE)])
    assert cluster.run(moved(EVIL), b"x") == ([THERE], b"x")
    assert set(cluster.session.opened) == {HERE, THERE}


def test_one_request_waits_for_one_refresh_however_often_it_is_redirected() -> None:
    cluster = Cluster([SlotRange(0, SLOTS - 1, THERE)], RANGES)
    went, reply = cluster.run(moved(EVIL), moved("10.6.6.7:1"))
    assert went == [THERE]
    assert reply == moved("10.6.6.7:1")
    assert cluster.waits == 1


def test_an_empty_host_is_that_of_the_node_that_answered() -> None:
    cluster = Cluster()
    cluster.slot_map.update([SlotRange(0, SLOTS - 1, THERE, ("10.0.0.2:2",))])
    # The map says THERE; the one that answers is another, and means a port of its own host.
    assert cluster.run(moved(":2"), b"x", at="10.0.0.2:9") == (["10.0.0.2:2"], b"x")


def test_a_circle_ends() -> None:
    replies = [moved(THERE), moved(HERE)] * MAX_REDIRECTS
    went, reply = Cluster().run(*replies)
    assert len(went) == MAX_REDIRECTS
    assert error_kind(reply) == "redis_moved"


def test_a_connection_that_breaks_on_the_way_is_the_answer() -> None:
    lost = ConnectionLost("redis_lost_connection")
    assert Cluster().run(moved(THERE), lost) == ([THERE], lost)


def test_what_a_node_redirects_or_refuses_is_no_answer_of_it() -> None:
    cluster = Cluster()
    cluster.run(ask(THERE), [b"OK", b"x"])
    # The driver counted the redirect of one, and of the other the two replies to ASKING and GET.
    assert (cluster.session[HERE].answered, cluster.session[THERE].answered) == (0, 0)
    refused = Cluster()
    error = RedisErrorReply.of("LOADING wait")
    assert refused.run(error) == ([], error)
    assert refused.session[HERE].answered == 0
    assert refused.refreshes == 1


def test_redirects_are_followed_on_from_an_ask() -> None:
    cluster = Cluster()
    went, reply = cluster.run(ask(THERE), [b"OK", moved(REPLICA)], b"x")
    assert (went, reply) == ([THERE, REPLICA], b"x")
    lost = Cluster()
    assert lost.run(ask(THERE), LOST) == ([THERE], LOST)
    assert lost.session[THERE].answered == 1
    assert lost.refreshes == 1


def test_a_redirect_without_a_host_means_the_host_of_the_one_that_redirects() -> None:
    # Of several addresses of the map only the host tells which is meant.
    cluster = Cluster([SlotRange(0, SLOTS - 1, "fe80::9:2", ("fe80::1:2", "fe80::1:1"))])
    assert cluster.run(moved(":2"), b"x", at="fe80::1:1") == (["fe80::1:2"], b"x")
