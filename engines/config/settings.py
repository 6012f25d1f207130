"""The one table of all settings: flags, environment, file, help, `telemon config` and the example come from it."""

from __future__ import annotations

import re
from dataclasses import dataclass

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
from engines.model.lanes import LANES
from engines.workload.key_distribution import KINDS

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its `key` in a TOML file ("sandbox.port" is `port` in the table `[sandbox]`), the `field` of
    `config.Race`, or of the part of it that is the table, that holds it (units in its name), its kind and default, and
    what it is `about`.

    `unset` says in words what None means; a setting without it always has a value. The value of a `secret` one is
    shown nowhere.
    """

    key: str
    field: str
    kind: ValueType
    default: object
    about: str
    unset: str | None = None
    secret: bool = False

    @property
    def flag(self) -> str | None:
        """None for those of servers: they are many, and the process list is no place for secrets."""
        return None if self.table in SERVER_TABLES else "--" + re.sub("[._]", "-", self.key)

    @property
    def env(self) -> str:
        return ENV_PREFIX + self.key.replace(".", "_").upper()

    @property
    def table(self) -> str:
        """The table that it stands in: "sandbox", "cached.mysql"; empty at the top of a file."""
        return self.key.rpartition(".")[0]

    def shown(self, value: object) -> object:
        """`value`, or a mask where it is secret. Of a command the program is shown: its arguments may be tokens."""
        if not self.secret or value is None:
            return value
        if isinstance(value, tuple):
            return (value[0], MASK) if len(value) > 1 else value
        return MASK


MASK = "********"

SERVER_TABLES = ("mysql", "cached.mysql", "cached.redis", "durable")
"""The tables of the lanes' servers."""

TABLES = (*SERVER_TABLES, "cached", "sandbox")
"""The tables of a file."""

ENV_PREFIX = "TELEMON_"

CONFIG_ENV = "TELEMON_CONFIG"
"""Names the configuration file; the flag --config goes before it."""

DEBUG_ENV = "TELEMON_DEBUG"
"""Set to 1, an unexpected error shows its traceback."""

NAME = Text(re.compile(r"[\w$-]{1,64}", re.ASCII), "1 to 64 letters, digits, _, $ or -", "NAME")
"""A database: what needs no quoting anywhere."""

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
    """The settings of a server: those of every kind of server, and its `own` last."""

    def setting(
        name: str,
        kind: ValueType,
        default: object,
        about: str,
        unset: str | None = None,
        secret: bool = False,
    ) -> Setting:
        return Setting(f"{table}.{name}", name, kind, default, about, unset, secret)

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


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "preset",
        "preset",
        Choice(("fair", "deck")),
        "fair",
        "fair: the same keys and batches in every lane; deck: what the slides do, to the letter",
    ),
    Setting("lanes", "lanes", ChoiceList(LANES), LANES, "the lanes that race"),
    Setting("writers", "writers", Integer(0, 1024), 4, "connections that write, per lane"),
    Setting("readers", "readers", Integer(0, 1024), 8, "connections that read, per lane"),
    Setting(
        "processes",
        "processes",
        Integer(1, 64),
        1,
        "engine processes per lane and role, which share its connections",
    ),
    Setting("batch", "batch", Integer(1, 10_000), 100, "rows per write: one commit, one pipeline"),
    Setting(
        "ttl",
        "ttl_s",
        Duration(0.001, 30 * DAY_S),
        120.0,
        "how long lane cached keeps a row in its cache",
    ),
    Setting(
        "seed",
        "seed",
        Integer(0, 2**63 - 1),
        1,
        "the same seed gives the same keys and rows, in every lane and every run",
    ),
    Setting(
        "mode",
        "mode",
        Choice(("saturate", "pace")),
        "saturate",
        "saturate: each connection sends as soon as it has its reply; pace: operations are due at a rate",
    ),
    Setting(
        "rate",
        "rate_per_s",
        Float(0.1, 1_000_000),
        None,
        "operations per second, of each role in each lane",
        unset="none: mode pace needs one",
    ),
    Setting(
        "heats", "heats", Boolean(), False, "whether each lane has the machine to itself in turn"
    ),
    Setting("rounds", "rounds", Integer(1, 100), 2, "how often each lane has its heat"),
    Setting(
        "keys",
        "keys",
        Choice(KINDS),
        "uniform",
        "how operations are spread over the cars: evenly, by Zipf's law, or with a hot set",
    ),
    Setting("zipf_exponent", "zipf_exponent", Float(0.01, 10), 0.99, "how steep Zipf's law is"),
    Setting("hot_keys", "hot_keys", Float(0.001, 1), 0.2, "the hot set's share of the cars"),
    Setting(
        "hot_operations",
        "hot_operations",
        Float(0, 1),
        0.8,
        "the share of the operations that go to the hot set",
    ),
    Setting(
        "ttl_jitter",
        "ttl_jitter",
        Float(0, 0.99),
        0.0,
        "the share by which a time to live may be longer or shorter, at random",
    ),
    Setting(
        "cache",
        "cache",
        Choice(("cold", "filled")),
        "cold",
        "how the cache of lane cached is when the warm-up begins",
    ),
    Setting(
        "warmup",
        "warmup_s",
        Duration(0.0, DAY_S),
        2.0,
        "how long the lanes race before anything counts",
    ),
    Setting(
        "duration",
        "duration_s",
        Duration(0.001, 30 * DAY_S),
        None,
        "how long to measure, warm-up not included",
        unset="until you quit; 30s without a screen",
    ),
    Setting(
        "sandbox.directory",
        "directory",
        FilePath("the path of a directory", "DIR"),
        None,
        "where the private servers keep their data while they run, best on a real disk",
        unset="a directory that telemon picks",
    ),
    Setting(
        "sandbox.port",
        "port",
        Integer(1024, 50_000),
        None,
        "the first of the consecutive ports on 127.0.0.1 that the private servers take",
        unset="ports that are free",
    ),
    *_mysql("mysql", "telemon"),
    *_mysql("cached.mysql", "telemon_cached"),
    *_redis("cached.redis", "the cache"),
    *_redis("durable", "the Redis Cluster"),
)

BY_KEY = {setting.key: setting for setting in SETTINGS}
