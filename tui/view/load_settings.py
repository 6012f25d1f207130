"""The settings of a race that the header shows."""

from __future__ import annotations

from dataclasses import dataclass

from engines.config.race_config import RaceConfig
from engines.config.settings import LoadConfig
from engines.model.heats import Heat, heat_order

SANDBOX = "sandbox"
"""The word for private servers."""


DEFAULTS = LoadConfig()
"""The defaults of the table of settings."""


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """The settings of a race in the header, as last requested.

    `paced` says that the loop is open. `rate_per_s` (per role and lane) is the rate of the open loop, or the one to
    return to. `where` says in a word whose servers they are; `servers` has the user's as "host:port". `duration_s` is
    None for a race without an end. `heats` are in their order, and empty if all lanes race together.
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
    """Return the user's servers of the racing lanes as "host:port", each once, from left to right."""
    found = (
        f"{server.host}:{server.port}"
        for endpoints in settings.endpoints.values()
        for server in (endpoints.mysql, endpoints.redis)
        if server is not None
    )
    return tuple(dict.fromkeys(found))


def _where(private: int, servers: int) -> str:
    """Return the words for `private` lanes on private servers and `servers` servers of the user."""
    own = "endpoint" if servers == 1 else "endpoints"
    if not servers:
        return SANDBOX
    return f"{SANDBOX} + {own}" if private else own
