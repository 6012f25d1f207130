"""The settings of a race that the header shows."""

from __future__ import annotations

from dataclasses import dataclass

from engines.config.race_config import RaceConfig
from engines.config.settings import LoadConfig
from engines.model.heats import Heat, heat_order

SANDBOX = "sandbox"
"""Name of the place where lanes race that have no user-provided servers."""


DEFAULTS = LoadConfig()
"""The defaults of the table of settings."""


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """The settings of a race that the header shows, as last requested.

    `paced` says that operations are due at a rate. `rate_per_s` is that rate per role and lane; in a closed loop it is
    the rate to go back to, if any. `where` is one word for whose servers are raced. `servers` lists the user-provided
    servers as "host:port" and nothing else. `duration_s` is None for a race without an end. `heats` are the heats in
    their order; empty where the lanes race together.
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
        """Return the part of a race's settings that the header shows."""
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
    """Return the user-provided servers of the racing lanes as "host:port", each once, from left to right."""
    found = (
        f"{server.host}:{server.port}"
        for endpoints in settings.endpoints.values()
        for server in (endpoints.mysql, endpoints.redis)
        if server is not None
    )
    return tuple(dict.fromkeys(found))


def _where(private: int, servers: int) -> str:
    """Return the word for `private` lanes on sandbox servers and `servers` user-provided servers."""
    own = "endpoint" if servers == 1 else "endpoints"
    if not servers:
        return SANDBOX
    return f"{SANDBOX} + {own}" if private else own
