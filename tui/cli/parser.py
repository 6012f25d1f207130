"""Parse the arguments of the `telemon` command."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, NoReturn

from engines import __version__
from engines.config.errors import ConfigError
from engines.config.load import load_config
from engines.config.race_config import RaceConfig
from engines.config.settings import BY_KEY, SETTINGS
from engines.config.value_types import Boolean, Float, InvalidValueError
from engines.text import one_line
from tui.cli.stdout import writing
from tui.terminal.capabilities import COLORS, GLYPHS, TerminalOptions

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

COMMANDS: Mapping[str, str] = {
    "run": "race without a screen: data on stdout, progress on stderr",
    "doctor": "check this machine and every server of the lanes, and say what to do next",
    "prepare": "create what the lanes need on your own servers, after showing it and asking",
    "clean": "remove what telemon created on your own servers, after showing it and asking",
    "config": "show every setting, its value and where it came from",
}
"""What each command does, by its name."""

FLAGS = tuple(setting.flag for setting in SETTINGS if setting.flag is not None)

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

exit codes: 0 done; 1 the race could not be run, a lane or a role of it (writers, readers) never answered, what it
acknowledged is not stored or committed, an engine or a private server died, or the doctor found a fault; 2 wrong usage
or configuration; 130 interrupted (143 by SIGTERM, 129 by SIGHUP)
"""


_NO_COMMAND = re.compile(r"argument COMMAND: invalid choice: (.*) \(choose", re.DOTALL)

_OPTION_NAME = re.compile(r"--[a-z][a-z-]{0,30}")


def _unknown_text(unknown: Sequence[str]) -> str:
    """Return what is unknown in one line. Only names of options are repeated: anything else may be a password."""
    names: list[str] = []
    words = 0
    for word in unknown:
        name = word.partition("=")[0]
        if _OPTION_NAME.fullmatch(name):
            near = get_close_matches(name, FLAGS, n=1, cutoff=0.8)
            names.append(f"{name} (did you mean {near[0]}?)" if near else name)
        elif word.startswith("-") and len(word) > 1:
            names.append(word[:2] if word[:2].isascii() and word[:2].isprintable() else "-?")
        else:
            words += 1
    if words:
        what = "a word" if words == 1 else f"{words} words"
        names.append(f"{what} that telemon has no use for, not shown here as it may be a secret")
    return f"unknown: {', '.join(names)}"


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are ConfigErrors of one line, as all errors of telemon are."""

    def error(self, message: str) -> NoReturn:
        """Raise ConfigError with the message and a reference to the help.

        A word in a command's place is not repeated: it may be a URL with a password in it.
        """
        found = _NO_COMMAND.match(message)
        if found:
            near = get_close_matches(found[1][:40].strip("'\""), COMMANDS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"they are {', '.join(COMMANDS)}"
            message = f"no such command; {hint}"
        raise ConfigError(f"{one_line(message)}; see {self.prog} --help")

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        """Print the help or the version; raise UnwritableError where it cannot be written."""
        # Not that of argparse, which from Python 3.12 on ignores what cannot be written.
        stream = file or sys.stderr
        if stream is not None:
            with writing():
                stream.write(message)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line. The flags of settings come from the table of settings."""
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
    for name, about in COMMANDS.items():
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
        elif name == "config":
            command.add_argument(
                "--figures",
                action="store_true",
                help="show the figures of a result instead: unit, which is better, meaning",
            )
        _add_settings(command)
    return top


def _add_screen(command: argparse.ArgumentParser) -> None:
    """Add the options of the screen."""
    group = command.add_argument_group("screen")
    group.add_argument(
        "--stage", action="store_true", help="show the largest digits, for a projector"
    )
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
    group.add_argument("--no-mouse", action="store_true", help="do not use the mouse")


SCREEN_OPTIONS = ("stage", "hold", "color", "glyphs", "fps", "no_mouse")
"""Names of the options that `_add_screen` adds."""


SCREEN_DEFAULTS = (False, None, "auto")
"""Values of these options if they are not given."""


def _fps(text: str) -> float:
    """Return a frame rate from 0.1 to 30; raises ArgumentTypeError for any other text."""
    try:
        fps = Float(0.1, 30).parse(text)
    except InvalidValueError:
        raise argparse.ArgumentTypeError("must be a number from 0.1 to 30") from None
    return fps


def _add_settings(command: argparse.ArgumentParser) -> None:
    """Add a flag for each setting that has one, and `--config`."""
    group = command.add_argument_group("settings")
    # Defaults are suppressed: a flag before the command must not be overwritten by its default after the command.
    group.add_argument(
        "--config", metavar="FILE", default=argparse.SUPPRESS, help="a configuration file (TOML)"
    )
    for setting in SETTINGS:
        if setting.flag is None:
            continue
        argument = group.add_argument(
            setting.flag,
            dest=setting.key,
            metavar=setting.value_type.metavar,
            default=argparse.SUPPRESS,
            help=f"{setting.about} (default: {setting.default_text})".replace("%", "%%"),
        )
        if isinstance(setting.value_type, Boolean):
            argument.nargs, argument.const = "?", "true"  # A flag without a value is true.


@dataclass(frozen=True, slots=True)
class Invocation:
    """What the user asked for.

    `command` is None for plain `telemon`. `screen_options` are the options of the screen that were given.
    """

    command: str | None
    settings: RaceConfig
    format: str = "text"
    json: bool = False
    yes: bool = False
    figures: bool = False
    stage: bool = False
    hold: bool = False
    terminal_options: TerminalOptions = field(default_factory=TerminalOptions)
    screen_options: tuple[str, ...] = ()


def parse(argv: Sequence[str] | None, environ: Mapping[str, str]) -> Invocation:
    """Return what `argv` (None: the arguments of the process) and the environment ask for.

    Raises ConfigError for wrong usage or settings, and SystemExit after --help or --version was answered.
    """
    given = sys.argv[1:] if argv is None else argv
    for word in given:
        name, _, value = word.partition("=")
        # argparse takes the "--" out of the value, and gives an empty list for it.
        if value == "--" and _OPTION_NAME.fullmatch(name):
            raise ConfigError(f"{one_line(word)}: -- is no value; see telemon --help")
    known, unknown = parser().parse_known_args(given)
    if unknown:
        raise ConfigError(f"{_unknown_text(unknown)}; see telemon --help")
    arguments = vars(known)
    screen_options = tuple(
        f"--{name.replace('_', '-')}"
        for name in SCREEN_OPTIONS
        if arguments[name] not in SCREEN_DEFAULTS
    )
    if screen_options and arguments["command"] is not None:
        raise ConfigError(
            f"{' and '.join(screen_options)}: for the race on the screen, and telemon {arguments['command']} has none"
        )
    flags = {key: value for key, value in arguments.items() if key in BY_KEY}
    settings = load_config(flags, environ, arguments.get("config"))
    names = ("format", "json", "yes", "figures", "stage", "hold")
    options = {name: arguments[name] for name in names if name in arguments}
    mouse = False if arguments["no_mouse"] else None
    terminal_options = TerminalOptions(
        arguments["color"], arguments["glyphs"], arguments["fps"], mouse
    )
    return Invocation(
        arguments["command"],
        settings,
        terminal_options=terminal_options,
        screen_options=screen_options,
        **options,
    )
