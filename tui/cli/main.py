"""The entry point of the `telemon` command.

Performance: only what `telemon --version` needs is imported at the top; all other modules take a second to import.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from engines.config.errors import ConfigError
from engines.config.race_config import RaceConfig
from engines.config.settings import DEBUG_ENV
from engines.endpoints.redaction import foreign_text, install_excepthooks, redact
from engines.errors import RaceError
from tui.cli import exit_codes
from tui.cli.config import show_figures, show_settings
from tui.cli.parser import Invocation, parse
from tui.cli.stderr import log_line
from tui.cli.stdout import writing
from tui.terminal.capabilities import Terminal, can_draw, started_environ


def run(argv: Sequence[str] | None = None) -> int:
    """Run the command that `argv` (by default that of the process) asks for, and return the exit code."""
    install_excepthooks()
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):  # closed, or not a real file
            # A server's text must not end a race because the terminal's encoding lacks a character.
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    with suppress(AttributeError):
        # A typed answer that is not in the terminal's encoding is a no, not a failure.
        sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr]
    code = exit_codes.FAILED
    try:
        code = _run(argv)
    except ConfigError as error:
        log_line(str(error))
        code = exit_codes.USAGE
    except SystemExit as error:  # --help and --version
        code = error.code if isinstance(error.code, int) else exit_codes.FAILED
    except KeyboardInterrupt:
        code = exit_codes.INTERRUPTED
    except BrokenPipeError:
        code = exit_codes.BROKEN_PIPE
    except Exception as error:
        if os.environ.get(DEBUG_ENV) == "1":
            raise
        log_line(_error_text(error))
    return _flushed(code)


def _run(argv: Sequence[str] | None) -> int:
    """Run the command and return the exit code. `run` handles its errors."""
    invocation = parse(argv, os.environ)
    for warning in invocation.settings.warnings:
        log_line(f"warning: {warning}")
    if invocation.command == "config":
        with writing():
            if invocation.figures:
                show_figures()
            else:
                show_settings(invocation.settings)
        return exit_codes.DONE
    if invocation.command == "doctor":
        from tui.cli.doctor import run as examine

        return examine(invocation.settings, as_json=invocation.json)
    if invocation.command in ("prepare", "clean"):
        from tui.cli.prepare import clean, prepare

        change = prepare if invocation.command == "prepare" else clean
        return change(invocation.settings, yes=invocation.yes)
    if invocation.command is None:
        why = "there is no terminal"
        if _on_terminal():
            if can_draw(os.environ):
                return _on_screen(invocation)
            why = f"TERM is {os.environ.get('TERM', '')!r}, which cannot draw"
            log_line(f"no screen: {why}; this is what `telemon run` does")
        if invocation.screen_options:
            log_line(
                f"warning: {' and '.join(invocation.screen_options)}: without a screen of no effect: {why}"
            )
    _check_rate(invocation.settings)
    from tui.cli.run import OutputFormat, run

    return run(invocation.settings.headless(), OutputFormat(invocation.format))


def _check_rate(settings: RaceConfig) -> None:
    """Warn that a rate has no effect in a closed loop: without a screen there is no key that opens the loop."""
    if settings.mode == "saturate" and settings.rate_per_s is not None:
        log_line(
            f"warning: {settings.cite('rate')}: of no effect in mode saturate; set mode to pace"
        )


def _on_terminal() -> bool:
    """Return whether all three standard streams are terminals.

    Textual reads from stdin and draws on stderr, and the final table goes to stdout.
    """
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return all(stream is not None and stream.isatty() for stream in streams)


def _on_screen(invocation: Invocation) -> int:
    """Race on the screen, print the final table, and return the exit code."""
    from tui.app.app import TelemonApp
    from tui.cli.run import exit_code_for
    from tui.report.text_table import final_table, terminal_width

    terminal = Terminal.detect(
        started_environ(os.environ), sys.stderr.encoding, invocation.terminal_options
    )
    app = TelemonApp(
        invocation.settings, terminal=terminal, stage=invocation.stage, hold=invocation.hold
    )
    summary = app.run()
    if app.fault:
        log_line(app.fault)
    code = app.return_code or exit_codes.DONE
    if summary is None:
        return code
    if summary.duration_s:
        with writing():
            for line in final_table(summary, terminal_width(sys.stdout)):
                print(redact(line))
    return code or exit_code_for(summary)


def _error_text(error: Exception) -> str:
    """Return an error in one line: that of a race that could not be run as it is, any other as an internal error."""
    if isinstance(error, RaceError):
        return str(error)
    return (
        f"internal error: {type(error).__name__}: {foreign_text(error)} ({DEBUG_ENV}=1 shows where)"
    )


def _flushed(code: int) -> int:
    """Flush stdout and return `code`, or the exit code of the failure. A closed pipe is not reported."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        code = code or exit_codes.BROKEN_PIPE
    except OSError as error:
        if code != exit_codes.FAILED:  # else the error has been reported
            log_line(f"stdout cannot be written: {error.strerror or error}")
        code = exit_codes.FAILED
    else:
        return code
    # Python flushes once more when it ends, and would print an error.
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code
