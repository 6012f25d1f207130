"""What an engine process knows of the servers that it connects to."""

from __future__ import annotations

from engines.config.settings import LoadConfig
from engines.endpoints.endpoint import LaneEndpoints, MySQLEndpoint, RedisEndpoint
from engines.ipc.messages import EngineSpec, ServerSharing
from engines.lanes.context import MYSQL_ADDRESS
from engines.process.connect import ServerConnector


def test_how_many_processes_share_a_server_goes_by_its_product() -> None:
    lanes = LaneEndpoints(
        "cached",
        mysql=MySQLEndpoint("db", 3306, "u", "p", "d"),
        redis=RedisEndpoint("cache", 6379, "p"),
    )
    load = LoadConfig(preset="fair", seed=1, batch=1, ttl_s=1.0)
    connector = ServerConnector(
        EngineSpec("cached", "read", 0, 4, 1, load, lanes, sharing=ServerSharing(8, 4))
    )
    assert connector.processes(MYSQL_ADDRESS) == 8
    # Each node of a cluster is connected to by all of them.
    assert connector.processes("cache:6379") == connector.processes("other:6379") == 4
