"""What the screen costs the line behind a terminal, in bytes, and what it survives there. In a real pseudo-terminal."""

from __future__ import annotations

import json
import os
import signal
import time
from itertools import pairwise
from typing import Any

import psutil
import pytest

from tests.support.pty import OnPty


def ended(screen: OnPty, seconds: float = 10.0) -> dict[str, Any]:
    """How it ended."""
    code, told = screen.result(seconds)
    assert told, screen.received[-2000:].decode(errors="replace")
    result: dict[str, Any] = json.loads(told)
    assert code == 0
    return result


@pytest.mark.parametrize("loop", [(), ("--paced",)], ids=["closed", "open"])
@pytest.mark.parametrize(("size", "limit"), [((160, 48), 8_000), ((80, 24), 2_500)])
def test_bytes_per_frame(size: tuple[int, int], limit: int, loop: tuple[str, ...]) -> None:
    """Truecolor, with every number and every chart moving."""
    with OnPty("--frames", "30", "--interval", "0.1", "--fps", "60", *loop, size=size) as screen:
        screen.drain(20)
        result = ended(screen)
        assert result["exited"]
        assert result["shown"] >= 20
        last_s = screen.seconds[-1][0]
        steady = [(at_s, n) for at_s, n in screen.seconds if last_s - 2.4 < at_s < last_s - 0.3]
        # 21 frames' worth of time.
        per_frame = (steady[-1][1] - steady[0][1]) / ((steady[-1][0] - steady[0][0]) / 0.1)
        assert 300 < per_frame < limit, (per_frame, result)
        # A frame that moves the charts as well: what comes without a pause of 40 ms. On a busy machine it may be late,
        # and come together with the next one.
        frames, (start_s, start) = [], steady[0]
        for (before_s, total), (after_s, _) in pairwise(steady):
            if after_s - before_s > 0.04:
                frames.append((total - start) / max(1, round((before_s - start_s) / 0.1)))
                start_s, start = before_s, total
        assert sorted(frames)[len(frames) * 9 // 10] < limit * 1.25, frames


def test_slow_terminal_gets_fewer_frames_and_nothing_piles_up() -> None:
    with OnPty(
        "--frames", "40", "--interval", "0.1", "--fps", "10",
        size=(160, 48), rate_bytes_per_s=20_000,
    ) as screen:  # fmt: skip
        screen.drain(25)
        result = ended(screen)
        # All frames were counted, few of them shown, and the event loop never waited for the terminal.
        assert result["duration_s"] == 39.0
        assert result["shown"] < 25
        assert result["lag_s"] < 1.0
        # 4 s of frames, and what waited in the terminal's own buffer: not the 300 kB that were not sent.
        assert result["wall_s"] < 10


def test_terminal_that_vanishes_without_a_signal() -> None:
    with OnPty("--frames", "1000", "--interval", "0.1", size=(80, 24)) as screen:
        assert screen.drain_until(b"racing", 10)
        spent = psutil.Process(screen.process.pid).cpu_times()
        screen.hang_up()
        code, told = screen.result(5)
        result = json.loads(told)
        assert result["exited"]
        assert result["duration_s"] > 0
        assert code == 0
        # It did not spin while it ended.
        assert result["process_cpu_s"] - spent.user - spent.system < 0.6


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_terminal_that_stops_reading_does_not_keep_it_alive(unbuffered: str) -> None:
    with OnPty(
        *("--frames", "1000", "--interval", "0.1"),
        size=(160, 48),
        environ={"PYTHONUNBUFFERED": unbuffered},
    ) as screen:
        assert screen.drain_until(b"racing", 10)
        # Nobody reads on: the terminal's buffer fills up.
        time.sleep(1.5)
        screen.process.send_signal(signal.SIGTERM)
        end_s = time.monotonic() + 8
        while screen.process.poll() is None and time.monotonic() < end_s:
            time.sleep(0.05)
        assert screen.process.poll() is not None
        # Not killed by what still waited to be written: an orderly end, with the result.
        result = ended(screen)
        assert result["code"] == 143
        assert result["exited"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_the_race_and_restore_the_terminal(number: signal.Signals) -> None:
    with OnPty("--frames", "1000", "--interval", "0.05", size=(80, 24)) as screen:
        assert screen.drain_until(b"racing", 10)
        screen.process.send_signal(number)
        screen.drain(5)
        result = ended(screen, 5)
        assert result["exited"]
        assert result["duration_s"] > 0
        assert result["code"] == {2: 130, 15: 143, 1: 129}[number]
        text = bytes(screen.received)
        # The normal screen and the cursor are back, and nothing is left coloured.
        assert text.rindex(b"\x1b[?1049l") > text.rindex(b"racing")
        assert b"\x1b[?25h" in text[text.rindex(b"\x1b[?1049l") :]


def test_q_ends_it() -> None:
    with OnPty("--frames", "1000", "--interval", "0.05", size=(80, 24)) as screen:
        assert screen.drain_until(b"racing", 10)
        screen.press("q")
        screen.drain(5)
        assert ended(screen, 5)["code"] == 0


def test_bytes_that_are_no_text_do_not_end_it() -> None:
    """A detached and attached session reports the mouse beyond column 95 in bytes that are not UTF-8."""
    with OnPty("--frames", "1000", "--interval", "0.05", size=(160, 48)) as screen:
        assert screen.drain_until(b"racing", 10)
        os.write(screen.master, b"\x1b[M \xff\xfe")
        screen.drain(0.5)
        assert screen.process.poll() is None
        screen.press("q")
        screen.drain(5)
        assert ended(screen, 5)["fault"] is None
