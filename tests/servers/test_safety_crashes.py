"""Secrets from every kind of source, looked for in what is left of a telemon that crashes: they are never there."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from engines.sandbox.sandbox import Sandbox
from tests.support.secret_servers import KINDS, Planted, planted_servers
from tests.support.terminal import Terminal
from tests.support.user_servers import CODE

QUICK = ("--duration", "0.4s", "--warmup", "0s")

MADE = "made to fail"

FAILING = f"""
import os
def fail(*_, **__):
    held = os.environ["PLANTED_WORD"]  # where it fails a secret is at hand
    raise RuntimeError("{MADE}")
"""

CRASHES = {
    "while it races": "import engines.race.race; engines.race.race.Race.frames = fail",
    "while it connects": "import engines.backends.dialer; engines.backends.redis.connection.dial_any = fail",
    "while it signs in": "import engines.backends.redis.connection as connection; connection.with_credential = fail",
}
"""What goes wrong in telemon's own process."""

IN_AN_ENGINE = f"""
import sys
if "engines.process" in " ".join(sys.orig_argv):
    import os
    os.environ["PLANTED_WORD"] = open(__file__ + ".word").read()  # no engine process inherits it
    {FAILING.strip().replace(chr(10), chr(10) + "    ")}
    import engines.driver.reactor
    engines.driver.reactor.Reactor.run = fail
"""
"""A sitecustomize.py, which Python runs before anything else."""

ON_SCREEN = f"{FAILING}\nimport tui.app.app\ntui.app.app.TelemonApp.action_help = fail\n{CODE}"


@pytest.fixture(params=KINDS)
def planted(request: pytest.FixtureRequest, sandbox: Sandbox, tmp_path: Path) -> Iterator[Planted]:
    with planted_servers(request.param, sandbox, tmp_path) as servers:
        yield servers


def test_a_crash_of_telemon_or_of_an_engine(planted: Planted, tmp_path: Path) -> None:
    """In one line, and with the traceback that TELEMON_DEBUG=1 asks for."""
    (tmp_path / "sitecustomize.py").write_text(IN_AN_ENGINE)
    (tmp_path / "sitecustomize.py.word").write_text(planted.word)
    argv = ("run", *QUICK, "--lanes", planted.lanes[-1])
    for debug, when in (("", "while it races"), *(("1", when) for when in CRASHES)):
        environ = {"TELEMON_DEBUG": debug, "PLANTED_WORD": planted.word}
        code = f"import engines.backends.redis.client\n{FAILING}\n{CRASHES[when]}\n{CODE}"
        done = planted.own.telemon(*argv, code=code, environ=environ)
        assert done.code == 1
        assert MADE in done.err, when
        assert ("Traceback" in done.err) == bool(debug)
        planted.check(done.out + done.err, f"a crash {when}")
    done = planted.own.telemon(*argv, environ={**environ, "PYTHONPATH": str(tmp_path)})
    assert done.code == 1
    assert f"RuntimeError: {MADE}" in done.err
    planted.check(done.out + done.err, "the crash of an engine")


@pytest.mark.parametrize("debug", ["", "1"], ids=["one line", "traceback"])
def test_a_crash_of_the_screen(planted: Planted, tmp_path: Path, debug: str) -> None:
    """Textual's own report would show the local variables of every frame."""
    argv = ("--config", str(planted.own.write()), "--warmup", "0s", "--lanes", planted.lanes[-1])
    environ = {**planted.own.environ, "TELEMON_DEBUG": debug, "PLANTED_WORD": planted.word}
    with Terminal(argv, environ, tmp_path, ON_SCREEN) as terminal:
        terminal.read_until("racing")
        terminal.press("?")
        terminal.read_to_the_end()
    assert "RuntimeError" in terminal.seen
    assert ("Traceback" in terminal.seen and MADE in terminal.seen) == bool(debug)
    planted.check(terminal.seen, "what a crashed screen leaves")


@pytest.mark.parametrize("planted", ["sources"], indirect=True)
def test_engines_that_are_killed_and_one_that_dumps_its_stack(planted: Planted) -> None:
    argv = ("run", "--duration", "3s", "--lanes", ",".join(planted.lanes))
    with planted.own.started(*argv, environ={"PYTHONFAULTHANDLER": "1"}) as process:
        assert process.stdout is not None
        begun = process.stdout.readline() + process.stdout.readline()
        assert planted.lanes[0] in begun
        engines = [
            child
            for child in psutil.Process(process.pid).children()
            if "engines.process" in " ".join(child.cmdline())
        ]
        for engine, number in zip(engines, (signal.SIGABRT, signal.SIGKILL), strict=False):
            engine.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert "signal 6" in out + err
    assert "signal 9" in out + err
    planted.check(begun + out + err, "what was said of dead engines")
