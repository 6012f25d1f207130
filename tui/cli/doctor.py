"""`telemon doctor`: print the checks as lines or as one JSON object, and check the terminal."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping

from engines import __version__
from engines.config import race_config as config
from engines.doctor.check import Check, CheckRunner, Status
from engines.doctor.doctor import run_checks
from tui.cli import exit_codes
from tui.cli.stdout import print_line
from tui.terminal.capabilities import (
    LOCALE_VARIABLES,
    Terminal,
    can_draw,
    is_utf_8,
    started_environ,
)

COLUMNS, LINES = 80, 24
"""Smallest terminal size for which the race screen is designed."""

NAME_WIDTH = 18
"""Width in cells of the column of check names."""

LEAST_TEXT, HANGING = 32, 8
"""Least text width, and indent used when less fits beside a check's name. Both in cells."""

UTF_8_STEP = "set LANG=C.UTF-8 (every system has it) before ssh or tmux starts; in tmux: tmux -u"
"""Next step for a terminal without UTF-8."""


def run(settings: config.RaceConfig, *, as_json: bool) -> int:
    """Run all checks and print them. Return the exit code: 1 if a check failed, else 0."""
    checks: list[Check] = []
    endpoint: str | None = None
    for check in _all_checks(settings):
        checks.append(check)
        if as_json:
            continue
        if check.endpoint != endpoint:
            endpoint = check.endpoint
            print_line(f"\n{endpoint}" if endpoint else "this machine")
        for line in lines(check, _columns()):
            print_line(line)
    failed = [check for check in checks if check.status is Status.FAIL]
    if as_json:
        document = {
            "schema": 1,
            "telemon": __version__,
            "ok": not failed,
            "checks": [check.to_json() for check in checks],
        }
        print_line(json.dumps(document))
    else:
        print_line(f"\n{status(checks)}")
    return exit_codes.FAILED if failed else exit_codes.DONE


def lines(check: Check, columns: int | None = None) -> Iterator[str]:
    """Yield the lines of a check: status, duration and finding, then the next step if there is one.

    Lines are wrapped to `columns` as far as the names leave room, never inside a word.
    """
    ms = "" if check.ms is None else f"{check.ms:.1f} ms"
    head = f"  {check.status.value:<4} {ms:>11}  {check.name + ':':<{NAME_WIDTH}} "
    yield from _folded(head, check.finding, columns)
    if check.next_step:
        yield from _folded(f"{'':<7}{'':>11}  next: ", check.next_step, columns)


def _folded(head: str, text: str, columns: int | None) -> list[str]:
    if columns is None or not text or len(head) + len(text) <= columns:
        return [head + text]
    # Beside a long head on a narrow terminal there would be only one word per line.
    hanging = len(head) if columns - len(head) >= LEAST_TEXT else HANGING
    return textwrap.wrap(
        text,
        columns,
        initial_indent=head,
        subsequent_indent=" " * hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _columns() -> int | None:
    """Return the width of the terminal on stdout; None for a file or a pipe, where lines are not wrapped."""
    if sys.stdout is None or not sys.stdout.isatty():
        return None
    return shutil.get_terminal_size().columns


def status(checks: list[Check]) -> str:
    """Return a one-line summary of all checks."""
    failed = sum(check.status is Status.FAIL for check in checks)
    warned = sum(check.status is Status.WARN for check in checks)
    passed = len(checks) - failed - warned
    after = "; what comes after a FAIL was not looked at" if failed else ""
    return f"{passed} OK, {warned} WARN, {failed} FAIL{after}"


def _all_checks(settings: config.RaceConfig) -> Iterator[Check]:
    yield from terminal(started_environ(os.environ))
    yield from run_checks(settings)


def terminal(environ: Mapping[str, str]) -> Iterator[Check]:
    """Yield the checks of the terminal, if there is one."""
    runner = CheckRunner()
    name = "terminal"
    if not all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr)):
        yield runner.ok(name, "none here: telemon races without a screen, as `telemon run`")
        return
    term = environ.get("TERM", "")
    if not can_draw(environ):
        yield runner.warn(
            name,
            "dumb_terminal",
            f"TERM is {term!r}: it cannot draw",
            "use ssh -t, and a TERM such as xterm-256color; `telemon run` needs none",
        )
        return
    columns, rows = shutil.get_terminal_size((0, 0))
    if columns < COLUMNS or rows < LINES:
        yield runner.warn(
            name,
            "small_terminal",
            f"{columns} x {rows} characters",
            f"make the window at least {COLUMNS} x {LINES}",
        )
    else:
        yield runner.ok(name, f"{term}, {columns} x {rows} characters")
    encoding = getattr(sys.stderr, "encoding", None)
    detected = Terminal.detect(environ, encoding)
    if detected.glyphs == "ascii":
        yield runner.warn(
            "characters",
            "not_utf_8",
            f"{_locale(environ, encoding)}: no curves, only ASCII",
            UTF_8_STEP,
        )
    else:
        yield runner.ok("characters", f"{encoding}, {detected.glyphs}")
    situations = {
        "seen from afar": detected.remote,
        "in tmux, screen or zellij": detected.multiplexed,
    }
    where = [f", {situation}" for situation, applies in situations.items() if applies]
    yield runner.ok(
        "colours", f"{detected.color}, {detected.fps:g} pictures per second{''.join(where)}"
    )


def _locale(environ: Mapping[str, str], encoding: str | None) -> str:
    """Return what decides on the characters: the locale that is set, else the encoding of stderr."""
    if not is_utf_8(encoding):
        return str(encoding)
    found = ((name, environ.get(name)) for name in LOCALE_VARIABLES)
    return next((f"{name} = {value}" for name, value in found if value), "no LANG")
