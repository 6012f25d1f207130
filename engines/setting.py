"""The one table of all settings: flags, environment, file, help, `telemon config` and the example come from it."""

from __future__ import annotations

from dataclasses import dataclass

from engines.frame import LANES
from engines.kind import Choice, Directory, Kind, Seconds, Several, Whole

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its `key` in a TOML file ("sandbox.port" is `port` in the table `[sandbox]`), the `field` of
    `config.Race` that holds it (units in its name), its kind and default, and what it is `about`.

    `unset` says in words what None means; a setting without it always has a value.
    """

    key: str
    field: str
    kind: Kind
    default: object
    about: str
    unset: str | None = None

    @property
    def flag(self) -> str:
        return "--" + self.key.replace(".", "-")

    @property
    def env(self) -> str:
        return ENV_PREFIX + self.key.replace(".", "_").upper()

    @property
    def in_sandbox(self) -> bool:
        """Whether it stands in the table `[sandbox]`."""
        return self.key.startswith("sandbox.")


ENV_PREFIX = "TELEMON_"

CONFIG_ENV = "TELEMON_CONFIG"
"""Names the configuration file; the flag --config goes before it."""

DEBUG_ENV = "TELEMON_DEBUG"
"""Set to 1, an unexpected error shows its traceback."""

# Still to come, with issues of their own: mode, rate and heats, and the endpoints of real back ends. Until then
# their keys are unknown, and an unknown key is an error.
SETTINGS: tuple[Setting, ...] = (
    Setting(
        "preset",
        "preset",
        Choice(("fair", "deck")),
        "fair",
        "fair: the same keys and batches in every lane; deck: what the slides do, to the letter",
    ),
    Setting("lanes", "lanes", Several(LANES), LANES, "the lanes that race"),
    Setting("writers", "writers", Whole(0, 1024), 4, "connections that write, per lane"),
    Setting("readers", "readers", Whole(0, 1024), 8, "connections that read, per lane"),
    Setting(
        "processes",
        "processes",
        Whole(1, 64),
        1,
        "engine processes per lane and role, which share its connections",
    ),
    Setting("batch", "batch", Whole(1, 10_000), 100, "rows per write: one commit, one pipeline"),
    Setting(
        "ttl",
        "ttl_s",
        Seconds(0.001, 30 * DAY_S),
        120.0,
        "how long lane cached keeps a row in its cache",
    ),
    Setting(
        "seed",
        "seed",
        Whole(0, 2**63 - 1),
        1,
        "the same seed gives the same keys and rows, in every lane and every run",
    ),
    Setting(
        "warmup",
        "warmup_s",
        Seconds(0.0, DAY_S),
        2.0,
        "how long the lanes race before anything counts",
    ),
    Setting(
        "duration",
        "duration_s",
        Seconds(0.001, 30 * DAY_S),
        None,
        "how long to measure, warm-up not included",
        unset="until you quit; 30s without a screen",
    ),
    Setting(
        "sandbox.directory",
        "directory",
        Directory(),
        None,
        "where the private servers keep their data while they run, best on a real disk",
        unset="a directory that telemon picks",
    ),
    Setting(
        "sandbox.port",
        "port",
        Whole(1024, 50_000),
        None,
        "the first of the consecutive ports on 127.0.0.1 that the private servers take",
        unset="ports that are free",
    ),
)

BY_KEY = {setting.key: setting for setting in SETTINGS}
