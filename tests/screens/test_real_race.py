"""The whole program on real servers, driven from outside through tmux, as on a bastion host."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.pty import ROOT
from tests.support.server_product import redis_product

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


class Tmux:
    """A tmux server of our own with one window of 80x24."""

    def __init__(self, directory: Path) -> None:
        self.base = ["tmux", "-S", str(directory / "tmux"), "-f", "/dev/null"]

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self.base, *arguments],
            # Without a locale tmux has no characters but those of ASCII.
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
        return done.stdout

    def start(self, *arguments: str) -> None:
        entry = "import sys; from tui.cli.main import run; sys.exit(run())"
        command = f"{sys.executable} -c '{entry}' {' '.join(arguments)}; echo ENDED $?; sleep 60"
        self.run("new-session", "-d", "-x", "80", "-y", "24", "-c", str(ROOT), command)

    def screen(self) -> str:
        return self.run("capture-pane", "-p")

    def press(self, *keys: str) -> None:
        self.run("send-keys", *keys)

    def shows(self, *texts: str, seconds: float = 30.0) -> str:
        """Wait until all texts stand on the screen; what stands there then."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            screen = self.screen()
            if all(text in screen for text in texts):
                return screen
            time.sleep(0.1)
        raise AssertionError(f"no {texts} on the screen:\n{screen}")


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    made = Tmux(tmp_path)
    yield made
    subprocess.run([*made.base, "kill-server"], capture_output=True, timeout=10, check=False)


def test_a_session_from_outside(tmux: Tmux) -> None:
    """Start, keys, detach, attach, quit; and the final table on the shell's screen."""
    tmux.start("--warmup", "0.5s", "--writers", "2", "--readers", "2")
    tmux.shows("getting ready", "MariaDB")
    screen = tmux.shows("1 ● MySQL", "3 ■ Durable Redis", "racing", "2 writers 2 readers")
    assert redis_product() in screen
    # A change reaches the engines, and comes back from them as an event.
    tmux.press("w", "x")
    tmux.shows("3 writers", "writer connections: 3 per lane", "cache flushed", seconds=3)
    tmux.press("space")
    tmux.shows("LOAD PAUSED", "load paused")
    tmux.press("space")
    tmux.shows("load resumed")
    # Somebody looks, and goes away again.
    child, master = pty.fork()
    if child == 0:
        os.execvpe("tmux", [*tmux.base, "attach"], {**os.environ, "TERM": "xterm-256color"})
    # On a busy machine it takes a while; detaching before it nobody would end the client.
    end_s = time.monotonic() + 30
    while not tmux.run("list-clients"):
        assert time.monotonic() < end_s
        time.sleep(0.1)
    time.sleep(0.3)
    tmux.run("detach-client")
    # The client waits until its terminal has taken all that was drawn.
    with suppress(OSError):
        while os.read(master, 65536):
            pass
    os.waitpid(child, 0)
    os.close(master)
    tmux.shows("racing")
    tmux.press("q")
    tmux.shows("ENDED 0", seconds=10)
    printed = tmux.run("capture-pane", "-p", "-S", "-100")
    for lane in ("mysql", "cached", "durable"):
        assert lane in printed


def test_an_open_loop_by_key(tmux: Tmux) -> None:
    """Mode and rate are switched, the engines follow, and the result knows of it."""
    tmux.start("--warmup", "0.5s", "--writers", "2", "--readers", "2")
    tmux.shows("racing", "saturate", "p50", seconds=30)
    assert "backlog" not in tmux.screen()
    tmux.press("m")
    # No rate was given: one that every lane can hold.
    screen = tmux.shows("mode: pace, ", "response", "backlog", seconds=5)
    (rate,) = re.findall(r"mode: pace, (\d+) operations per second and role", screen)
    assert f"pace {rate}/s" in screen
    tmux.press("p")
    tmux.shows("pace ", "mode: pace, ", seconds=3)
    tmux.press("m")
    tmux.shows("mode: saturate", "p50", seconds=5)
    tmux.press("q")
    tmux.shows("ENDED 0", seconds=10)
    printed = tmux.run("capture-pane", "-p", "-S", "-100")
    assert f"mode: pace, {rate} operations per second and role" in printed
    assert "mode: saturate" in printed


def test_heats_one_after_the_other(tmux: Tmux) -> None:
    tmux.start("--heats", "--rounds", "1", "--warmup", "0.3s", "--duration", "2s")
    screen = tmux.shows("heat 1 of 3: mysql, round 1 of 1", "racing", seconds=30)
    assert screen.count("waiting") == 2
    screen = tmux.shows("heat 2 of 3: cached, round 1 of 1", "2nd", "waiting", "done")
    assert "3rd" not in screen
    tmux.shows("heat 3 of 3: durable, round 1 of 1", "3rd")
    tmux.shows("result", seconds=10)
    tmux.press("q")
    tmux.shows("ENDED 0", seconds=10)
