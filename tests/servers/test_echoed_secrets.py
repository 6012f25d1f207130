"""Servers that quote the password in all that they say: telemon shows it nowhere, and goes on to say what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.echoing_servers import FORMS, echoing_mysql, echoing_redis
from tests.support.terminal import Terminal
from tests.support.user_servers import OwnServers

SECRET = "pl4nted/secret+for'echo=%&"

SHOWN = {form(SECRET) for form in FORMS.values()}
"""Every form in which the servers quote it."""

QUICK = ("--duration", "0.4s", "--warmup", "0s")

COMMANDS = (
    ("doctor",),
    ("doctor", "--json"),
    ("run", *QUICK, "--format", "json"),
    ("prepare", "--yes"),
    ("clean", "--yes"),
)


@contextmanager
def configured(kind: str, directory: Path) -> Iterator[tuple[OwnServers, str]]:
    """telemon's configuration with an echoing server of a kind, and the lane that it belongs to."""
    if kind == "mysql":
        with echoing_mysql(SECRET) as port:
            table = {"port": port, "user": "telemon", "database": "telemon"}
            yield of("mysql", table, directory), "mysql"
    else:
        with echoing_redis(SECRET, takes_auth=kind == "redis after AUTH") as port:
            table = {"port": port, "cluster": "off", "user": "telemon"}
            yield of("durable", table, directory), "durable"


def of(table: str, keys: dict[str, object], directory: Path) -> OwnServers:
    common = {"host": "127.0.0.1", "tls": False, "password_env": "ECHOED"}
    return OwnServers(None, directory, {table: {**common, **keys}}, {"ECHOED": SECRET})  # type: ignore[arg-type]


def check(said: str, where: object) -> None:
    for form in SHOWN:
        assert form not in said, f"the password was let out by {where}"


@pytest.mark.parametrize("kind", ["mysql", "redis", "redis after AUTH"])
def test_no_command_shows_what_a_server_quotes(kind: str, tmp_path: Path) -> None:
    with configured(kind, tmp_path) as (own, lane):
        for command in COMMANDS:
            done = own.telemon(*command, "--lanes", lane)
            check(done.out + done.err, command)
            assert "Traceback" not in done.err
            assert "internal error" not in done.err
            assert done.code in (1, 2)


@pytest.mark.parametrize("kind", ["mysql", "redis"])
def test_the_screen_does_not_show_it_either(kind: str, tmp_path: Path) -> None:
    with configured(kind, tmp_path) as (own, lane):
        argv = ("--config", str(own.write()), "--lanes", lane)
        with Terminal(argv, {**own.environ, "TELEMON_DEBUG": "1"}, tmp_path) as terminal:
            terminal.read_to_the_end()
        check(terminal.seen, "the screen")
        assert "127.0.0.1" in terminal.seen
