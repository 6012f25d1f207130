"""How exactly an engine process wakes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from engines.driver.poller import TIMER_SLACK, TIMER_SLACK_NS

HERE = "from pathlib import Path; print(Path('/proc/self/timerslack_ns').read_text())"


@pytest.mark.skipif(not TIMER_SLACK.exists(), reason="this system has no such setting")
def test_an_engine_s_waits_are_not_drawn_out() -> None:
    """Its own process starts with what the system gives to all."""

    def told(*words: str) -> int:
        code = "; ".join([*words, HERE])
        ran = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        return int(ran.stdout)

    assert told() > TIMER_SLACK_NS
    woken = "from engines.driver.poller import set_timer_slack; set_timer_slack()"
    assert told(woken) == TIMER_SLACK_NS


@pytest.mark.skipif(not TIMER_SLACK.exists(), reason="this system has no such setting")
def test_an_engine_begins_with_it() -> None:
    # No channel comes with the descriptor: it is closed, and the engine has nothing to do but to say what it was.
    code = (
        "import socket; from engines.process import __main__ as worker; near, far = socket.socketpair(); far.close(); "
        f"worker.main(near.detach()); {HERE}"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(ran.stdout) == TIMER_SLACK_NS
