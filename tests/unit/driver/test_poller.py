"""Timer slack of an engine process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from engines.driver.poller import TIMER_SLACK, TIMER_SLACK_NS

HERE = "from pathlib import Path; print(Path('/proc/self/timerslack_ns').read_text())"


@pytest.mark.skipif(not TIMER_SLACK.exists(), reason="this system has no such setting")
def test_timer_slack_does_not_extend_the_waits_of_an_engine_process() -> None:
    """A new process starts with the default of the system."""

    def slack_ns(*words: str) -> int:
        code = "; ".join([*words, HERE])
        ran = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        return int(ran.stdout)

    assert slack_ns() > TIMER_SLACK_NS
    woken = "from engines.driver.poller import set_timer_slack; set_timer_slack()"
    assert slack_ns(woken) == TIMER_SLACK_NS


@pytest.mark.skipif(not TIMER_SLACK.exists(), reason="this system has no such setting")
def test_an_engine_process_sets_the_timer_slack() -> None:
    # The other end of the channel is closed, so the engine process ends after it has set its slack.
    code = (
        "import socket; from engines.process import __main__ as worker; near, far = socket.socketpair(); far.close(); "
        f"worker.main(near.detach()); {HERE}"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(ran.stdout) == TIMER_SLACK_NS
