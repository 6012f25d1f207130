"""Connections from an engine process to its servers."""

from __future__ import annotations

import socket
from collections.abc import Callable

from engines.backends.failure_text import error_text
from engines.endpoints.endpoint import MySQLEndpoint, RedisEndpoint
from engines.ipc.messages import EngineSpec
from engines.lanes.context import MYSQL_ADDRESS
from engines.wire.dialect import MYSQL as MYSQL_DIALECT
from engines.wire.dialect import REDIS as REDIS_DIALECT
from engines.wire.dialect import Dialect


class ServerConnector:
    """Dialects and connect functions for the servers of one engine process, by address."""

    def __init__(self, spec: EngineSpec) -> None:
        self._spec = spec

    def __call__(self, address: str) -> tuple[Dialect, Callable[[], socket.socket]]:
        """Return the dialect of the server at `address` and a function that opens a socket to it and blocks."""
        endpoints = self._spec.endpoints
        if address == MYSQL_ADDRESS:
            mysql = endpoints.mysql
            assert mysql is not None
            # In the preset `deck` each batch ends with its own COMMIT; otherwise the single
            # statement of a batch commits itself.
            autocommit = not (self._spec.load.preset == "deck" and self._spec.role == "write")
            return MYSQL_DIALECT, lambda: _open_mysql(mysql, autocommit)
        redis = endpoints.redis
        assert redis is not None
        return REDIS_DIALECT, lambda: _open_redis(address, redis)

    def processes(self, address: str) -> int:
        """Return how many engine processes of the race connect to the server at `address`, this one included."""
        sharing = self._spec.sharing
        return sharing.mysql if address == MYSQL_ADDRESS else sharing.redis

    def name(self, address: str) -> str:
        """Return the server at `address` as "host:port", as the user configured it."""
        mysql = self._spec.endpoints.mysql
        if address == MYSQL_ADDRESS and mysql is not None:
            return f"{mysql.host}:{mysql.port}"
        return address


# The client libraries are imported on first use: an engine process that never uses Redis saves 20
# MB.


def _open_mysql(endpoint: MySQLEndpoint, autocommit: bool) -> socket.socket:
    """Open a connection; blocks. Raises ConnectionError with a text of one line."""
    from engines.backends.mysql.client import open_socket

    try:
        return open_socket(endpoint, autocommit=autocommit)
    except Exception as error:
        raise ConnectionError(error_text(error, endpoint.namespace)) from error


def _open_redis(address: str, endpoint: RedisEndpoint) -> socket.socket:
    """Open a connection to the node at `address`; blocks. Raises ConnectionError with a text of one line."""
    from engines.backends.redis.client import open_socket

    try:
        return open_socket(address, endpoint)
    except Exception as error:
        raise ConnectionError(error_text(error, endpoint.namespace)) from error
