"""Child processes: each is started with an environment made for it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines import child_environment
from engines.endpoints.credential_sources import (
    CacheToken,
    FromCommand,
    FromEnvironment,
    FromFile,
    FromSecretsManager,
    RdsToken,
)

ROOT = Path(__file__).parents[3]

STARTERS = ("run", "Popen", "call", "check_call", "check_output", "getoutput", "getstatusoutput")
OF_OS = ("system", "popen", "spawn", "exec", "posix_spawn", "fork")

SECRETS = {
    "TELEMON_MYSQL_PASSWORD": "pw",
    "AWS_SECRET_ACCESS_KEY": "key",
    "VAULT_TOKEN": "token",
    "MYSQL_PWD": "pw",
    "REDISCLI_AUTH": "pw",
    "HTTPS_PROXY": "http://user:pw@proxy",
    "SSH_AUTH_SOCK": "/run/agent",
}


def calls(tree: ast.AST) -> Iterator[tuple[str, str, ast.Call]]:
    """Yield every call of a function of a module as (module, function, call)."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=module), attr=name)):
                yield module, name, node


def started(tree: ast.AST) -> Iterator[tuple[int, bool]]:
    """Yield the line of every call that starts a process, and whether it names an environment."""
    for module, name, call in calls(tree):
        if module == "subprocess" and name in STARTERS:
            yield call.lineno, any(keyword.arg == "env" for keyword in call.keywords)
        elif (module == "os" and name.startswith(OF_OS)) or (
            module == "asyncio" and name.startswith("create_subprocess")
        ):
            yield call.lineno, False


def test_every_process_is_started_with_an_environment_of_its_own() -> None:
    found = {}
    for half in ("engines", "tui"):
        for path in (ROOT / half).rglob("*.py"):
            for line, named in started(ast.parse(path.read_text(encoding="utf-8"))):
                found[f"{path.relative_to(ROOT)}:{line}"] = named
    assert len(found) >= 8
    assert [place for place, named in found.items() if not named] == []


@pytest.mark.parametrize(
    "code",
    ["subprocess.run(['x'])", "os.system('x')", "asyncio.create_subprocess_exec('x')"],
)
def test_a_process_with_the_whole_environment_would_be_found(code: str) -> None:
    assert list(started(ast.parse(code))) == [(1, False)]


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("secrets")
def test_no_program_of_any_kind_gets_a_secret_by_default() -> None:
    for environment in (
        child_environment.program_environment(),
        child_environment.python_environment("/somewhere"),
        child_environment.of_names(child_environment.TLS_NAMES, child_environment.DIRECTORY_NAMES),
    ):
        assert environment.keys() & SECRETS.keys() == set()


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize(
    ("source", "secrets_needed"),
    [
        (FromEnvironment("VAULT_TOKEN"), {"VAULT_TOKEN"}),
        (FromEnvironment("TELEMON_MYSQL_PASSWORD"), {"TELEMON_MYSQL_PASSWORD"}),
        (FromEnvironment("NOT_SET"), set()),
        (FromFile(Path("/etc/pw")), set()),
        (FromSecretsManager("arn"), {"AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY"}),
        (RdsToken("h", 3306, "u"), {"AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY"}),
        (CacheToken("memorydb", "n", "u"), {"AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY"}),
        (FromCommand(("pass",)), SECRETS.keys() - {"TELEMON_MYSQL_PASSWORD"}),
    ],
)
def test_a_source_of_passwords_names_the_variables_that_it_reads(
    source: FromEnvironment, secrets_needed: set[str]
) -> None:
    assert source.environment().keys() & SECRETS.keys() == secrets_needed
