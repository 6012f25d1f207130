"""Servers of one's own in the configuration: what is taken, what is refused in which words, and what never shows."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engines.config.errors import ConfigError
from engines.config.load import load_config
from engines.config.race_config import RaceConfig
from engines.config.settings import BY_KEY, MASK, SERVER_TABLES, SETTINGS
from engines.endpoints.credential_sources import (
    CacheToken,
    FromCommand,
    FromEnvironment,
    FromFile,
    RdsToken,
)
from engines.endpoints.endpoint import MySQLEndpoint, RedisEndpoint, TlsOptions
from engines.text import to_toml

PLANTED = "hunter2-planted"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "race.toml"
    path.touch(mode=0o600)
    return path


def loaded(file: Path, text: str, environ: dict[str, str] | None = None) -> RaceConfig:
    file.write_text(text)
    return load_config({}, environ or {}, str(file))


def last_error(file: Path, text: str, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as raised:
        loaded(file, text, environ)
    message = str(raised.value)
    assert message.isprintable()
    assert len(message) < 700
    assert PLANTED not in message
    return message


def test_without_servers_there_are_no_endpoints() -> None:
    assert load_config({}, {}).endpoints == {}


def test_a_mysql_server_with_everything(file: Path) -> None:
    (file.parent / "ca.pem").touch()
    race = loaded(
        file,
        '[mysql]\nhost = "db.example"\nport = 3307\nuser = "bob"\npassword = "p w"\ndatabase = "race-1"\n'
        'tls_ca = "ca.pem"\ntls_verify = "chain"\ntls_server_name = "other.example"\n'
        'address_map = { "db.example:3307" = "127.0.0.1:13307" }\n',
    )
    assert race.endpoints.keys() == {"mysql"}
    assert race.endpoints["mysql"].mysql == MySQLEndpoint(
        "db.example",
        3307,
        "bob",
        "p w",
        "race-1",
        tls=TlsOptions(file.parent / "ca.pem", "chain", "other.example"),
        address_map=(("db.example:3307", "127.0.0.1:13307"),),
    )


def test_a_redis_cluster_with_everything(file: Path) -> None:
    race = loaded(
        file,
        '[durable]\nhost = "clustercfg.x.memorydb.eu-west-1.amazonaws.com"\nuser = "bob"\niam = "memorydb"\n'
        'iam_name = "x"\nregion = "eu-west-1"\ncluster = "on"\nread_from = "replicas"\n',
    )
    assert race.endpoints["durable"].redis == RedisEndpoint(
        "clustercfg.x.memorydb.eu-west-1.amazonaws.com",
        6379,
        "",
        cluster=True,
        user="bob",
        tls=TlsOptions(),
        secret=CacheToken("memorydb", "x", "bob", "eu-west-1"),
        read_replicas=True,
    )


def test_certificates_are_verified_and_clusters_are_asked_unless_somebody_says_otherwise(
    file: Path,
) -> None:
    at = loaded(file, '[durable]\nhost = "h"').endpoints["durable"].redis
    assert at is not None
    assert (at.tls, at.cluster, at.read_replicas) == (TlsOptions(None, "full", None), None, False)
    at = loaded(file, '[durable]\nhost = "h"\ntls = false').endpoints["durable"].redis
    assert at is not None
    assert at.tls is None


def test_where_passwords_come_from(file: Path) -> None:
    (file.parent / "secret").touch(mode=0o600)
    for line, source in (
        ('password_env = "DB_PASSWORD"', FromEnvironment("DB_PASSWORD")),
        ('password_file = "secret"', FromFile(file.parent / "secret")),
        ('password_command = ["a", "b c"]', FromCommand(("a", "b c"))),
        ("password_command = \"a 'b c'\"", FromCommand(("a", "b c"))),
        ("iam = true", RdsToken("h", 3306, "u")),
    ):
        at = loaded(file, f'[mysql]\nhost = "h"\nuser = "u"\n{line}').endpoints["mysql"].mysql
        assert at is not None
        assert (at.secret, at.password) == (source, "")


def test_every_key_has_a_variable_and_no_flag() -> None:
    race = load_config(
        {},
        {
            "TELEMON_MYSQL_HOST": "h",
            "TELEMON_MYSQL_USER": "u",
            "TELEMON_MYSQL_PASSWORD": PLANTED,
            "TELEMON_MYSQL_TLS": "false",
            "TELEMON_CACHED_MYSQL_HOST": "h",
            "TELEMON_CACHED_MYSQL_USER": "u",
            "TELEMON_CACHED_MYSQL_PASSWORD_COMMAND": "vault read 'x y'",
            "TELEMON_CACHED_REDIS_HOST": "::1",
            "TELEMON_CACHED_REDIS_ADDRESS_MAP": "a:1=b:2, ::1:6379=127.0.0.1:7000",
        },
    )
    cached = race.endpoints["cached"]
    assert cached.mysql is not None
    assert cached.redis is not None
    assert cached.mysql.database == "telemon_cached"
    assert cached.mysql.secret == FromCommand(("vault", "read", "x y"))
    assert cached.redis.host == "::1"
    assert cached.redis.address_map == (("a:1", "b:2"), ("::1:6379", "127.0.0.1:7000"))
    sources = {key: source for key, _, source in race.items()}
    assert sources["mysql.password"] == "TELEMON_MYSQL_PASSWORD"
    # Only a file can be read by others.
    assert race.warnings == ()
    for setting in SETTINGS:
        assert (setting.flag is None) == (setting.table in SERVER_TABLES)


@pytest.mark.parametrize(
    ("lines", "key", "value"),
    [
        ('host = "db.example:3306"', "host", "'db.example:3306'"),
        ('host = "mysql://h"', "host", "'mysql://h'"),
        (f'host = "mysql://bob:{PLANTED}@h/x"', "host", MASK),
        ('host = ""', "host", "''"),
        ("host = 1", "host", "1"),
        ('host = "a b"', "host", "'a b'"),
        ("port = 0", "port", "0"),
        ("port = 65536", "port", "65536"),
        ('port = "3306"', "port", "'3306'"),
        ('user = ""', "user", "''"),
        ('user = " u"', "user", "' u'"),
        (f'password = ["{PLANTED}"]', "password", MASK),
        (f'password = "{PLANTED}\\n"', "password", MASK),
        ('password = ""', "password", MASK),
        ('password_env = "A B"', "password_env", "'A B'"),
        ('password_file = ""', "password_file", "''"),
        ("password_command = []", "password_command", MASK),
        (f'password_command = ["{PLANTED}", 1]', "password_command", MASK),
        (f'password_command = "vault \'{PLANTED}"', "password_command", MASK),
        ('password_secret = "a b"', "password_secret", "'a b'"),
        ('database = "a.b"', "database", "'a.b'"),
        ('database = "a`b"', "database", "'a`b'"),
        ("iam = 1", "iam", "1"),
        ('iam = "yes"', "iam", "'yes'"),
        ('region = "Ireland"', "region", "'Ireland'"),
        ('tls = "on"', "tls", "'on'"),
        ("tls_ca = true", "tls_ca", "True"),
        ("tls_verify = false", "tls_verify", "False"),
        ('tls_server_name = "a:1"', "tls_server_name", "'a:1'"),
        ("address_map = {}", "address_map", "{}"),
        ('address_map = { "a" = "b:1" }', "address_map", "{'a': 'b:1'}"),
        ('address_map = { "a:1" = "b:0" }', "address_map", "{'a:1': 'b:0'}"),
        ('address_map = { "a:1" = "b c:1" }', "address_map", "{'a:1': 'b c:1'}"),
        ('address_map = ["a:1"]', "address_map", "['a:1']"),
    ],
)
def test_a_value_that_is_refused(file: Path, lines: str, key: str, value: str) -> None:
    allowed = BY_KEY[f"mysql.{key}"].value_type.allowed
    host = "" if key == "host" else 'host = "h"\n'
    assert last_error(file, f"[mysql]\n{host}{lines}") == (
        f"{file}: mysql.{key} = {value}: must be {allowed}"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[cached.redis]\niam = "rds"', "cached.redis.iam = 'rds': must be \"off\" or"),
        ('[durable]\niam_name = "My-Cache"', "must be 1 to 63 lower-case letters, digits or"),
        ("[durable]\ncluster = true", 'durable.cluster = True: must be "auto" or "on" or "off"'),
        ('[durable]\nread_from = "replica"', 'must be "primaries" or "replicas"'),
        ("[mysql]\nhots = 1", "mysql.hots: unknown key; did you mean mysql.host?"),
        ("[mysql]\nzzzzz = 1", "mysql.zzzzz: unknown key; the keys are mysql.host, mysql.port,"),
        ("[cached]\nhost = 1", "cached.host: unknown key; "),
        ("[mysql.mysql]\nhost = 1", "mysql.mysql: unknown key; "),
        (f'mysql = "mysql://bob:{PLANTED}@h"', "mysql: must be a table, [mysql]"),
        (f'cached = "{PLANTED}"', "cached: must be a table, [cached]"),
        ('[cached]\nredis = "h"', "cached.redis: must be a table, [cached.redis]"),
        ("[[mysql]]\nport = 1", "mysql: must be a table, [mysql]"),
        ('[mysql]\n"a.b" = 1', "unknown key; "),
        (
            '[cached]\n"redis.host" = "h"',
            "unknown key; write cached.redis.host, without the quotes",
        ),
    ],
)
def test_files_that_name_no_servers(file: Path, text: str, said: str) -> None:
    message = last_error(file, text)
    assert message.startswith(f"{file}: ")
    assert said in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[mysql]\nuser = "u"', 'mysql.user = "u": means nothing without mysql.host'),
        (f'[mysql]\npassword = "{PLANTED}"', "means nothing without mysql.host"),
        (
            '[mysql]\nhost = "h"',
            "mysql.user = not set: MySQL has no user by default; name the user",
        ),
        (
            f'[mysql]\nhost = "h"\nuser = "u"\npassword = "{PLANTED}"\npassword_env = "X"',
            'mysql.password_env = "X": only one of these may be set',
        ),
        (
            '[mysql]\nhost = "h"\nuser = "u"\niam = true\ntls = false',
            "mysql.tls = false: a token is a password in the clear",
        ),
        (
            '[mysql]\nhost = "h"\nuser = "u"\niam = true\ntls_verify = "none"',
            'mysql.tls_verify = "none": a token is a password in the clear',
        ),
        ('[mysql]\nhost = "h"\niam = true', "mysql.user = not set: a token is for a user"),
        (
            '[mysql]\nhost = "h"\nuser = "u"\ntls = false\ntls_ca = "x"',
            "mysql.tls = false: means nothing without TLS",
        ),
        (
            '[mysql]\nhost = "h"\nuser = "u"\ntls_ca = "no-such.pem"',
            '/no-such.pem": cannot be read: No such file or directory',
        ),
        (
            '[mysql]\nhost = "h"\nuser = "u"\npassword_file = "/"',
            'mysql.password_file = "/": cannot be read: Is a directory',
        ),
        (
            '[durable]\nhost = "h"\nuser = "u"\niam = "memorydb"',
            "durable.iam_name = not set: one needs the other",
        ),
        ('[durable]\nhost = "h"\niam_name = "x"', 'durable.iam_name = "x": one needs the other'),
        (
            '[durable]\nhost = "h"\niam = "memorydb"\niam_name = "x"',
            "durable.user = not set: a token is for a user",
        ),
        (
            '[durable]\nhost = "h"\ncluster = "off"\nread_from = "replicas"',
            'durable.read_from = "replicas": only a cluster\'s replicas are known',
        ),
        (
            '[cached.redis]\nhost = "h"',
            'cached.redis.host = "h": lane cached has two servers; cached.mysql.host is missing',
        ),
        (
            '[cached.mysql]\nhost = "h"\nuser = "u"',
            'cached.mysql.host = "h": lane cached has two servers; cached.redis.host is missing',
        ),
        (
            '[mysql]\nhost = "h"\nuser = "u"\ndatabase = "d"\n[cached.mysql]\nhost = "h"\nuser = "u"\n'
            'database = "d"\n[cached.redis]\nhost = "r"',
            'cached.mysql.database = "d": on one server two lanes need a database each',
        ),
        (
            '[cached.mysql]\nhost = "h"\nuser = "u"\n[cached.redis]\nhost = "r"\n[durable]\nhost = "r"',
            'durable.host = "r": one server cannot be the cache of one lane and the system of record',
        ),
    ],
)
def test_settings_that_contradict_each_other(file: Path, text: str, said: str) -> None:
    message = last_error(file, text)
    assert message.startswith((f"{file}: ", "default: "))
    assert said in message


def test_two_lanes_on_one_server_have_a_database_each_by_default(file: Path) -> None:
    endpoints = loaded(
        file,
        '[mysql]\nhost = "h"\nuser = "u"\n[cached.mysql]\nhost = "h"\nuser = "u"\n[cached.redis]\nhost = "r"',
    ).endpoints
    databases = [lane.mysql.database for lane in endpoints.values() if lane.mysql]
    assert databases == ["telemon", "telemon_cached"]


def test_the_servers_of_a_lane_that_does_not_race_are_left_out(file: Path) -> None:
    race = loaded(
        file,
        'lanes = ["mysql"]\n[durable]\nhost = "h"\ntls_ca = "/no/such"\n[cached.redis]\nhost = "x"',
    )
    assert race.endpoints == {}


ONE_TABLE = (
    '[mysql]\nhost = "h"\nuser = "u"\ndatabase = "d"\n[cached.mysql]\nhost = "h"\nuser = "u"\ndatabase = "d"\n'
    '[cached.redis]\nhost = "r"'
)
"""A configuration in which lanes mysql and cached would write one table."""

ONE_REDIS = (
    '[cached.mysql]\nhost = "h"\nuser = "u"\n[cached.redis]\nhost = "r"\n[durable]\nhost = "r"'
)
"""One in which the cache of lane cached would be the system of record of lane durable."""


@pytest.mark.parametrize(
    ("servers", "lanes"),
    [
        (ONE_TABLE, ["mysql"]),
        (ONE_TABLE, ["cached"]),
        (ONE_TABLE, ["mysql", "durable"]),
        (ONE_TABLE, ["cached", "durable"]),
        (ONE_REDIS, ["durable"]),
        (ONE_REDIS, ["cached"]),
        (ONE_REDIS, ["mysql", "cached"]),
        (ONE_REDIS, ["mysql", "durable"]),
    ],
)
def test_a_lane_that_does_not_race_conflicts_with_none(
    file: Path, servers: str, lanes: list[str]
) -> None:
    race = loaded(file, f"lanes = {json.dumps(lanes)}\n{servers}")
    assert race.lanes == tuple(lanes)


@pytest.mark.parametrize(
    ("servers", "lanes"),
    [(ONE_TABLE, ["mysql", "cached"]), (ONE_REDIS, ["cached", "durable"])],
)
def test_lanes_that_race_conflict_though_another_does_not_race(
    file: Path, servers: str, lanes: list[str]
) -> None:
    message = last_error(file, f"lanes = {json.dumps(lanes)}\n{servers}")
    assert "one server" in message


def test_a_plain_password_that_others_can_read_is_warned_of(file: Path) -> None:
    text = f'[mysql]\nhost = "h"\nuser = "u"\npassword = "{PLANTED}"'
    assert loaded(file, text).warnings == ()
    for mode in (0o640, 0o604):
        file.chmod(mode)
        (warning,) = loaded(file, text).warnings
        assert warning.startswith(
            f"{file}: holds mysql.password, and others can read it; chmod 600"
        )
        assert PLANTED not in warning
    (file.parent / "secret").write_text(PLANTED)
    (file.parent / "secret").chmod(0o644)
    text = '[mysql]\nhost = "h"\nuser = "u"\npassword_file = "secret"'
    (warning,) = loaded(file, text).warnings
    assert warning == (
        f"{file.parent}/secret: others can read it (mysql.password_file); chmod 600 it"
    )


def test_no_secret_shows_in_what_a_race_says_of_itself(file: Path) -> None:
    race = loaded(
        file,
        f'[mysql]\nhost = "h"\nuser = "u"\npassword = "{PLANTED}"\n[durable]\nhost = "r"\n'
        f'password_command = ["vault", "-token={PLANTED}"]',
    )
    shown = {key: value for key, value, _ in race.items()}
    assert shown["mysql.password"] == MASK
    assert shown["durable.password_command"] == ("vault", MASK)
    result = race.to_json()
    assert result["mysql"]["password"] == MASK  # type: ignore[index]
    assert result["durable"]["password_command"] == ["vault", MASK]  # type: ignore[index]
    assert "cached.redis" not in result
    for text in (repr(race), str(race), json.dumps(result), repr(race.endpoints)):
        assert PLANTED not in text
    assert pickle.loads(pickle.dumps(race)) == race
    at = race.endpoints["mysql"].mysql
    assert at is not None
    assert at.password == PLANTED


def test_what_is_shown_of_a_map_and_a_switch_can_be_read_back(file: Path) -> None:
    ways = (("a:1", "b:2"), ("c:3", "d:4"))
    text = f'[durable]\nhost = "h"\ntls = {to_toml(False)}\naddress_map = {to_toml(ways)}'
    at = loaded(file, text).endpoints["durable"].redis
    assert at is not None
    assert (at.tls, at.address_map) == (None, ways)


values = (
    st.booleans()
    | st.integers()
    | st.sampled_from(["h", "on", "auto", "off", "memorydb", "1", "true", PLANTED, "/", "a:1"])
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    | st.lists(st.just(PLANTED), max_size=2)
    | st.dictionaries(st.sampled_from(["a:1", "b"]), st.sampled_from(["c:2", PLANTED]), max_size=2)
)
names = st.sampled_from([setting.field for setting in SETTINGS if setting.table in SERVER_TABLES])


def written(value: object) -> str:
    """As TOML has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(char):08X}" for char in value) + '"'
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    assert isinstance(value, dict)
    return f"{{{', '.join(f'{written(key)} = {written(item)}' for key, item in value.items())}}}"


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    tables=st.dictionaries(
        st.sampled_from(SERVER_TABLES), st.dictionaries(names, values, max_size=5), max_size=3
    ),
    secret=st.sampled_from(["password", "password_command"]),
)
def test_whatever_is_in_the_tables_a_race_or_one_line_without_a_secret_comes_out(
    file: Path, tables: dict[str, dict[str, object]], secret: str
) -> None:
    lines = []
    for table, fields in tables.items():
        shown = {key: value for key, value in fields.items() if PLANTED not in repr(value)}
        lines += [f"[{table}]", f"{secret} = {written(PLANTED)}"]
        lines += [f"{key} = {written(value)}" for key, value in shown.items() if key != secret]
    file.write_text("\n".join(lines))
    try:
        race = load_config({}, {}, str(file))
    except ConfigError as error:
        message = str(error)
        assert message.isprintable()
        assert len(message) < 1500
        # A command's first word is its program, and no secret.
        assert PLANTED not in message or secret == "password_command"
    else:
        assert all(lane.lane in race.lanes for lane in race.endpoints.values())
        assert PLANTED not in repr(race)
