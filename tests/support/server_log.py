"""What servers are told: MySQL's general log, and MONITOR with the counts of commands on Redis."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Thread
from typing import Any

import redis

from engines.backends.redis.client import client, nodes
from engines.sandbox.sandbox import Sandbox
from tests.support.user_servers import as_root, redis_endpoints


@contextmanager
def general_log(sandbox: Sandbox, server: str, heard: list[tuple[str, str]]) -> Iterator[None]:
    """Have the server write down all that it is told, into a table of its own; `heard` gets it in the end."""
    as_root(
        sandbox,
        server,
        "SET GLOBAL log_output = 'TABLE'",
        "TRUNCATE TABLE mysql.general_log",
        "SET GLOBAL general_log = ON",
    )
    try:
        yield
    finally:
        as_root(sandbox, server, "SET GLOBAL general_log = OFF")
        rows = as_root(
            sandbox,
            server,
            "SELECT command_type, argument FROM mysql.general_log WHERE user_host NOT LIKE '%root%'",
        )
        as_root(sandbox, server, "TRUNCATE TABLE mysql.general_log")
        heard += [(str(kind), _text(argument)) for kind, argument in rows]


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


class Listener:
    """MONITOR on one node, and what the node has counted in the end."""

    def __init__(self, node: redis.Redis, address: str) -> None:
        self.heard: list[str] = []
        self.counted: set[str] = set()
        self._node = node
        host, _, port = address.rpartition(":")
        password = node.connection_pool.connection_kwargs["endpoint"].password
        self._monitor = redis.Redis(
            host, int(port), password=password, protocol=2, driver_info=None, socket_timeout=None
        ).monitor()  # type: ignore[no-untyped-call]

    @contextmanager
    def listening(self) -> Iterator[None]:
        self._node.config_resetstat()
        with self._monitor as monitor:
            thread = Thread(target=self._listen, args=(monitor,), daemon=True)
            thread.start()
            yield
            self.counted = {
                name.removeprefix("cmdstat_") for name in self._node.info("commandstats")
            }
            # A word of ours, after which nothing is to be waited for.
            self._node.echo("that is all")
            thread.join(10)
            assert not thread.is_alive()

    def _listen(self, monitor: Any) -> None:
        for told in monitor.listen():
            if told["command"] == "ECHO that is all":
                return
            self.heard.append(told["command"])


@contextmanager
def overheard(sandbox: Sandbox, statements: list[tuple[str, str]]) -> Iterator[list[Listener]]:
    """Listen to every server of the sandbox. `statements` gets what MySQL was told, in the end."""
    listeners = []
    with ExitStack() as stack:
        for server in ("mysql", "cached-mysql"):
            stack.enter_context(general_log(sandbox, server, statements))
        for at in redis_endpoints(sandbox):
            for address in nodes(at):
                node = stack.enter_context(client(address, at))
                listeners.append(Listener(node, address))
                stack.enter_context(listeners[-1].listening())
        yield listeners
