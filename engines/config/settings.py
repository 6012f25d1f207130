"""The table of all settings.

A row holds the type, default, help text and uses of one setting. Flags, environment, file, help, `telemon config`,
`RaceConfig`, what engine processes are told, the fairness sheet and the option table of the README read it.
"""

from __future__ import annotations

# ruff: noqa: RUF009  -- `row` makes a dataclass field, once per class.
import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from engines.config.value_types import (
    AddressMapType,
    Boolean,
    Choice,
    ChoiceList,
    Command,
    Duration,
    FilePath,
    Float,
    HostName,
    Integer,
    Text,
    ValueType,
)
from engines.endpoints.redaction import MASK as MASK
from engines.model.lanes import LANES, SERVER_SLOTS, ServerSlot
from engines.model.roles import CONNECTIONS, Role
from engines.text import duration_text
from engines.workload.key_distribution import (
    KINDS,
    UNIFORM,
    DistributionKind,
    KeyDistribution,
)

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table of settings.

    `key` is the name in a TOML file: "sandbox.port" is `port` in the table `[sandbox]`. `field` is the name of the
    dataclass field that holds the value, with the unit in it. `about` is the help text. `unset` says in words what
    None means; a setting without it always has a value. The value of a `secret` setting is shown nowhere.
    """

    key: str
    field: str
    value_type: ValueType
    default: object
    about: str
    unset: str | None = None
    secret: bool = False
    live: bool = False
    """Whether a key changes it while the race runs, with a control of `engines.model.controls`."""
    in_fairness_sheet: bool = False
    """Whether it shapes the load, so that the fairness sheet of a result shows it."""

    @property
    def flag(self) -> str | None:
        """Return the command line flag.

        None for the settings of servers: they are many, and every user can read secrets in the process list.
        """
        return None if self.table in SERVER_TABLES else "--" + re.sub("[._]", "-", self.key)

    @property
    def env(self) -> str:
        """Return the name of the environment variable."""
        return ENV_PREFIX + self.key.replace(".", "_").upper()

    @property
    def table(self) -> str:
        """Return the TOML table that holds it: "sandbox", "cached.mysql", or "" at the top of a file."""
        return self.key.rpartition(".")[0]

    @property
    def default_text(self) -> str:
        """Return the default as the help shows it."""
        if self.default is None:
            return self.unset or ""
        if isinstance(self.value_type, Boolean):
            return str(self.default).lower()
        if isinstance(self.value_type, Duration):
            return duration_text(float(str(self.default)))
        if isinstance(self.default, tuple):
            return ",".join(map(str, self.default))
        return str(self.default)

    def shown(self, value: object) -> object:
        """Return `value`, masked if it is secret. Of a command only the program is shown: arguments may be tokens."""
        if not self.secret or value is None:
            return value
        if isinstance(value, tuple):
            return (value[0], MASK) if len(value) > 1 else value
        return MASK


SERVER_TABLES = tuple(slot.table for slot in SERVER_SLOTS)
"""The tables of the lanes' servers."""

OUTER_TABLES = tuple(dict.fromkeys(t.partition(".")[0] for t in SERVER_TABLES if "." in t))
"""Tables that hold nothing but tables of servers: `[cached]`."""

TABLES = (*SERVER_TABLES, *OUTER_TABLES, "sandbox")
"""The tables of a file."""

ENV_PREFIX = "TELEMON_"

CONFIG_ENV = "TELEMON_CONFIG"
"""Names the configuration file; the flag --config goes before it."""

DEBUG_ENV = "TELEMON_DEBUG"
"""Set to 1, an unexpected error shows its traceback."""

NAME = Text(re.compile(r"[\w$-]{1,64}", re.ASCII), "1 to 64 letters, digits, _, $ or -", "NAME")
"""The type of a database name: one that needs no quoting anywhere."""

NAMESPACE = Text(
    re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII),
    "1 to 32 lower-case letters, digits or _, a letter first",
    "NAME",
)
"""The type of a namespace: part of a table's name and of key names, so it needs no quoting in either."""

USER = Text(re.compile(r"\S(.{0,254}\S)?"), "a user name", "USER")
PASSWORD = Text(re.compile(r".{1,4096}"), "a password of one line", "PASSWORD")
VARIABLE = Text(re.compile(r"[A-Za-z_]\w*", re.ASCII), "the name of an environment variable", "VAR")
SECRET_ID = Text(
    re.compile(r"[\w/+=.@:!-]{1,2048}", re.ASCII), "the ARN or the name of a secret", "ARN"
)
REGION = Text(re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]+"), 'an AWS region like "eu-west-1"', "REGION")
CACHE_NAME = Text(
    re.compile(r"[a-z][a-z0-9-]{0,62}"), "1 to 63 lower-case letters, digits or hyphens", "NAME"
)
FILE = FilePath("the path of a file", "FILE")


def _server(table: str, what: str, *own: Setting) -> tuple[Setting, ...]:
    """Return the settings of a server: those that every server has, then its `own`."""

    def setting(
        name: str,
        value_type: ValueType,
        default: object,
        about: str,
        unset: str | None = None,
        secret: bool = False,
    ) -> Setting:
        return Setting(f"{table}.{name}", name, value_type, default, about, unset, secret)

    lane = table.partition(".")[0]
    port = 3306 if what == "MySQL" else 6379
    return (
        setting(
            "host", HostName(), None, f"{what} of lane {lane}", f"a private server for lane {lane}"
        ),
        setting("port", Integer(1, 65_535), port, "its port"),
        setting("user", USER, None, "who signs in", "whom the secret names, or nobody"),
        setting("password", PASSWORD, None, "the password itself", "none", secret=True),
        setting("password_env", VARIABLE, None, "the variable that holds the password", "none"),
        setting("password_file", FILE, None, "the file that holds the password", "none"),
        setting(
            "password_command",
            Command(),
            None,
            "the program that prints the password",
            "none",
            secret=True,
        ),
        setting("password_secret", SECRET_ID, None, "the secret in AWS Secrets Manager", "none"),
        setting("region", REGION, None, "the AWS region of secret and token", "AWS' own settings"),
        setting("tls", Boolean(), True, "whether connections are encrypted"),
        setting("tls_ca", FILE, None, "the authorities to trust (PEM)", "those of the system"),
        setting(
            "tls_verify",
            Choice(("full", "chain", "none")),
            "full",
            "full: certificate and host name; chain: any host name; none: whoever answers",
        ),
        setting("tls_server_name", HostName(), None, "the name in its certificate", "its host"),
        setting(
            "address_map",
            AddressMapType(),
            None,
            "ways through tunnels",
            "every server by its address",
        ),
        *own,
    )


def _mysql(table: str, database: str) -> tuple[Setting, ...]:
    return _server(
        table,
        "MySQL",
        Setting(f"{table}.database", "database", NAME, database, "where telemon has its table"),
        Setting(f"{table}.iam", "iam", Boolean(), False, "whether the password is an IAM token"),
        Setting(
            f"{table}.server_public_key",
            "server_public_key",
            FILE,
            None,
            "without TLS: the server's RSA key (PEM) that may encrypt the password",
            "none",
        ),
    )


def _redis(table: str, what: str) -> tuple[Setting, ...]:
    return _server(
        table,
        what,
        Setting(
            f"{table}.cluster",
            "cluster",
            Choice(("auto", "on", "off")),
            "auto",
            "whether it is a cluster; auto: it is asked",
        ),
        Setting(
            f"{table}.read_from",
            "read_from",
            Choice(("primaries", "replicas")),
            "primaries",
            "who of a cluster answers reads",
        ),
        Setting(
            f"{table}.iam",
            "iam",
            Choice(("off", "elasticache", "elasticache-serverless", "memorydb")),
            "off",
            "the service whose IAM token is the password",
        ),
        Setting(f"{table}.iam_name", "iam_name", CACHE_NAME, None, "what the token is for", "none"),
    )


def row(
    value_type: ValueType,
    default: object,
    about: str,
    *,
    key: str = "",
    unset: str | None = None,
    live: bool = False,
    in_fairness_sheet: bool = False,
) -> Any:
    """Return the dataclass field of a setting, with its row of the table as metadata.

    `key` is needed only where the field's name is not the key, because it carries a unit.
    """
    more = {"unset": unset, "live": live, "in_fairness_sheet": in_fairness_sheet}
    return field(default=default, metadata={"row": (key, value_type, about, more)})


MOST_CONNECTIONS = 1024
"""Most connections of a role that a lane can have, by settings and by keys during a race."""


@dataclass(frozen=True, slots=True)
class LoadConfig:
    """The settings of a race without its servers. Each field is a row of the table of settings.

    Engine processes get it whole, so a new row is available there and in `RaceConfig` alike. `writers` and `readers`
    are connections per lane. `duration_s` is the measured part, without the warm-up; None means until the user quits.
    """

    preset: str = row(
        Choice(("fair", "deck")),
        "fair",
        "fair: the same keys and batches in every lane; deck: exactly as in the slides",
        in_fairness_sheet=True,
    )
    lanes: tuple[str, ...] = row(ChoiceList(tuple(LANES)), tuple(LANES), "the lanes that race")
    writers: int = row(
        Integer(0, MOST_CONNECTIONS),
        4,
        "connections that write, per lane",
        live=True,
        in_fairness_sheet=True,
    )
    readers: int = row(
        Integer(0, MOST_CONNECTIONS),
        8,
        "connections that read, per lane",
        live=True,
        in_fairness_sheet=True,
    )
    processes: int = row(
        Integer(1, 64),
        1,
        "engine processes per lane and role, which share its connections",
        in_fairness_sheet=True,
    )
    batch: int = row(
        Integer(1, 10_000),
        100,
        "rows per write: one commit, one pipeline",
        live=True,
        in_fairness_sheet=True,
    )
    ttl_s: float = row(
        Duration(0.001, 30 * DAY_S),
        120.0,
        "time to live of a row in the cache of lane cached",
        key="ttl",
        live=True,
        in_fairness_sheet=True,
    )
    seed: int = row(
        Integer(0, 2**63 - 1),
        1,
        "the same seed gives the same keys and rows, in every lane and every run",
        in_fairness_sheet=True,
    )
    mode: str = row(
        Choice(("saturate", "pace")),
        "saturate",
        "saturate: each connection sends as soon as it has its reply; pace: operations are due at a rate",
        live=True,
        in_fairness_sheet=True,
    )
    rate_per_s: float | None = row(
        Float(0.1, 1_000_000),
        None,
        "operations per second, of each role in each lane",
        key="rate",
        unset="none: mode pace needs one",
        live=True,
        in_fairness_sheet=True,
    )
    heats: bool = row(Boolean(), False, "run each lane alone on the machine, in turn")
    rounds: int = row(Integer(1, 100), 2, "number of heats of each lane", in_fairness_sheet=True)
    keys: DistributionKind = row(
        Choice(KINDS),
        UNIFORM.kind,
        "distribution of operations over the keys: uniform, by Zipf's law, or with a hot set",
        in_fairness_sheet=True,
    )
    zipf_exponent: float = row(
        Float(0.01, 10),
        UNIFORM.exponent,
        "exponent of Zipf's law; a larger one gives more operations to fewer keys",
        in_fairness_sheet=True,
    )
    hot_keys: float = row(
        Float(0.001, 1),
        UNIFORM.hot_keys,
        "share of the keys that are in the hot set",
        in_fairness_sheet=True,
    )
    hot_operations: float = row(
        Float(0, 1),
        UNIFORM.hot_operations,
        "share of the operations that go to the hot set",
        in_fairness_sheet=True,
    )
    ttl_jitter: float = row(
        Float(0, 0.99),
        0.0,
        "largest random change of a time to live, as a share of it",
        in_fairness_sheet=True,
    )
    cache: str = row(
        Choice(("cold", "filled")),
        "cold",
        "state of the cache of lane cached when the warm-up begins",
        in_fairness_sheet=True,
    )
    warmup_s: float = row(
        Duration(0.0, DAY_S),
        2.0,
        "length of the warm-up, which is not counted",
        key="warmup",
    )
    duration_s: float | None = row(
        Duration(0.001, 30 * DAY_S),
        None,
        "length of the measured part, without the warm-up",
        key="duration",
        unset="until you quit; 30s without a screen",
    )
    namespace: str | None = row(
        NAMESPACE,
        None,
        "own names for table and keys, so that several telemons can use the same servers",
        unset="table cars, keys telemon:...",
    )

    @property
    def connections(self) -> dict[Role, int]:
        """Return the connections per lane, by role."""
        return {role: getattr(self, name) for role, name in CONNECTIONS.items()}

    @property
    def key_distribution(self) -> KeyDistribution:
        """Return how operations are spread over keys."""
        return KeyDistribution(self.keys, self.zipf_exponent, self.hot_keys, self.hot_operations)


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """Where the private servers live. None: telemon picks a directory, the system picks the ports."""

    directory: Path | None = row(
        FilePath("the path of a directory", "DIR"),
        None,
        "directory for the data of the private servers while they run, best on a real disk",
        unset="a directory that telemon picks",
    )
    port: int | None = row(
        Integer(1024, 50_000),
        None,
        "first of the consecutive ports on 127.0.0.1 for the private servers",
        unset="ports that are free",
    )


def _rows(kind: type[Any], table: str = "") -> tuple[Setting, ...]:
    """Return the rows that the fields of a dataclass declare. Their keys are in `table`."""
    found = []
    for each in fields(kind):
        key, value_type, about, more = each.metadata["row"]
        name = f"{table}.{key or each.name}" if table else key or each.name
        found.append(Setting(name, each.name, value_type, each.default, about, **more))
    return tuple(found)


def _server_rows(slot: ServerSlot) -> tuple[Setting, ...]:
    if slot.product == "mysql":
        return _mysql(slot.table, slot.database)
    return _redis(slot.table, {"cache": "the cache", "store": "the Redis Cluster"}[slot.role])


SETTINGS: tuple[Setting, ...] = (
    *_rows(LoadConfig),
    *_rows(SandboxConfig, "sandbox"),
    *(setting for slot in SERVER_SLOTS for setting in _server_rows(slot)),
)
"""The table, in the order of the help."""

BY_KEY = {setting.key: setting for setting in SETTINGS}


def default_of(key: str) -> Any:
    """Return the default of a setting. Raises KeyError for a key that is in no row."""
    return BY_KEY[key].default
