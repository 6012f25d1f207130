"""What it takes to start one server of the sandbox, and to start it again."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Launch:
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
