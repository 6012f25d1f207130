"""What the header says of the settings."""

from __future__ import annotations

import pytest

from engines.config.race_config import RaceConfig
from engines.config.server_config import MySQLConfig, RedisConfig
from engines.model.lanes import LANES
from tests.screens.conftest import Launch
from tui.view.load_settings import LoadSettings

MYSQL = MySQLConfig(host="db.example", user="telemon", password="planted-secret")
CLUSTER = RedisConfig(host="memory.example", port=6380, user="u", password="planted-secret")
CACHE = RedisConfig(host="cache.example")


@pytest.mark.parametrize(
    ("settings", "where", "servers"),
    [
        (RaceConfig(), "sandbox", ()),
        (RaceConfig(mysql=MYSQL), "sandbox + endpoint", ("db.example:3306",)),
        # A server of a lane that does not race is no server of this race.
        (RaceConfig(mysql=MYSQL, lanes=("durable",)), "sandbox", ()),
        (RaceConfig(mysql=MYSQL, lanes=("mysql",)), "endpoint", ("db.example:3306",)),
        (
            RaceConfig(mysql=MYSQL, durable=CLUSTER),
            "sandbox + endpoints",
            ("db.example:3306", "memory.example:6380"),
        ),
        (
            RaceConfig(
                mysql=MYSQL,
                cached_mysql=MySQLConfig(host="db.example", user="telemon", database="other"),
                cached_redis=CACHE,
                durable=CLUSTER,
            ),
            "endpoints",
            ("db.example:3306", "cache.example:6379", "memory.example:6380"),
        ),
    ],
)
def test_where_it_races(settings: RaceConfig, where: str, servers: tuple[str, ...]) -> None:
    load_settings = LoadSettings.of(settings)
    assert load_settings.where == where
    assert load_settings.servers == servers


async def test_header_names_endpoints_and_no_secrets(launch: Launch) -> None:
    async with launch(settings=RaceConfig(mysql=MYSQL, durable=CLUSTER), size=(200, 50)) as racing:
        await racing.shows("racing", "sandbox + endpoints", "db.example:3306 memory.example:6380")
        assert "planted-secret" not in racing.text()
    async with launch(settings=RaceConfig(mysql=MYSQL, durable=CLUSTER), size=(100, 30)) as racing:
        await racing.shows("racing", "sandbox + endpoints")


def test_heats_are_those_of_the_race() -> None:
    assert LoadSettings.of(RaceConfig()).heats == ()
    heats = LoadSettings.of(RaceConfig(heats=True, rounds=2)).heats
    assert [heat.lane for heat in heats[:3]] == list(LANES)
    assert len(heats) == 6
