"""Connections to Redis and Valkey nodes through redis-py, with TLS, tunnels and credential sources."""

from __future__ import annotations

from socket import socket
from typing import Any

from redis import ConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.connection import Connection
from redis.credentials import UsernamePasswordCredentialProvider
from redis.exceptions import AuthenticationError
from redis.retry import Retry

from engines.backends.dialer import (
    CONNECT_TIMEOUT_S,
    IO_TIMEOUT_S,
    OPEN_LIMIT_S,
    dial_any,
    wrap_tls,
)
from engines.backends.redis.reply_parser import NodeParser, check_callbacks
from engines.endpoints.address import split
from engines.endpoints.credential_sources import Credential
from engines.endpoints.credentials import with_credential
from engines.endpoints.deadline import Deadline, note_reply, note_step, watch
from engines.endpoints.endpoint import RedisEndpoint
from engines.endpoints.listener import require_own_listener
from engines.endpoints.node_addresses import targets


class NodeConnection(Connection):
    """redis-py connection to one node of an endpoint."""

    def __init__(self, *, endpoint: RedisEndpoint, **kwargs: Any) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        self._endpoint = endpoint

    def connect(self) -> None:
        """Connect and sign in. Blocks. Raises redis.RedisError or SecretError."""
        if self._sock is None:
            with_credential(
                self._endpoint.secret,
                Credential(self._endpoint.password),
                self._attempt,
                lambda error: isinstance(error, AuthenticationError),
            )

    def _attempt(self, credential: Credential) -> None:
        user, password = credential.user or self._endpoint.user, credential.password
        if user or password:
            self.credential_provider = UsernamePasswordCredentialProvider(user, password)
        server = f"Redis at {self.host}:{self.port}"
        with Deadline("connecting", OPEN_LIMIT_S, server=server):
            watch(lambda: self._sock)
            super().connect()  # type: ignore[no-untyped-call]

    def _connect(self) -> socket:
        endpoint = self._endpoint
        sock = _dial_node(f"{self.host}:{self.port}", endpoint)
        if endpoint.tls:
            sock = wrap_tls(sock, endpoint.tls, self.host)
        note_step("sign-in")
        return sock

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        """Return the next reply, and note it for the deadline of the work that it belongs to."""
        try:
            return super().read_response(*args, **kwargs)
        finally:
            note_reply()


def _dial_node(address: str, endpoint: RedisEndpoint) -> socket:
    """Return a TCP connection to the node that the servers call `address`. Blocks.

    Raises OSError: ForbiddenNodeError or ForeignListenerError if telemon must not sign in there.
    """
    sock = dial_any(address, targets(address, endpoint))
    if endpoint.nodes:
        try:
            require_own_listener(sock)
        except OSError:
            sock.close()
            raise
    return sock


def _connection_options(address: str, endpoint: RedisEndpoint) -> dict[str, Any]:
    host, port = split(address)
    return {
        "endpoint": endpoint,
        "host": host,
        "port": port,
        # redis-py 8 would otherwise use RESP3 and send four commands of its own on each connection.
        "protocol": 2,
        "driver_info": None,
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "socket_timeout": IO_TIMEOUT_S,
        "retry": Retry(NoBackoff(), 0),
        "parser_class": NodeParser,
    }


def open_socket(address: str, endpoint: RedisEndpoint) -> socket:
    """Return an authenticated socket to the node at `address`, detached from redis-py.

    With TLS it is an `ssl.SSLSocket`. Blocks. Raises redis.RedisError, SecretError or OSError.
    """
    connection = NodeConnection(**_connection_options(address, endpoint))
    connection.connect()
    try:
        if endpoint.read_replicas:
            # A replica redirects its clients to the primary unless they send READONLY.
            connection.send_command("READONLY")  # type: ignore[no-untyped-call]
            connection.read_response()
    except BaseException:
        connection.disconnect()  # type: ignore[no-untyped-call]
        raise
    sock: socket | None = connection._sock
    assert sock is not None
    connection._sock = None
    connection._parser.on_disconnect()
    return sock


def client(address: str, endpoint: RedisEndpoint) -> Redis:
    """Return a redis-py client for the single node at `address`, without retries."""
    pool = ConnectionPool(connection_class=NodeConnection, **_connection_options(address, endpoint))
    node = Redis.from_pool(pool)
    check_callbacks(node)
    return node
