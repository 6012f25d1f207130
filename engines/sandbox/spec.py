"""Messages between a sandbox and its supervisor: the servers to start, and the deaths of servers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from engines.config.memory_need import SIZES_BYTES
from engines.endpoints.redaction import foreign_text
from engines.model.deaths import DeathCause, ProcessEnd, ServerDeath
from engines.sandbox.binaries import Binaries, MySQLBinary, RedisBinary


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """Servers to start. The sandbox ends when the process with id `parent` ends.

    `base` is the directory in which to create the sandbox's own. `port` is the first port, or None to find one.
    `size_bytes` is the size of each buffer pool and of the cache.
    """

    lanes: tuple[str, ...]
    base: Path
    port: int | None
    parent: int
    binaries: Binaries
    size_bytes: int = SIZES_BYTES[0]

    def message(self) -> dict[str, Any]:
        """Return the spec as a JSON object for the supervisor."""
        mysql, redis = self.binaries.mysql, self.binaries.redis
        return {
            "lanes": list(self.lanes),
            "under": str(self.base),
            "port": self.port,
            "parent": self.parent,
            "size_bytes": self.size_bytes,
            "mysql": mysql and [str(mysql.server), mysql.installer and str(mysql.installer)],
            "redis": redis and [str(redis.server), redis.run_as],
        }

    @staticmethod
    def of(message: Mapping[str, Any]) -> SandboxSpec:
        """Return the spec from the JSON object of `message`."""
        mysql, redis = message["mysql"], message["redis"]
        return SandboxSpec(
            tuple(message["lanes"]),
            Path(message["under"]),
            message["port"],
            message["parent"],
            Binaries(
                mysql and MySQLBinary(Path(mysql[0]), mysql[1] and Path(mysql[1])),
                redis and RedisBinary(Path(redis[0]), redis[1]),
            ),
            message["size_bytes"],
        )


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """One server to start.

    `program` is its link in the sandbox. `directory` holds its data and is its working directory. `log` receives its
    output. `socket` is the Unix socket on which root signs in to a MySQL server; None for Redis. `authority` is the
    file of the authority that vouches for the server's certificate; None for a server without TLS.
    """

    name: str
    lane: str
    title: str
    program: Path
    arguments: tuple[str, ...]
    directory: Path
    log: Path
    port: int
    password: str = field(repr=False)
    socket: Path | None = None
    authority: Path | None = None


def death_message(death: ServerDeath) -> dict[str, Any]:
    """Return the death of a server as a JSON object."""
    return asdict(death)


def death_of(message: Mapping[str, Any]) -> ServerDeath:
    """Return the death of a server from its JSON object."""
    return ServerDeath(
        lane=message["lane"],
        server=message["server"],
        title=message["title"],
        at_utc_s=message["at_utc_s"],
        end=ProcessEnd(**message["end"]),
        cause=message["cause"] and DeathCause(message["cause"]),
        last_lines=tuple(map(foreign_text, message["last_lines"])),
    )
