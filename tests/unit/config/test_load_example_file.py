"""config.example.toml against the table of settings."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from engines.config.load import load_config
from engines.config.race_config import RaceConfig
from engines.config.settings import BY_KEY, SERVER_TABLES, SETTINGS, Setting
from engines.endpoints.credential_sources import (
    CacheToken,
    FromEnvironment,
    FromFile,
    FromSecretsManager,
    RdsToken,
)
from engines.endpoints.endpoint import TlsOptions

EXAMPLE = Path(__file__).parents[3] / "config.example.toml"

PARTS = re.split(r"^# -{4,}.*\n", EXAMPLE.read_text(), flags=re.MULTILINE)
"""The settings of a race; words on servers; the keys of a server; those of Redis; a set-up on AWS; a local one."""

RACE = [setting for setting in SETTINGS if setting.table not in SERVER_TABLES]


def commented() -> set[str]:
    """The keys without a default, which the example shows behind a #."""
    return set(re.findall(r"^#(\w+) = ", PARTS[0], re.MULTILINE))


def uncommented(part: str) -> str:
    return re.sub(r"^#(\w+ = |\[[\w.]+\])", r"\1", part, flags=re.MULTILINE)


def flat(document: dict[str, object]) -> dict[str, object]:
    sandbox = document.pop("sandbox")
    assert isinstance(sandbox, dict)
    return {**document, **{f"sandbox.{key}": value for key, value in sandbox.items()}}


def test_it_loads_and_changes_nothing() -> None:
    assert load_config({}, {}, str(EXAMPLE)) == RaceConfig()


def test_every_key_is_in_it_once_and_those_with_a_default_hold_it() -> None:
    active = flat(tomllib.loads(EXAMPLE.read_text()))
    assert active.keys() == {s.key for s in RACE if s.default is not None}
    for setting in RACE:
        if setting.default is not None:
            assert setting.value_type.read(active[setting.key]) == setting.default
    assert commented() == {s.key.rpartition(".")[2] for s in RACE if s.default is None}
    assert flat(tomllib.loads(uncommented(PARTS[0]))).keys() == {s.key for s in RACE}


def test_its_examples_of_values_are_taken(tmp_path: Path) -> None:
    file = tmp_path / "all.toml"
    file.write_text(uncommented(PARTS[0]))
    race = load_config({}, {}, str(file))
    assert {source for key, _, source in race.items() if BY_KEY[key] in RACE} == {str(file)}


def test_every_key_of_a_server_is_explained_once_with_a_value_that_is_taken() -> None:
    mysql = tomllib.loads(uncommented(PARTS[2]))["mysql"]
    redis = tomllib.loads(uncommented(PARTS[3]))["durable"]
    assert mysql.keys() == {s.field for s in SETTINGS if s.table == "mysql"}
    own = {s.field for s in SETTINGS if s.table == "durable"} - mysql.keys()
    assert redis.keys() == own | {"iam"}
    for name, value in mysql.items():
        BY_KEY[f"mysql.{name}"].value_type.read(value)
    for name, value in redis.items():
        BY_KEY[f"durable.{name}"].value_type.read(value)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_the_words_above_a_key_say_what_is_allowed(setting: Setting) -> None:
    name = setting.key.rpartition(".")[2]
    part = PARTS[0]
    if setting.table in SERVER_TABLES:
        redis = setting.table in ("durable", "cached.redis") and f"#{name} = " in PARTS[3]
        part = PARTS[3 if redis else 2]
    above = re.search(rf"((?:^# .*\n)+)#?{name} = ", part, re.MULTILINE)
    assert above is not None
    words = " ".join(above[1].replace("\n#", " ").split())
    assert setting.value_type.allowed in words


def load_settings(part: str, directory: Path) -> RaceConfig:
    for name in ("global-bundle.pem", "mysql-password"):
        (directory / name).write_text("x")
        (directory / name).chmod(0o600)
    file = directory / "setup.toml"
    file.write_text(uncommented(part))
    return load_config({}, {}, str(file))


def test_the_set_up_on_aws_is_whole(tmp_path: Path) -> None:
    race = load_settings(PARTS[4], tmp_path)
    endpoints = race.endpoints
    assert list(endpoints) == ["mysql", "cached", "durable"]
    aurora = "telemon.cluster-abcdefgh1234.eu-west-1.rds.amazonaws.com"
    mysql = endpoints["mysql"].mysql
    assert mysql is not None
    assert mysql.secret == RdsToken(aurora, 3306, "telemon")
    assert mysql.tls == TlsOptions(tmp_path / "global-bundle.pem")
    other = endpoints["cached"].mysql
    assert other is not None
    assert isinstance(other.secret, FromSecretsManager)
    assert (other.host, other.database) == (aurora, "telemon_cached")
    cache, durable = endpoints["cached"].redis, endpoints["durable"].redis
    assert cache is not None
    assert durable is not None
    assert cache.secret == CacheToken("elasticache", "telemon-cache", "telemon", "eu-west-1")
    assert durable.secret == CacheToken("memorydb", "telemon", "telemon", "eu-west-1")
    assert cache.tls == durable.tls == TlsOptions()
    assert cache.cluster is durable.cluster is None
    assert race.warnings == ()


def test_the_local_set_up_is_whole(tmp_path: Path) -> None:
    endpoints = load_settings(PARTS[5], tmp_path).endpoints
    assert list(endpoints) == ["mysql", "cached", "durable"]
    for lane in endpoints.values():
        for server in (lane.mysql, lane.redis):
            assert server is None or (server.host, server.tls) == ("127.0.0.1", None)
    mysql, durable = endpoints["mysql"].mysql, endpoints["durable"].redis
    assert mysql is not None
    assert durable is not None
    assert mysql.secret == FromFile(tmp_path / "mysql-password")
    assert durable.secret == FromEnvironment("REDIS_PASSWORD")
