"""Slot maps that are fetched again while operations wait for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from threading import Event
from time import perf_counter_ns

import pytest

from engines.config.settings import LoadConfig
from engines.driver.reactor import Reactor
from engines.endpoints.endpoint import LaneEndpoints, RedisEndpoint
from engines.endpoints.slot_map import SlotRange
from engines.ipc.messages import EngineSpec, ServerSharing
from engines.process import topology
from engines.process.topology import ClusterTopology
from engines.wire.dialect import REDIS
from engines.wire.resp import SLOTS

OLD, NEW = [SlotRange(0, SLOTS - 1, "a:1")], [SlotRange(0, SLOTS - 1, "b:1")]


class Bench:
    """A cluster's topology in a reactor without connections. `answer` is what CLUSTER SLOTS gives or raises."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, cluster: bool | None, processes: int = 1
    ) -> None:
        self.asked = 0
        self.nodes: list[str] = []
        self.answer: list[SlotRange] | Exception = OLD
        self.gate = Event()
        self.gate.set()
        monkeypatch.setattr(topology, "_ask", self._ask)
        endpoint = RedisEndpoint("a", 1, "", cluster=cluster)
        load = LoadConfig(preset="fair", seed=1, batch=1, ttl_s=1.0)
        lanes = LaneEndpoints("durable", redis=endpoint)
        self.reactor = Reactor(lambda _: (REDIS, lambda: None))
        self.topology = ClusterTopology(
            EngineSpec(
                "durable", "read", 0, 1, 1, load, lanes, sharing=ServerSharing(redis=processes)
            ),
            self.reactor,
        )
        self.topology.discover(lambda: None, lambda *_: None)
        self.turn(lambda: bool(self.topology.slot_maps))
        self.asked = 0

    def _ask(self, _: object, nodes: Sequence[str]) -> list[SlotRange]:
        self.asked += 1
        self.nodes = list(nodes)
        self.gate.wait(10)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def turn(self, until: Callable[[], bool], at_most_ms: int = 5_000) -> None:
        deadline_ns = perf_counter_ns() + at_most_ms * 1_000_000

        def look() -> None:
            if until() or perf_counter_ns() >= deadline_ns:
                self.reactor.running = False
            else:
                self.reactor.after_ns(200_000, look)

        self.reactor.running = True
        look()
        self.reactor.run()


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    bench = Bench(monkeypatch, cluster=True)
    yield bench
    bench.gate.set()
    bench.reactor.close()


def test_many_that_wait_share_one_request_and_see_its_answer(bench: Bench) -> None:
    seen: list[str] = []
    (slot_map,) = bench.topology.slot_maps
    assert slot_map.after_refresh is not None
    bench.answer = NEW
    for _ in range(50):
        slot_map.after_refresh("a:1", lambda: seen.append(slot_map.write_node[0]))
    assert seen == []
    bench.turn(lambda: len(seen) == 50)
    assert seen == ["b:1"] * 50
    assert slot_map.known == {"b:1"}
    assert bench.asked == 1


def test_who_waits_goes_on_when_no_node_answers(bench: Bench) -> None:
    seen: list[str] = []
    bench.answer = OSError("refused")
    bench.topology.after_refresh("a:1", lambda: seen.append("on"))
    bench.turn(lambda: bool(seen))
    assert seen == ["on"]
    assert bench.topology.slot_maps[0].known == {"a:1"}


def test_who_waits_for_a_node_that_hangs_goes_on_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topology, "REFRESH_WAIT_NS", 20_000_000)
    seen: list[str] = []
    bench.gate.clear()
    bench.topology.after_refresh("a:1", lambda: seen.append("on"))
    bench.turn(lambda: bool(seen))
    assert seen == ["on"]
    assert bench.topology.slot_maps[0].known == {"a:1"}
    bench.answer = NEW
    bench.gate.set()
    bench.turn(lambda: bench.topology.slot_maps[0].known == {"b:1"})
    assert seen == ["on"]


def test_who_comes_while_a_request_is_under_way_waits_for_the_next(bench: Bench) -> None:
    """The answer that is on its way may be from before the redirect."""
    seen: list[str] = []
    (slot_map,) = bench.topology.slot_maps
    bench.gate.clear()
    bench.topology.after_refresh("a:1", lambda: seen.append(f"first {slot_map.write_node[0]}"))
    bench.turn(lambda: bench.asked == 1)
    bench.topology.after_refresh("a:1", lambda: seen.append(f"second {slot_map.write_node[0]}"))
    bench.gate.set()
    bench.turn(lambda: seen == ["first a:1"])
    bench.answer = NEW
    bench.turn(lambda: len(seen) == 2)
    assert seen == ["first a:1", "second b:1"]
    assert bench.asked == 2


def test_the_node_that_redirects_is_asked_first_and_only_if_it_is_of_the_cluster(
    bench: Bench,
) -> None:
    seen: list[str] = []
    (slot_map,) = bench.topology.slot_maps
    slot_map.update([SlotRange(0, 99, "b:1"), SlotRange(100, SLOTS - 1, "c:1")])
    for address, nodes in (("c:1", ["c:1", "b:1"]), ("evil:1", ["b:1", "c:1"])):
        bench.answer = [SlotRange(0, 99, "b:1"), SlotRange(100, SLOTS - 1, "c:1")]
        bench.topology.after_refresh(address, lambda at=address: seen.append(at))  # type: ignore[misc]
        bench.turn(lambda at=address: at in seen)  # type: ignore[misc]
        assert bench.nodes == nodes


def test_redirects_ask_the_cluster_ten_times_a_second_at_most(bench: Bench) -> None:
    began_ns = perf_counter_ns()
    rounds: list[int] = []

    def again() -> None:
        rounds.append(1)
        if perf_counter_ns() - began_ns < 350_000_000:
            bench.topology.after_refresh("a:1", again)

    again()
    bench.turn(lambda: perf_counter_ns() - began_ns >= 500_000_000)
    assert 2 <= bench.asked <= 5
    assert len(rounds) == bench.asked + 1


def test_a_single_server_has_nothing_to_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, cluster=False)
    assert [slot_map.after_refresh for slot_map in bench.topology.slot_maps] == [None]
    bench.reactor.close()


def test_the_slots_are_asked_for_more_seldom_by_each_of_many_processes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ten times a second by all of them: eight wait 0.8 s each."""
    bench = Bench(monkeypatch, cluster=True, processes=8)
    asked_ns: list[int] = []

    def again() -> bool:
        if bench.asked > len(asked_ns):
            asked_ns.append(perf_counter_ns())
        bench.topology.refresh()
        return len(asked_ns) == 3

    bench.turn(again)
    bench.reactor.close()
    assert asked_ns[2] - asked_ns[1] > 0.7e9
