"""The `telemon` command. Imports at its head only what `telemon --version` needs: the rest costs a second."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import NoReturn

from engines import __version__
from engines.config.race_config import ConfigError, Race, load
from engines.config.settings import BY_KEY, DEBUG_ENV, SETTINGS, Setting
from engines.config.value_types import (
    Number,
    RejectedError,
    Seconds,
    Switch,
    in_words,
    one_line,
    toml,
)
from tui.terminal.capabilities import COLORS, GLYPHS, Flags, Terminal, can_draw

DONE, FAILED, USAGE, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 130, 141
"""Exit codes; the last is what a shell says of a program that SIGPIPE ended."""

DESCRIPTION = """\
Three ways of storing the same data race side by side: MySQL, MySQL behind a lazy Redis cache, and a durable Redis
Cluster; with no configuration on private servers. On a terminal telemon shows the race; without one it does what
`telemon run` does.
"""

EPILOG = """\
A setting is taken from its flag, else from the environment (--batch: TELEMON_BATCH), else from the configuration
file, else it has its default; `telemon config` shows each with where it came from. Servers of your own have no flags:
they are named in the file or the environment (host in [mysql]: TELEMON_MYSQL_HOST). The file is the one that --config
or TELEMON_CONFIG names, else telemon/config.toml in $XDG_CONFIG_HOME or ~/.config; the current directory is not
searched. A duration is written 500ms, 30s, 2m, 1h or as a number of seconds.

exit codes: 0 done; 1 the race could not be run, a lane never answered or the doctor found a fault; 2 wrong usage or
configuration; 130 interrupted (143 by SIGTERM, 129 by SIGHUP)
"""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, as every error of telemon is."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{one_line(message)}; see {self.prog} --help")


def parser() -> argparse.ArgumentParser:
    """The command line; every flag of a setting comes from the table of settings."""
    top = Parser(
        prog="telemon",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"telemon {__version__}")
    _add_screen(top)
    _add_settings(top)
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    for name, about in (
        ("run", "race without a screen: data on stdout, narration on stderr"),
        ("doctor", "look at this machine and at every server of the lanes; say what to do next"),
        (
            "prepare",
            "make what the lanes need on servers of your own, once it was shown and agreed to",
        ),
        (
            "clean",
            "remove what telemon made on servers of your own, once it was shown and agreed to",
        ),
        ("config", "show every setting, its value and where it came from"),
    ):
        command = commands.add_parser(
            name,
            help=about,
            description=f"{about[0].upper()}{about[1:]}.",
            epilog=EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        if name == "run":
            command.add_argument(
                "--format",
                choices=("text", "json", "jsonl"),
                default="text",
                help="lines and a table, one object at the end, or an object per second and the result "
                "(default: text)",
            )
        elif name == "doctor":
            command.add_argument("--json", action="store_true", help="one JSON object on stdout")
        elif name in ("prepare", "clean"):
            command.add_argument("--yes", action="store_true", help="do it without asking")
        _add_settings(command)
    return top


def _add_screen(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("screen")
    group.add_argument("--stage", action="store_true", help="the largest digits, for a hall")
    group.add_argument(
        "--hold",
        action="store_true",
        help="wait at the start line: Enter releases all lanes, 1, 2 and 3 one each",
    )
    group.add_argument("--color", choices=COLORS, default="auto", help="(default: auto)")
    group.add_argument("--glyphs", choices=GLYPHS, default="auto", help="(default: auto)")
    group.add_argument(
        "--fps", type=_fps, help="frames per second (default: 4; 2 in SSH, tmux or screen)"
    )
    group.add_argument("--no-mouse", action="store_true", help="do without the mouse")


SCREEN = ("stage", "hold", "color", "glyphs", "fps", "no_mouse")
UNASKED = (False, None, "auto")
"""The options of `_add_screen`, and what they are when nobody gave them."""


def _fps(text: str) -> float:
    try:
        fps = Number(0.1, 30).parse(text)
    except RejectedError:
        raise argparse.ArgumentTypeError("must be a number from 0.1 to 30") from None
    return fps


def _add_settings(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("settings")
    # Suppressed defaults: what stands before a command must not be overwritten by what does not stand after it.
    group.add_argument(
        "--config", metavar="FILE", default=argparse.SUPPRESS, help="a configuration file (TOML)"
    )
    for setting in SETTINGS:
        if setting.flag is None:
            continue
        argument = group.add_argument(
            setting.flag,
            dest=setting.key,
            metavar=setting.kind.metavar,
            default=argparse.SUPPRESS,
            help=f"{setting.about} (default: {_default(setting)})".replace("%", "%%"),
        )
        if isinstance(setting.kind, Switch):
            argument.nargs, argument.const = "?", "true"  # A switch that is only named is on.


def _default(setting: Setting) -> str:
    default = setting.default
    if default is None:
        return setting.unset or ""
    if isinstance(setting.kind, Switch):
        return str(default).lower()
    if isinstance(setting.kind, Seconds):
        return in_words(float(str(default)))
    return ",".join(map(str, default)) if isinstance(default, tuple) else str(default)


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asked telemon for; `command` is None for plain `telemon`; `screen` names what was asked of the
    screen."""

    command: str | None
    settings: Race
    format: str = "text"
    json: bool = False
    yes: bool = False
    stage: bool = False
    hold: bool = False
    flags: Flags = field(default_factory=Flags)
    screen: tuple[str, ...] = ()


def understood(argv: Sequence[str] | None, environ: Mapping[str, str]) -> Asked:
    """What the arguments (None: the process's) and the environment ask for. Raises ConfigError, and SystemExit once
    --help or --version has been answered."""
    given = vars(parser().parse_args(argv))
    asked = tuple(f"--{name.replace('_', '-')}" for name in SCREEN if given[name] not in UNASKED)
    if asked and given["command"] is not None:
        raise ConfigError(
            f"{' and '.join(asked)}: for the race on the screen, and telemon {given['command']} has none"
        )
    flags = {key: value for key, value in given.items() if key in BY_KEY}
    settings = load(flags, environ, given.get("config"))
    names = ("format", "json", "yes", "stage", "hold")
    options = {name: given[name] for name in names if name in given}
    mouse = False if given["no_mouse"] else None
    screen = Flags(given["color"], given["glyphs"], given["fps"], mouse)
    return Asked(given["command"], settings, flags=screen, screen=asked, **options)


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
        _complain(str(error))
        code = USAGE
    except SystemExit as error:  # --help and --version
        code = error.code if isinstance(error.code, int) else FAILED
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        code = BROKEN_PIPE
    except UnwritableError as error:
        _complain(str(error))
    except Exception as error:
        if os.environ.get(DEBUG_ENV) == "1":
            raise
        _complain(_explained(error))
    return _flushed(code)


def _run(argv: Sequence[str] | None) -> int:
    asked = understood(argv, os.environ)
    for warning in asked.settings.warnings:
        _complain(f"warning: {warning}")
    if asked.command == "config":
        with _printing():
            _show_settings(asked.settings)
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
            _complain(f"no screen: {why}; this is what `telemon run` does")
        if asked.screen:
            _complain(
                f"warning: {' and '.join(asked.screen)}: without a screen of no effect: {why}"
            )
    _check_rate(asked.settings)
    from tui.cli.run import Format, run

    return run(asked.settings.headless(), Format(asked.format))


def _check_rate(settings: Race) -> None:
    """Say that a rate does nothing in a closed loop: without a screen no key opens it."""
    if settings.mode == "saturate" and settings.rate_per_s is not None:
        _complain(
            f"warning: {settings.given('rate')}: of no effect in mode saturate; set mode to pace"
        )


def _on_terminal() -> bool:
    """Whether there is somebody to look and to press keys: Textual reads from stdin and draws on stderr, and the
    final table goes to stdout."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return all(stream is not None and stream.isatty() for stream in streams)


def _on_screen(asked: Asked) -> int:
    from tui.app.app import Telemon
    from tui.cli.run import verdict
    from tui.report.text_table import final_table, terminal_width

    terminal = Terminal.detect(os.environ, sys.stderr.encoding, asked.flags)
    app = Telemon(asked.settings, terminal=terminal, stage=asked.stage, hold=asked.hold)
    summary = app.run()
    if app.fault:
        _complain(app.fault)
    code = app.return_code or DONE
    if summary is None or not summary.duration_s:
        return code
    with _printing():
        for line in final_table(summary, terminal_width(sys.stdout)):
            print(line)
    return code or verdict(summary)


def _show_settings(settings: Race) -> None:
    """Print the settings, with where each came from, as a configuration file that would set all but the secrets."""
    table = ""
    for key, value, source in settings.items():
        setting = BY_KEY[key]
        if setting.table != table:
            table = setting.table
            print(f"\n[{table}]")
        name = key.rpartition(".")[2]
        if value is None:
            print(f"# {name}: {setting.unset}")
        else:
            mark = "# " if setting.secret else ""
            print(f"{f'{mark}{name} = {toml(value)}':<46} # {source}")


def _explained(error: Exception) -> str:
    """An error in one line. A race that could not be run says itself why; anything else is telemon's own fault."""
    race = sys.modules.get("engines.race.race")  # not loaded: then this is none of its errors
    if race is not None and isinstance(error, race.RaceError):
        return str(error)
    return f"internal error: {type(error).__name__}: {error} ({DEBUG_ENV}=1 shows where)"


def _complain(message: str) -> None:
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
            _complain(f"stdout cannot be written: {error.strerror}")
        code = FAILED
    else:
        return code
    # Python flushes once more as it ends, and would complain.
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code
