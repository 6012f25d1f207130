"""The `telemon` command. Imports at its head only what `telemon --version` needs: the rest costs a second."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from engines.config.errors import ConfigError
from engines.config.race_config import RaceConfig
from engines.config.settings import DEBUG_ENV
from engines.text import one_line
from tui.cli.config import show_settings
from tui.cli.parser import Invocation, parse
from tui.terminal.capabilities import Terminal, can_draw

DONE, FAILED, USAGE, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 130, 141
"""Exit codes; the last is what a shell says of a program that SIGPIPE ended."""


class UnwritableError(Exception):
    """What was asked for cannot be written to stdout."""


@contextmanager
def _printing() -> Iterator[None]:
    """Print and flush, or raise UnwritableError."""
    try:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UnwritableError(f"stdout cannot be written: {error.strerror}") from error


def run(argv: Sequence[str] | None = None) -> int:
    """The entry point: runs the command that `argv` (by default the process's) asks for; the exit code."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):  # closed, or not a real file
            # A server's text must not end a race because a terminal cannot spell it.
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    code = FAILED
    try:
        code = _run(argv)
    except ConfigError as error:
        report_error(str(error))
        code = USAGE
    except SystemExit as error:  # --help and --version
        code = error.code if isinstance(error.code, int) else FAILED
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        code = BROKEN_PIPE
    except UnwritableError as error:
        report_error(str(error))
    except Exception as error:
        if os.environ.get(DEBUG_ENV) == "1":
            raise
        report_error(_explained(error))
    return _flushed(code)


def _run(argv: Sequence[str] | None) -> int:
    asked = parse(argv, os.environ)
    for warning in asked.settings.warnings:
        report_error(f"warning: {warning}")
    if asked.command == "config":
        with _printing():
            show_settings(asked.settings)
        return DONE
    if asked.command == "doctor":
        from tui.cli.doctor import run as examine

        return examine(asked.settings, as_json=asked.json)
    if asked.command in ("prepare", "clean"):
        from tui.cli.prepare import clean, prepare

        change = prepare if asked.command == "prepare" else clean
        return change(asked.settings, yes=asked.yes)
    if asked.command is None:
        why = "there is no terminal"
        if _on_terminal():
            if can_draw(os.environ):
                return _on_screen(asked)
            why = f"TERM is {os.environ.get('TERM', '')!r}, which cannot draw"
            report_error(f"no screen: {why}; this is what `telemon run` does")
        if asked.screen:
            report_error(
                f"warning: {' and '.join(asked.screen)}: without a screen of no effect: {why}"
            )
    _check_rate(asked.settings)
    from tui.cli.run import OutputFormat, run

    return run(asked.settings.headless(), OutputFormat(asked.format))


def _check_rate(settings: RaceConfig) -> None:
    """Say that a rate does nothing in a closed loop: without a screen no key opens it."""
    if settings.mode == "saturate" and settings.rate_per_s is not None:
        report_error(
            f"warning: {settings.cite('rate')}: of no effect in mode saturate; set mode to pace"
        )


def _on_terminal() -> bool:
    """Whether there is somebody to look and to press keys: Textual reads from stdin and draws on stderr, and the
    final table goes to stdout."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return all(stream is not None and stream.isatty() for stream in streams)


def _on_screen(asked: Invocation) -> int:
    from tui.app.app import TelemonApp
    from tui.cli.run import exit_code_for
    from tui.report.text_table import final_table, terminal_width

    terminal = Terminal.detect(os.environ, sys.stderr.encoding, asked.flags)
    app = TelemonApp(asked.settings, terminal=terminal, stage=asked.stage, hold=asked.hold)
    summary = app.run()
    if app.fault:
        report_error(app.fault)
    code = app.return_code or DONE
    if summary is None or not summary.duration_s:
        return code
    with _printing():
        for line in final_table(summary, terminal_width(sys.stdout)):
            print(line)
    return code or exit_code_for(summary)


def _explained(error: Exception) -> str:
    """An error in one line. A race that could not be run says itself why; anything else is telemon's own fault."""
    race = sys.modules.get("engines.race.race")  # not loaded: then this is none of its errors
    if race is not None and isinstance(error, race.RaceError):
        return str(error)
    return f"internal error: {type(error).__name__}: {error} ({DEBUG_ENV}=1 shows where)"


def report_error(message: str) -> None:
    with suppress(OSError, ValueError):
        print(f"telemon: {one_line(message)}", file=sys.stderr, flush=True)


def _flushed(code: int) -> int:
    """`code`, or what became of the output's last piece. A reader who has gone is not worth a word."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        code = code or BROKEN_PIPE
    except OSError as error:
        if code != FAILED:  # else it has been said
            report_error(f"stdout cannot be written: {error.strerror}")
        code = FAILED
    else:
        return code
    # Python flushes once more as it ends, and would complain.
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code
