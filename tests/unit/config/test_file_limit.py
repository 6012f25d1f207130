"""Connections that need more open files than a process may have."""

from __future__ import annotations

import re
from typing import Any

import pytest

from engines.config.errors import ConfigError
from engines.config.file_limit import most_connections, require_files
from engines.config.race_config import RaceConfig
from engines.config.server_config import MySQLConfig, RedisConfig

LARGEST: dict[str, Any] = {"writers": 1024, "readers": 1024}


def number_that_fits(limit: int, **settings: Any) -> int:
    """The number that the error names."""
    with pytest.raises(ConfigError) as refused:
        require_files(RaceConfig(**settings), limit)
    found = re.search(
        r"; ([\d,]+|none) (in total )?would fit; raise the hard limit", str(refused.value)
    )
    assert found is not None, refused.value
    return 0 if found[1] == "none" else int(found[1].replace(",", ""))


def test_what_fits_is_taken() -> None:
    require_files(RaceConfig(), 1_024)
    require_files(RaceConfig(**LARGEST), 4_096)
    require_files(RaceConfig(**LARGEST, processes=64), None)


@pytest.mark.parametrize("limit", [256, 600, 1_024, 2_000])
@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"writers": 0, "readers": 1024, "lanes": ("mysql",)}, "readers"),
        ({"writers": 1024, "readers": 0, "lanes": ("durable",)}, "writers"),
        ({"writers": 1024, "readers": 0, "lanes": ("durable",), "processes": 2}, "writers"),
        ({"writers": 1024, "readers": 0, "lanes": ("cached",)}, "writers"),
    ],
)
def test_the_number_that_is_named_fits_and_one_more_does_not(
    limit: int, settings: dict[str, Any], key: str
) -> None:
    try:
        require_files(RaceConfig(**settings), limit)
    except ConfigError:
        fitting = number_that_fits(limit, **settings)
    else:
        return
    if fitting < settings.get("processes", 1):
        return
    # The next limit that does not fit may be that of another process, which names a smaller number.
    while True:
        try:
            require_files(RaceConfig(**{**settings, key: fitting}), limit)
        except ConfigError:
            smaller = number_that_fits(limit, **{**settings, key: fitting})
            assert smaller < fitting
            if not smaller:
                return
            fitting = smaller
        else:
            break
    step = settings.get("processes", 1)
    with pytest.raises(ConfigError):
        require_files(RaceConfig(**{**settings, key: fitting + step}), limit)


def test_many_engine_processes_need_files_in_telemon_itself() -> None:
    settings: dict[str, Any] = {"writers": 64, "readers": 64, "processes": 64}
    assert number_that_fits(700, **settings) == 53
    require_files(RaceConfig(**{**settings, "processes": 53}), 700)


def test_servers_of_one_s_own_need_no_files_here() -> None:
    own: dict[str, Any] = {
        "lanes": ("mysql",),
        "mysql": MySQLConfig(host="db.example", user="u", database="d"),
    }
    load: dict[str, Any] = {"writers": 300, "readers": 300}
    require_files(RaceConfig(**own, **load), 400)
    assert number_that_fits(1_000, lanes=("mysql",), **load) == 570
    cluster: dict[str, Any] = {"lanes": ("durable",), "durable": RedisConfig(host="redis.example")}
    require_files(RaceConfig(**cluster, **load), 400)
    assert number_that_fits(400, lanes=("durable",), **load) == 112


def test_the_nodes_of_a_cluster_of_one_s_own_count_once_they_are_known() -> None:
    durable = RedisConfig(host="redis.example")
    settings = RaceConfig(lanes=("durable",), durable=durable, writers=4, readers=1_024)
    require_files(settings, 4_096)
    with pytest.raises(
        ConfigError, match=r"needs 8,256 open files in one engine process.*; 504 would fit"
    ):
        require_files(settings, 4_096, {"durable": 8})


def test_keys_add_no_more_connections_than_fit() -> None:
    private = RaceConfig(lanes=("mysql",))
    assert most_connections(private, "read", 4, None) == 1_024
    # A private MariaDB has 430 files besides its connections.
    assert most_connections(private, "read", 4, 1_000) == 566
    assert most_connections(private, "write", 566, 1_000) == 4
    assert most_connections(private, "read", 4, 65_536) == 1_024
    own = RaceConfig(lanes=("durable",), durable=RedisConfig(host="redis.example"), processes=2)
    assert most_connections(own, "read", 4, 264, {"durable": 10}) == 40
    assert most_connections(own, "read", 4, 10) == 1
    # What may be asked for is what a race would have begun with.
    for count in (566, 567):
        settings = RaceConfig(lanes=("mysql",), writers=4, readers=count)
        if count == 566:
            require_files(settings, 1_000)
        else:
            with pytest.raises(ConfigError):
                require_files(settings, 1_000)
