"""`telemon run` as a process, on private servers: what it prints and how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.server_product import redis_product

CODE = "import sys; from tui.cli.main import run; sys.exit(run())"

ROOT = Path(__file__).parents[2]

QUICK = ("--lanes", "durable", "--warmup", "0.2", "--batch", "10")


@contextmanager
def started(*argv: str, environ: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, *argv],
        cwd=ROOT,
        env={**os.environ, **(environ or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def ran(*argv: str, environ: dict[str, str] | None = None) -> tuple[int, str, str]:
    with started(*argv, environ=environ) as process:
        out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def check_narration(text: str) -> None:
    assert text
    assert all(line.startswith("telemon: ") for line in text.splitlines())


def lines_until(process: subprocess.Popen[str], word: str) -> list[str]:
    """The lines on stdout up to the first that holds `word`."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if word in line:
            return seen
    raise AssertionError(f"{word!r} never came: {seen}")


def test_without_a_terminal_plain_telemon_is_telemon_run() -> None:
    code, out, err = ran(*QUICK, environ={"TELEMON_DURATION": "1s", "TELEMON_LANES": "mysql"})
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0].split()[:3] == ["time_s", "lane", "state"]
    blank = lines.index("")
    # Seconds of the warm-up and of the race, and the last words of each lane.
    assert {line.split()[1] for line in lines[1:blank]} == {"durable"}
    assert lines[blank - 1].split()[2] == "done"
    assert lines[blank + 1].startswith("measured 1.")
    assert f"{redis_product()} Cluster of 3, stand-in for MemoryDB" in out
    check_narration(err)


def test_json_is_one_object_and_jsonl_a_frame_a_second_and_the_same_object() -> None:
    code, out, err = ran("run", *QUICK, "--duration", "2.5s", "--format", "jsonl")
    assert code == 0, err
    check_narration(err)
    *frames, result = map(json.loads, out.splitlines())
    assert [frame["type"] for frame in frames] == ["frame"] * len(frames)
    assert [frame["seq"] for frame in frames] == list(range(len(frames)))
    for frame in frames:
        (lane,) = frame["lanes"]
        assert {"late", "backlog", "overloaded", "heat"} <= lane.keys()
        own = {"cpu_share", "loop_lag_p99_us", "own_lag_p99_us", "client_bound", "client_bound_by"}
        assert own == lane["client"].keys()
    assert any(frame["lanes"][0]["client"]["cpu_share"] > 0 for frame in frames)
    assert any(frame["lanes"][0]["client"]["loop_lag_p99_us"] > 0 for frame in frames)
    assert result.pop("type") == "result"
    check_result(result)
    assert 2.5 <= result["duration_s"] < 4
    for role in ("write", "read"):
        total = result["lanes"][0][role]
        rows = [frame["lanes"][0][role]["rows"] for frame in frames if frame["elapsed_s"]]
        assert total["rows"] == sum(rows)
    single_code, single_out, _ = ran("run", *QUICK, "--duration", "1", "--format", "json")
    assert single_code == 0
    assert single_out.count("\n") == 1
    single = json.loads(single_out)
    check_result(single)
    assert single.keys() == result.keys()
    assert single["lanes"][0].keys() == result["lanes"][0].keys()


def check_result(result: dict[str, Any]) -> None:
    """What the result's contract says of it, on a race of lane durable."""
    keys = ("schema", "telemon", "started_at", "duration_s", "warmup_s", "settings", "fairness")
    more = {"changes", "changes_left_out", "deaths", "heats", "lanes"}
    assert set(keys) | more == result.keys()
    assert result["warmup_s"] == 0.2
    (lane,) = result["lanes"]
    assert (lane["id"], lane["state"]) == ("durable", "done")
    for role in ("write", "read"):
        work = lane[role]
        assert work["rows"] > 0
        assert work["rows_per_s"] == pytest.approx(work["rows"] / work["measured_s"], rel=0.01)
        assert work["errors"] == {}
        us = work["service_us"]
        assert 0 < us["min"] <= us["p50"] <= us["p90"] <= us["p99"] <= us["p999"] <= us["max"]
    assert lane["write"]["rows"] == lane["write"]["operations"] * 10
    # Every hot car is there from the start.
    assert lane["read"]["hits"] == lane["read"]["rows"] == lane["read"]["operations"]
    assert lane["read"]["misses"] == 0
    assert lane["server"]["product"]


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=["SIGINT", "SIGTERM", "SIGHUP"],
)
def test_the_first_signal_ends_the_race_with_its_result(number: int, code: int) -> None:
    with started("run", *QUICK, "--duration", "50s") as process:
        before = lines_until(process, "racing")
        # As timeout(1) does it: twice in a row. It is one wish.
        process.send_signal(number)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert process.returncode == code, err
    out = "".join(before) + out
    assert "reads, rows/s" in out
    assert "durable  done" in out
    check_narration(err)


def test_ctrl_z_is_answered_in_one_line_and_the_race_ends_by_itself() -> None:
    with started("run", *QUICK, "--duration", "2s") as process:
        before = lines_until(process, "racing")
        process.send_signal(signal.SIGTSTP)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert err.count("does not suspend") == 1, err
    assert "durable  done" in "".join(before) + out
    check_narration(err)


def test_a_signal_while_the_servers_start_leaves_nothing_and_says_nothing(tmp_path: Path) -> None:
    with started("run", *QUICK, "--sandbox-directory", str(tmp_path)) as process:
        deadline_s = time.monotonic() + 20
        while not any(tmp_path.iterdir()) and time.monotonic() < deadline_s:
            time.sleep(0.02)
        assert any(tmp_path.iterdir())
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (143, ""), err
    assert "Traceback" not in err
    deadline_s = time.monotonic() + 5
    while any(tmp_path.iterdir()) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert not any(tmp_path.iterdir())


def test_a_reader_who_leaves_ends_the_race_quietly() -> None:
    with started("run", *QUICK, "--duration", "50s") as process:
        lines_until(process, "durable")
        assert process.stdout is not None
        process.stdout.close()
        begun_s = time.monotonic()
        assert process.stderr is not None
        err = process.stderr.read()
        code = process.wait(timeout=20)
    assert code == 141, err
    assert time.monotonic() - begun_s < 20
    check_narration(err)


def test_a_port_in_use_is_wrong_configuration() -> None:
    with socket.socket() as taken:
        port = 17_000
        while True:
            try:
                taken.bind(("127.0.0.1", port))
                break
            except OSError:
                port += 1
        # Lane mysql has the first port of all.
        code, out, err = ran("run", "--lanes", "mysql", "--sandbox-port", str(port))
    assert (code, out) == (2, "")
    assert str(port) in err
    assert err.count("\n") == 1
    check_narration(err)
