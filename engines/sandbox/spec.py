"""What a keeper is asked to start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engines.sandbox.binaries import Binaries, MySQLBinary, RedisBinary


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """What is to be started, for whom: `parent` is the process whose end is the end of the sandbox."""

    lanes: tuple[str, ...]
    base: Path
    port: int | None
    parent: int
    binaries: Binaries

    def message(self) -> dict[str, Any]:
        mysql, redis = self.binaries.mysql, self.binaries.redis
        return {
            "lanes": list(self.lanes),
            "under": str(self.base),
            "port": self.port,
            "parent": self.parent,
            "mysql": mysql and [str(mysql.server), mysql.installer and str(mysql.installer)],
            "redis": redis and [str(redis.server), redis.run_as],
        }

    @staticmethod
    def of(message: Mapping[str, Any]) -> SandboxSpec:
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
        )


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """One server: `program` is its link in the sandbox, `directory` its data and where it works, `log` where its
    output goes. `socket` is where root signs in to a MySQL server; None for Redis."""

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
