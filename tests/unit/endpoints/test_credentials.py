"""Sources of passwords: valid values, errors, and how often a source is fetched."""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.endpoints import credentials as secret
from engines.endpoints.credential_sources import (
    Credential,
    CredentialSource,
    FromCommand,
    FromEnvironment,
    FromFile,
    SecretError,
)
from engines.endpoints.credentials import credential, with_credential


class Clock:
    """Time as the test tells it."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(secret, "monotonic", clock)
    return clock


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    """Empty the cache, so that no test sees what another fetched."""
    secret._cache.clear()
    yield
    secret._cache.clear()


def counting(path: Path, says: str) -> FromCommand:
    """A command that says what stands in a file, and leaves a line each time that it runs."""
    (path / "says").write_text(says)
    script = f'echo x >> "{path}/runs"; cat "{path}/says"'
    return FromCommand(("/bin/sh", "-c", script))


def runs(path: Path) -> int:
    return len((path / "runs").read_text().splitlines())


def test_the_environment_a_file_and_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ITS_PASSWORD", "from env ü")
    file = tmp_path / "password"
    file.write_bytes("from file ü\r\n".encode())
    assert FromEnvironment("ITS_PASSWORD").fetch() == Credential("from env ü")
    assert FromFile(file).fetch() == Credential("from file ü")
    assert FromCommand(("printf", "%s\\n", "from  command")).fetch() == Credential("from  command")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            FromEnvironment("NOT_SET_ANYWHERE"),
            "variable NOT_SET_ANYWHERE (password_env) is not set",
        ),
        (FromFile(Path("/no/such")), "/no/such (password_file) cannot be read: No such file"),
        (FromFile(Path("/")), "(password_file) cannot be read: Is a directory"),
        (FromFile(Path("/dev/null")), "must be one line, not empty"),
        (FromFile(Path("/dev/zero")), "must be one line, not empty"),
        (FromCommand(("/no/such/program",)), "cannot be run: No such file or directory"),
        (FromCommand(("/",)), "cannot be run: Permission denied"),
        (FromCommand(("false",)), "ended with exit code 1; run it by hand to see why"),
        (FromCommand(("sh", "-c", "kill -9 $$")), "ended with a signal"),
        (FromCommand(("printf", "a\\nb\\n")), "must be one line, not empty"),
        (FromCommand(("printf", "\\377")), "not UTF-8"),
        (FromCommand(("sh", "-c", "echo sup3r >&2; exit 3")), "ended with exit code 3"),
    ],
)
def test_what_cannot_be_had_is_one_line_without_a_secret(
    source: CredentialSource, expected: str
) -> None:
    with pytest.raises(SecretError) as raised:
        source.fetch()
    message = str(raised.value)
    assert expected in message
    assert len(message.splitlines()) == 1
    assert "sup3r" not in message
    # Nor in the text of a traceback.
    assert "sup3r" not in repr(raised.value.__cause__)


def test_a_command_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engines.endpoints.credential_sources.COMMAND_TIMEOUT_S", 0.1)
    with pytest.raises(SecretError, match=r"sleep \(password_command\) did not end within"):
        FromCommand(("sleep", "60")).fetch()


def test_nothing_secret_shows_in_a_repr_and_sources_travel() -> None:
    assert "hunter2" not in repr(Credential("hunter2", "bob"))
    command = FromCommand(("vault", "-token=hunter2"))
    assert "hunter2" not in repr(command)
    assert pickle.loads(pickle.dumps(command)) == command


def test_a_source_is_asked_once_until_a_server_refuses_what_it_said(
    tmp_path: Path, clock: Clock
) -> None:
    source = counting(tmp_path, "one")
    first = credential(source)
    clock.now_s += 100_000
    assert credential(source) is first
    assert runs(tmp_path) == 1
    (tmp_path / "says").write_text("two")
    assert credential(source, refused=first) == Credential("two")
    assert runs(tmp_path) == 2
    # Another connection that was refused with the first credential gets the second without another
    # fetch.
    assert credential(source, refused=first) == Credential("two")
    assert runs(tmp_path) == 2


def test_many_refusals_at_once_ask_once(tmp_path: Path, clock: Clock) -> None:
    source = counting(tmp_path, "same")
    refused = credential(source)
    clock.now_s += 10
    for _ in range(20):
        assert credential(source, refused) == refused
    assert runs(tmp_path) == 2
    clock.now_s += secret.RETRY_S + 0.1
    credential(source, refused)
    assert runs(tmp_path) == 3


def test_threads_wait_for_one_answer(tmp_path: Path) -> None:
    source = counting(tmp_path, "slow")
    answers: list[Credential] = []
    threads = [
        threading.Thread(target=lambda: answers.append(credential(source))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert answers == [Credential("slow")] * 8
    assert runs(tmp_path) == 1


def test_a_source_that_fails_is_not_asked_again_within_a_second(
    tmp_path: Path, clock: Clock
) -> None:
    source = FromCommand(("/bin/sh", "-c", f'echo x >> "{tmp_path}/runs"; exit 1'))
    for _ in range(5):
        with pytest.raises(SecretError):
            credential(source)
    assert runs(tmp_path) == 1
    clock.now_s += secret.RETRY_S + 0.1
    with pytest.raises(SecretError):
        credential(source)
    assert runs(tmp_path) == 2


class RefusedError(Exception):
    pass


def test_signing_in_tries_a_new_credential_once(tmp_path: Path, clock: Clock) -> None:
    source = counting(tmp_path, "old")
    tried: list[str] = []

    def attempt(with_: Credential) -> str:
        tried.append(with_.password)
        if with_.password != "new":
            raise RefusedError
        return "in"

    def in_(source: CredentialSource | None) -> str:
        configured = Credential("own")
        return with_credential(
            source, configured, attempt, lambda error: isinstance(error, RefusedError)
        )

    credential(source)
    clock.now_s += 10
    (tmp_path / "says").write_text("new")
    assert in_(source) == "in"
    assert tried == ["old", "new"]
    # A credential that was refused and is fetched again unchanged is not tried a second time.
    tried.clear()
    (tmp_path / "says").write_text("other")
    secret._cache.clear()
    with pytest.raises(RefusedError):
        in_(source)
    assert tried == ["other"]
    # Without a source there is no other credential to try.
    tried.clear()
    with pytest.raises(RefusedError):
        in_(None)
    assert tried == ["own"]


def test_another_failure_than_a_refusal_asks_nobody(tmp_path: Path, clock: Clock) -> None:
    source = counting(tmp_path, "x")
    credential(source)
    clock.now_s += 10

    def attempt(_: Credential) -> None:
        raise OSError("no route")

    with pytest.raises(OSError, match="no route"):
        with_credential(
            source, Credential(""), attempt, lambda error: isinstance(error, RefusedError)
        )
    assert runs(tmp_path) == 1


def test_a_file_that_is_a_pipe_without_a_writer_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secret, "FETCH_LIMIT_S", 0.2)
    pipe = tmp_path / "password"
    os.mkfifo(pipe)
    with pytest.raises(SecretError, match=r"password_file .*: no password within"):
        credential(FromFile(pipe))
