"""The environment of a race: its servers, its machine and the caveats that are known before it starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engines.model.caveats import Caveat
from engines.model.server_facts import ServerFacts


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """The machine that telemon runs on. The names and the order of the fields are those of the result's JSON.

    `cpus_allowed` is the number of processors in the affinity mask of this process. `cpu_limit` is the limit of its
    control group in processors, None without a limit. `memory_bytes` and `memory_limit_bytes` are the memory of the
    machine and the limit of the control group, None without one. `versions` are those of Python and the client
    libraries.
    """

    cpus: int | None
    cpus_allowed: int | None = None
    cpu_limit: float | None = None
    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    system: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def usable_cpus(self) -> float | None:
        """How many processors telemon may use, by control group and affinity; None if neither is known."""
        limits = (self.cpu_limit, self.cpus_allowed)
        return min((limit for limit in limits if limit is not None), default=None)


@dataclass(frozen=True, slots=True)
class RaceEnvironment:
    """What a reader must know to judge a result. The mappings are by lane, in the order of the settings.

    Every field may be empty or None: a frame source without servers of its own has no environment to tell of.
    """

    addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The "host:port" of each user-provided server of a lane; () for a lane on private servers."""
    machine: MachineFacts | None = None
    servers: Mapping[str, Sequence[ServerFacts]] = field(default_factory=dict)
    caveats: tuple[Caveat, ...] = ()
    file_system: str | None = None
    """The type of the file system under the private servers; None without private servers."""
    volatile: bool | None = None
    """Whether that file system is in memory; None without private servers."""

    @property
    def private_lanes(self) -> tuple[str, ...]:
        """The lanes that race on private servers."""
        return tuple(lane for lane, addresses in self.addresses.items() if not addresses)
