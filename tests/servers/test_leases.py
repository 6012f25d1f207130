"""Two telemons on the same servers: each in a namespace of its own, or the second is refused while the first races."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from subprocess import Popen

import pytest

from engines.backends.lease import LeaseLostError
from engines.backends.mysql.lease import MySQLLease
from engines.backends.redis import lease as redis_lease
from engines.backends.redis import marker
from engines.backends.redis.lease import RedisLease
from engines.backends.redis.own_keys import scan
from engines.backends.redis.signature import Signature
from engines.config.race_config import RaceConfig
from engines.errors import PlanError, RaceError
from engines.metrics.frame import Frame
from engines.model.caveats import Caveat, LostLease, NoLease
from engines.model.lanes import LANES
from engines.pipeline import run_pipeline
from engines.provisioning import clean, leases, prepare
from engines.provisioning.seed import SEED_VERSION
from engines.race.race import Race
from engines.results.summary import Summary
from engines.sandbox.sandbox import Sandbox
from engines.workload.namespace import DEFAULT, Namespace
from tests.support.diagnosis import diagnose
from tests.support.mysql_accounts import is_oracle
from tests.support.race_run import table
from tests.support.restricted_user import PASSWORD, USER, drop_redis_user, make_redis_user
from tests.support.server_product import redis_product
from tests.support.shared_servers import cache_of, on_key, prepared, shared, store_of, tidy
from tests.support.user_servers import OwnServers, as_root, redis_endpoints

BLUE = Namespace("blue")

LONG = (
    *("run", "--duration", "60s", "--warmup", "0s", "--format", "json"),
    *("--mode", "pace", "--rate", "50"),
)
"""At a rate that leaves the machine to the other telemon."""

SHORT = ("run", "--duration", "0.5s", "--warmup", "0s", "--format", "json")


@pytest.fixture
def own(sandbox: Sandbox, tmp_path: Path) -> Iterator[OwnServers]:
    tidy(sandbox)
    yield OwnServers.of(sandbox, tmp_path)
    for server in ("mysql", "cached-mysql"):
        as_root(sandbox, server, "DROP TABLE IF EXISTS telemon.cars_blue")
    tidy(sandbox)


def racing(process: Popen[str]) -> None:
    assert process.stderr is not None
    assert any("racing" in line for line in process.stderr)


def test_the_second_of_two_telemons_is_refused_and_disturbs_nothing(own: OwnServers) -> None:
    prepared(own.sandbox, shared(own.sandbox, LANES))
    with own.started(*LONG) as first:
        racing(first)
        second = own.telemon(*SHORT)
        assert second.code == 1, (second.out, second.err)
        line = second.err.splitlines()[-1]
        assert "another telemon is racing on these servers" in line
        assert 'namespace = "NAME"' in line
        assert "at most 15 s" in line
        for lane in LANES:
            # Where there is only MySQL, no key says who.
            who = (
                "it holds the server's lock telemon:telemon.cars"
                if lane == "mysql"
                else f"user [^ ]+, pid {first.pid}, since"
            )
            said = rf"another telemon is racing on these servers \({who}"
            settings = shared(own.sandbox, [lane])
            with pytest.raises(RaceError, match=said), Race(settings):
                pass
            for plan in (lambda at: prepare.plan(at, seed=1), clean.plan):
                with pytest.raises(PlanError, match="another telemon is racing on these servers"):
                    plan(settings.endpoints)
        looked = own.telemon("doctor", "--json")
        assert looked.code == 1
        found = [check["problem"] for check in json.loads(looked.out)["checks"]]
        assert found.count("already_racing") == 4
        first.send_signal(signal.SIGINT)
        out, err = first.communicate(timeout=30)
    result = json.loads(out)
    assert not [note for note in result["fairness"]["notes"] if "another telemon" in note]
    for lane in result["lanes"]:
        # The others asked who holds a lease, and for no row or car. The doctor asks MySQL for its settings.
        for check in lane["reconciliation"]["checks"]:
            more = check["servers"] - check["telemon"]
            # A transaction id may go to InnoDB's own statistics of a table that has just been made.
            asked = {"selects": 12, "gets": 12, "hits": 12, "committed writes": 2}
            if is_oracle(own.sandbox):
                # It counts the settings that it shows as rows that it writes.
                asked["rows"] = 60
            assert 0 <= more <= asked.get(check["what"], 0), (lane["id"], check)
        assert lane["write"]["errors"] == lane["read"]["errors"] == {}
    assert all(redis_lease.holder(at) is None for at in redis_endpoints(own.sandbox)), err


def test_two_namespaces_race_at_the_same_time_and_keep_off_each_others_data(
    own: OwnServers,
) -> None:
    own = own.only("cached.mysql", "cached.redis", "durable")
    own = replace(own, environ={**own.environ, "TELEMON_LANES": "cached,durable"})
    prepared(own.sandbox, shared(own.sandbox, ["cached", "durable"]))
    made = own.telemon("prepare", "--yes", "--namespace", "blue")
    assert made.code == 0, made.err
    assert "make table cars_blue" in made.out
    assert "telemon:blue:50000000" in made.out
    with own.started(*LONG) as first:
        racing(first)
        second = own.telemon(*SHORT, environ={"TELEMON_NAMESPACE": "blue"})
        assert second.code == 0, second.err
        assert json.loads(second.out)["settings"]["namespace"] == "blue"
        for lane in json.loads(second.out)["lanes"]:
            # What was acknowledged is read back from the same namespace.
            assert lane["read_back"]["checked"] > 0
            assert lane["read_back"]["lost"] == 0
        for at in (cache_of(own.sandbox), store_of(own.sandbox)):
            assert scan(replace(at, namespace=BLUE)).own_count > 0
        newest = "SELECT MAX(version) FROM telemon.cars_blue"
        assert as_root(own.sandbox, "cached-mysql", newest)[0][0] != SEED_VERSION
        found = diagnose(replace(store_of(own.sandbox), namespace=BLUE), cache=False)
        assert found.problems == []
        assert own.telemon("clean", "--yes", "--namespace", "blue").code == 0
        first.send_signal(signal.SIGINT)
        out, _ = first.communicate(timeout=30)
    for lane in json.loads(out)["lanes"]:
        assert lane["write"]["errors"] == lane["read"]["errors"] == {}
        assert lane["write"]["rows"] > 0 < lane["read"]["rows"]
    shown = "SHOW TABLES FROM telemon LIKE 'cars%'"
    assert as_root(own.sandbox, "cached-mysql", shown) == [("cars",)]
    blue = replace(store_of(own.sandbox), namespace=BLUE)
    assert scan(blue).own_count == 0
    assert marker.read(blue) is None
    assert scan(store_of(own.sandbox)).own_count >= 1_001
    assert len(table(own.sandbox.endpoints["cached"].mysql)) >= 1_001


def test_a_killed_telemon_keeps_the_next_one_waiting_for_a_bounded_time(own: OwnServers) -> None:
    lanes = own.only("mysql", "durable")
    settings = prepared(own.sandbox, shared(own.sandbox, ["mysql", "durable"]))
    with lanes.started(*LONG, "--lanes", "mysql,durable") as first:
        racing(first)
        first.kill()
        first.communicate(timeout=30)
    # The lock has fallen with its connection.
    with Race(shared(own.sandbox, ["mysql"])):
        pass
    at = store_of(own.sandbox)
    left_ms = on_key(at, DEFAULT.lease_key, "PTTL")
    assert 0 < left_ms <= 15_000
    with pytest.raises(RaceError, match=f"pid {first.pid}, since"), Race(settings):
        pass
    # To look at it does not make it last.
    assert on_key(at, DEFAULT.lease_key, "PTTL") < left_ms
    on_key(at, DEFAULT.lease_key, "PEXPIRE", 1)  # The rest of the time.
    time.sleep(0.01)
    with Race(settings) as race:
        assert list(race.frames())
    assert redis_lease.holder(at) is None


class Midway:
    """Does something once, after some frames; and waits for what follows."""

    def __init__(self, do: Callable[[], object]) -> None:
        self._do = do
        self.events: list[str] = []

    def start(self, _source: object) -> None:
        pass

    def frame(self, frame: Frame) -> None:
        self.events += [event.text for event in frame.events]
        if frame.seq == 2:
            self._do()

    def finish(self, _closing: object, _error: object) -> None:
        pass


def raced(settings: RaceConfig, do: Callable[[], object] = lambda: None) -> tuple[Summary, Midway]:
    midway = Midway(do)
    with Race(settings, interval_s=0.2) as race:
        summary = Summary(settings, race.lane_infos, race.environment)
        run_pipeline(race, [summary, midway])
    return summary, midway


def lost(summary: Summary) -> list[Caveat]:
    return [caveat for caveat in summary.caveats() if isinstance(caveat, LostLease)]


def test_a_lease_is_given_back_only_if_it_is_still_ones_own(own: OwnServers) -> None:
    at, other = store_of(own.sandbox), Signature.new("lease")
    held = RedisLease(at)
    held.take()
    on_key(at, DEFAULT.lease_key, "SET", other.to_bytes(), "PX", 20_000)
    held.release()
    assert redis_lease.holder(at) == other.text
    on_key(at, DEFAULT.lease_key, "DEL")
    held = RedisLease(at)
    held.take()
    held.release()
    assert redis_lease.holder(at) is None


@pytest.mark.parametrize("lane", ["mysql", "cached", "durable"])
def test_a_lease_is_renewed_often_and_counts_for_nothing(
    own: OwnServers, lane: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "RENEW_EVERY_S", 0.01)
    renewals: list[str] = []
    for kind in (RedisLease, MySQLLease):
        renew = kind.renew

        def counted(self: object, renew: Callable[..., None] = renew) -> None:
            renewals.append(lane)
            renew(self)

        monkeypatch.setattr(kind, "renew", counted)
    summary, _ = raced(prepared(own.sandbox, shared(own.sandbox, [lane], duration_s=1.5)))
    assert len(renewals) > 20
    assert lost(summary) == []
    found = summary.reconciliations[lane]
    # A transaction id may go to InnoDB's own statistics of a table that has just been made.
    checks = [check for check in found.checks if check.what != "committed writes"]
    assert checks
    assert not any(check.difference for check in checks), found.verdict


def test_a_lease_that_another_telemon_has_taken_is_in_the_result(own: OwnServers) -> None:
    """Without any renewal in between: the end of the race looks whose it is."""
    settings = prepared(own.sandbox, shared(own.sandbox, ["durable"], duration_s=1.5))
    at, other = store_of(own.sandbox), Signature.new("lease")
    summary, _ = raced(
        settings, lambda: on_key(at, DEFAULT.lease_key, "SET", other.to_bytes(), "PX", 20_000)
    )
    assert lost(summary) == [
        LostLease("durable", f"{redis_product()} {at.host}:{at.port}", other.text)
    ]
    assert any(other.text in note for note in summary.notes())
    # What is another's by now is not removed.
    assert redis_lease.holder(at) == other.text
    on_key(at, DEFAULT.lease_key, "DEL")


def test_a_lease_that_is_gone_is_said_at_once(
    own: OwnServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "RENEW_EVERY_S", 0.05)
    settings = prepared(own.sandbox, shared(own.sandbox, ["cached"], duration_s=2.0))
    at = cache_of(own.sandbox)
    summary, midway = raced(settings, lambda: on_key(at, DEFAULT.lease_key, "DEL"))
    assert lost(summary) == [LostLease("cached", f"{redis_product()} {at.host}:{at.port}", "")]
    assert any(
        f"lease on {redis_product()}" in event and "is lost" in event for event in midway.events
    )


def test_a_lock_whose_connection_is_ended_is_lost(own: OwnServers) -> None:
    settings = prepared(own.sandbox, shared(own.sandbox, ["mysql"], duration_s=1.5))
    at = own.sandbox.endpoints["mysql"].mysql
    assert at is not None

    def end() -> None:
        ((holder,),) = as_root(own.sandbox, "mysql", "SELECT IS_USED_LOCK('telemon:telemon.cars')")
        as_root(own.sandbox, "mysql", f"KILL {holder}")

    summary, _ = raced(settings, end)
    assert lost(summary) == [LostLease("mysql", f"MySQL {at.host}:{at.port}/telemon")]


def test_a_lease_that_was_not_renewed_for_too_long_is_lost_without_asking(
    own: OwnServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after Ctrl-Z: another telemon may have come and gone."""
    held = RedisLease(store_of(own.sandbox))
    held.take()
    held.renew()
    late_s = time.monotonic() + 15.1
    monkeypatch.setattr(redis_lease, "monotonic", lambda: late_s)
    with pytest.raises(LeaseLostError):
        held.renew()
    held.release()
    on_key(store_of(own.sandbox), DEFAULT.lease_key, "DEL")


def test_who_may_keep_no_lease_races_without_and_the_fairness_sheet_says_so(
    own: OwnServers,
) -> None:
    settings = prepared(own.sandbox, shared(own.sandbox, ["durable"]))
    at = store_of(own.sandbox)
    make_redis_user(at, ["on", "~telemon:*", "+get", "+set", "+cluster|slots"])
    modest = replace(settings, durable=replace(settings.durable, user=USER, password=PASSWORD))
    try:
        # Twice: nothing stays behind that would keep the second one off.
        for _ in range(2):
            summary, _ = raced(modest)
            (caveat,) = (each for each in summary.caveats() if isinstance(each, NoLease))
            assert "pexpire" in caveat.reason.lower()
            assert any("nothing keeps another telemon off" in note for note in summary.notes())
    finally:
        drop_redis_user(at)
    rules = ["on", "~telemon:*", "+@all", "-pexpire"]
    make_redis_user(at, rules)
    try:
        found = diagnose(replace(at, user=USER, password=PASSWORD), cache=False)
        assert found.problems == ["denied_lease"]
    finally:
        drop_redis_user(at)
