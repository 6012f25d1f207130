"""What the screen says of a race besides its numbers."""

from __future__ import annotations

from dataclasses import dataclass

from engines.config.race_config import RaceConfig
from engines.config.settings import LoadConfig
from engines.model.heats import Heat, heat_order

SANDBOX = "sandbox"
"""Where lanes race that have no servers of their own."""


DEFAULTS = LoadConfig()
"""The defaults of the table of settings."""


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """The settings of a race that stand in the header, as last asked for.

    `paced` says that operations are due at a rate, `rate_per_s` (per role and lane) is that rate, or the one to go
    back to, if any. `where` says in a word whose servers are raced, `servers` names those that the user named, as
    "host:port" and nothing else. `duration_s` is None for a race without an end, `heats` are the turns of the lanes
    in their order (empty where they race together).
    """

    preset: str = DEFAULTS.preset
    writers: int = 1
    readers: int = 1
    batch: int = DEFAULTS.batch
    ttl_s: float = DEFAULTS.ttl_s
    paced: bool = False
    rate_per_s: float | None = None
    where: str = SANDBOX
    servers: tuple[str, ...] = ()
    duration_s: float | None = None
    heats: tuple[Heat, ...] = ()

    @staticmethod
    def of(settings: RaceConfig) -> LoadSettings:
        """The header's part of a race's settings."""
        servers = _servers(settings)
        return LoadSettings(
            preset=settings.preset,
            writers=settings.writers,
            readers=settings.readers,
            batch=settings.batch,
            ttl_s=settings.ttl_s,
            paced=settings.mode == "pace",
            rate_per_s=settings.rate_per_s,
            where=_where(len(settings.lanes) - len(settings.endpoints), len(servers)),
            servers=servers,
            duration_s=settings.duration_s,
            heats=tuple(heat_order(settings.lanes, settings.rounds)) if settings.heats else (),
        )


def _servers(settings: RaceConfig) -> tuple[str, ...]:
    """The servers of the racing lanes that have some of their own, each once, from left to right."""
    found = (
        f"{server.host}:{server.port}"
        for endpoints in settings.endpoints.values()
        for server in (endpoints.mysql, endpoints.redis)
        if server is not None
    )
    return tuple(dict.fromkeys(found))


def _where(private: int, servers: int) -> str:
    """The word for so many lanes on private servers and so many servers of one's own."""
    own = "endpoint" if servers == 1 else "endpoints"
    if not servers:
        return SANDBOX
    return f"{SANDBOX} + {own}" if private else own
