"""What the header says of the settings."""

from __future__ import annotations

import pytest

from engines.config.race_config import Race
from engines.config.server_config import MySQLBackend, RedisBackend
from engines.model.lanes import LANES
from tests.screens.conftest import Launch
from tui.view.load_settings import Setup

MYSQL = MySQLBackend(host="db.example", user="telemon", password="planted-secret")
CLUSTER = RedisBackend(host="memory.example", port=6380, user="u", password="planted-secret")
CACHE = RedisBackend(host="cache.example")


@pytest.mark.parametrize(
    ("settings", "where", "servers"),
    [
        (Race(), "sandbox", ()),
        (Race(mysql=MYSQL), "sandbox + endpoint", ("db.example:3306",)),
        # A server of a lane that does not race is no server of this race.
        (Race(mysql=MYSQL, lanes=("durable",)), "sandbox", ()),
        (Race(mysql=MYSQL, lanes=("mysql",)), "endpoint", ("db.example:3306",)),
        (
            Race(mysql=MYSQL, durable=CLUSTER),
            "sandbox + endpoints",
            ("db.example:3306", "memory.example:6380"),
        ),
        (
            Race(
                mysql=MYSQL,
                cached_mysql=MySQLBackend(host="db.example", user="telemon", database="other"),
                cached_redis=CACHE,
                durable=CLUSTER,
            ),
            "endpoints",
            ("db.example:3306", "cache.example:6379", "memory.example:6380"),
        ),
    ],
)
def test_where_it_races(settings: Race, where: str, servers: tuple[str, ...]) -> None:
    setup = Setup.of(settings)
    assert setup.where == where
    assert setup.servers == servers


async def test_header_names_endpoints_and_no_secrets(launch: Launch) -> None:
    async with launch(settings=Race(mysql=MYSQL, durable=CLUSTER), size=(200, 50)) as racing:
        await racing.shows("racing", "sandbox + endpoints", "db.example:3306 memory.example:6380")
        assert "planted-secret" not in racing.text()
    async with launch(settings=Race(mysql=MYSQL, durable=CLUSTER), size=(100, 30)) as racing:
        await racing.shows("racing", "sandbox + endpoints")


def test_heats_are_those_of_the_race() -> None:
    assert Setup.of(Race()).heats == ()
    heats = Setup.of(Race(heats=True, rounds=2)).heats
    assert [heat.lane for heat in heats[:3]] == list(LANES)
    assert len(heats) == 6
