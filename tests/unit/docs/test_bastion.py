"""docs/bastion.md, tried as far as that is possible without AWS."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from jmespath import compile as compile_query  # type: ignore[import-untyped]

from engines.config.load import load_config
from engines.endpoints.credential_sources import CacheToken, RdsToken
from engines.endpoints.endpoint import RedisEndpoint
from tests.support.bastion_docs import acl_rules, blocks, commands
from tui.cli.parser import parser

CUSTOMISED = {
    "ec2": {"protocol", "port", "source-group"},
}
"""Options that the AWS command line makes itself out of others (its own customizations of ec2)."""

OF_EVERY_COMMAND = {"query", "output"}

SESSION = botocore.session.get_session()


def options(words: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for word in words:
        if word.startswith("--"):
            found[word[2:]] = []
        else:
            found[list(found)[-1]].append(word)
    return found


@pytest.mark.parametrize("words", commands("aws"), ids=lambda words: " ".join(words[1:3]))
def test_a_command_of_aws_is_one_that_its_service_knows(words: list[str]) -> None:
    _, service, operation, *rest = words
    model: Any = SESSION.get_service_model(service)
    names = {xform_name(name, "-"): name for name in model.operation_names}
    shape = model.operation_model(names[operation]).input_shape
    known = {xform_name(name, "-"): member for name, member in shape.members.items()}
    given = options(rest)
    assert given.keys() <= known.keys() | CUSTOMISED.get(service, set()) | OF_EVERY_COMMAND
    required = {xform_name(name, "-") for name in shape.required_members}
    assert required <= given.keys()
    for name, values in given.items():
        allowed = getattr(known.get(name), "enum", None)
        if allowed:
            assert values[0] in allowed
        if name == "query":
            compile_query(values[0])
        if name == "authentication-mode":
            members = known[name].members["Type"]
            assert values[0].removeprefix("Type=") in members.enum


def test_the_access_strings_are_those_that_are_tried_on_servers() -> None:
    strings = [options(words[3:]).get("access-string") for words in commands("aws")]
    given = [string[0].split() for string in strings if string]
    assert len(given) == 2
    for rules in given:
        assert rules == acl_rules()


def test_the_policy_allows_signing_in_and_nothing_else() -> None:
    (text,) = blocks("json")
    policy = json.loads(text)
    allowed: dict[str, list[str]] = {}
    for statement in policy["Statement"]:
        assert statement["Effect"] == "Allow"
        resources = statement["Resource"]
        allowed[statement["Action"]] = resources if isinstance(resources, list) else [resources]
    assert set(allowed) == {
        "rds-db:connect",
        "elasticache:Connect",
        "memorydb:connect",
        "secretsmanager:GetSecretValue",
    }
    for action, resources in allowed.items():
        for resource in resources:
            assert "*" not in resource
            assert re.match(rf"arn:aws:{action.split(':')[0]}:[a-z0-9-]+:[0-9]{{12}}:", resource)


@pytest.mark.parametrize(
    "text", blocks("toml"), ids=["whole", "tunnel to MySQL", "tunnels to nodes"]
)
def test_a_configuration_loads_and_means_what_is_said_of_it(text: str, tmp_path: Path) -> None:
    (tmp_path / "global-bundle.pem").touch()
    path = tmp_path / "config.toml"
    path.write_text(text)
    path.chmod(0o600)
    race = load_config({}, {}, str(path))
    assert race.warnings == ()
    tables = tomllib.loads(text)
    assert set(race.endpoints) == set(tables)
    for lane, endpoints in race.endpoints.items():
        for at in (endpoints.mysql, endpoints.redis):
            if at is None:
                continue
            assert at.tls is not None
            assert at.tls.verify == "full"
            assert isinstance(at.secret, CacheToken if isinstance(at, RedisEndpoint) else RdsToken)
            if at.address_map:
                assert f"{at.host}:{at.port}" in dict(at.address_map), lane


@pytest.mark.parametrize("words", commands("telemon"), ids=" ".join)
def test_a_command_of_telemon_is_one(words: list[str]) -> None:
    if words[1:] == ["--version"]:
        return
    parser().parse_args(words[1:])


@pytest.mark.skipif(shutil.which("ssh") is None, reason="there is no ssh here")
@pytest.mark.parametrize("words", commands("ssh"), ids=lambda words: words[3][:5])
def test_a_tunnel_is_one_that_ssh_understands_and_that_the_configuration_uses(
    words: list[str],
) -> None:
    done = subprocess.run(
        ["ssh", "-F", "none", "-G", *words[1:]],
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    forwards = re.findall(r"^localforward ([0-9]+) \[(.*)\]:([0-9]+)$", done.stdout, re.MULTILINE)
    assert len(forwards) == words.count("-L")
    maps: dict[str, str] = {}
    for text in blocks("toml"):
        for table in tomllib.loads(text).values():
            maps |= table.get("address_map", {})
    for local, host, port in forwards:
        assert maps[f"{host}:{port}"] == f"127.0.0.1:{local}"
