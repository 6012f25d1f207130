"""The users of docs/bastion.md, who may do just enough: really made, and raced with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from engines.backends.redis.own_keys import delete_own_keys
from engines.model.lanes import LANE_OF
from engines.sandbox.sandbox import Sandbox
from tests.support.bastion_docs import acl_rules, grants
from tests.support.diagnosis import diagnose
from tests.support.mysql_accounts import make_account
from tests.support.restricted_user import PASSWORD, USER, drop_redis_user, make_redis_user
from tests.support.user_servers import OwnServers, as_root, redis_endpoints


@pytest.fixture
def modest(sandbox: Sandbox, tmp_path: Path) -> Iterator[OwnServers]:
    """The sandbox's servers, seen by users who have the rights of the docs and no others."""
    with ExitStack() as stack:
        for server in ("mysql", "cached-mysql"):
            database = sandbox.endpoints[LANE_OF[server]].mysql
            assert database is not None
            # Databases of the test's own: they must not be there before.
            rights = [grant.replace(" ON ", " ON docs_") for grant in grants()]
            just_enough = replace(database, user=USER, password=PASSWORD)
            who = make_account(sandbox, server, just_enough, *rights)
            stack.callback(as_root, sandbox, server, f"DROP USER {who}")
            for name in ("docs_telemon", "docs_telemon_cached"):
                stack.callback(as_root, sandbox, server, f"DROP DATABASE IF EXISTS {name}")
        for at in redis_endpoints(sandbox):
            delete_own_keys(at)
            make_redis_user(at, acl_rules())
            stack.callback(drop_redis_user, at)
        own = OwnServers.of(sandbox, tmp_path)
        for table in own.tables:
            own = own.with_table(table, user=USER, password_env="PASSWORD_OF_USER")
        own = own.with_table("mysql", database="docs_telemon")
        own = own.with_table("cached.mysql", database="docs_telemon_cached")
        yield replace(own, environ={"PASSWORD_OF_USER": PASSWORD})


def test_the_users_may_do_all_that_telemon_does(modest: OwnServers) -> None:
    prepared = modest.telemon("prepare", "--yes")
    assert prepared.code == 0, prepared.err
    assert "made database docs_telemon" in prepared.out
    looked = modest.telemon("doctor", "--json")
    assert looked.code == 0
    found = {check["problem"] for check in json.loads(looked.out)["checks"]}
    assert found <= {"", "far_away", "not_a_disk"}
    for preset in ("fair", "deck"):
        race = ("run", "--duration", "0.5s", "--warmup", "0s", "--preset", preset)
        raced = modest.telemon(*race, "--format", "json")
        assert raced.code == 0, raced.err
        for lane in json.loads(raced.out)["lanes"]:
            assert lane["state"] == "done"
            assert lane["write"]["rows"] > 0
            assert lane["read"]["rows"] > 0
            assert lane["write"]["errors"] == lane["read"]["errors"] == {}
            assert lane["server"]["product"]
    cleaned = modest.telemon("clean", "--yes")
    assert cleaned.code == 0, cleaned.err
    assert as_root(modest.sandbox, "mysql", "SHOW TABLES FROM docs_telemon") == []
    again = modest.telemon("clean")
    assert (again.code, again.out.splitlines()[-1]) == (0, "nothing to do")


def test_with_one_right_less_the_doctor_says_which(modest: OwnServers) -> None:
    at = modest.sandbox.endpoints["durable"].redis
    assert at is not None
    seen = replace(at, user=USER, password=PASSWORD)
    needed = [rule for rule in acl_rules() if rule.startswith("+")]
    assert len(needed) > 5
    for lacking in needed:
        make_redis_user(at, [rule for rule in acl_rules() if rule != lacking])
        found = diagnose(seen, cache=False)
        said = [check.next_step for check in found.checks if check.problem]
        # Without INFO, a lease, and what only `clean` needs of a store, a race goes on; nothing else may be missing.
        harmless = {
            "+info": "info_denied",
            "+pexpire": "denied_lease",
            "+asking": "denied_asking",
            "+scan": "denied_clean",
            "+unlink": "denied_clean",
        }
        expected = harmless.get(lacking, "denied_commands")
        assert expected in found.problems, lacking
        assert any(step.endswith(f": {lacking}") for step in said), (lacking, said)


@pytest.mark.parametrize("lacking", ["SELECT", "INSERT", "UPDATE", "CREATE", "DROP"])
def test_with_one_right_less_on_the_table_something_is_refused(
    modest: OwnServers, lacking: str
) -> None:
    lane = modest.only("mysql")
    if lacking != "CREATE":
        assert lane.telemon("prepare", "--yes", "--lanes", "mysql").code == 0
    as_root(
        modest.sandbox, "mysql", f"REVOKE {lacking} ON docs_telemon.* FROM '{USER}'@'127.0.0.1'"
    )
    command_line = {"CREATE": ("prepare", "--yes"), "DROP": ("clean", "--yes")}
    refused = lane.telemon(*command_line.get(lacking, ("doctor",)), "--lanes", "mysql")
    assert refused.code == 1
    assert lacking in refused.out + refused.err or "denied" in refused.out + refused.err
