"""Find and read the configuration file."""

from __future__ import annotations

import os
import re
import select
import stat
import time
import tomllib
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from engines.config.errors import ConfigError
from engines.config.settings import BY_KEY, CONFIG_ENV, OUTER_TABLES, SETTINGS, TABLES
from engines.text import one_line, quote_value

FILE_LIMIT_BYTES = 1 << 20
"""The largest configuration file that is read. Without a limit, reading a device would never end."""


WAIT_S = 5.0
"""Seconds that a configuration may take to come out of a pipe."""


def find_file(
    file: str | None, environ: Mapping[str, str], on_hidden: Callable[[str], object]
) -> Path | None:
    """Return the path of the configuration file, None if there is none.

    It is `file` (the value of --config), else the value of TELEMON_CONFIG, whether or not such a file exists; else
    telemon/config.toml in the user's configuration directory if that exists; `on_hidden` is told if nobody lets telemon
    look. Raises ConfigError for a name that is blank or no path.
    """
    named = file if file is not None else environ.get(CONFIG_ENV) or None
    if named is not None:
        if not named.strip() or "\0" in named:
            source = "--config" if file is not None else CONFIG_ENV
            raise ConfigError(f"{source} {quote_value(named)}: must be the path of a file")
        return Path(named)
    try:
        # A relative XDG_CONFIG_HOME is to be ignored, says the XDG base directory specification.
        home = Path(environ.get("XDG_CONFIG_HOME", ""))
        if not home.is_absolute():
            home = Path(environ.get("HOME", "")) / ".config"
        usual = home / "telemon" / "config.toml"
        if not usual.is_absolute():
            return None
        usual.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # no such file, no path at all
        return None
    except OSError as error:
        on_hidden(
            f"{one_line(str(usual))}: cannot be looked at ({error.strerror}), and is not used"
        )
        return None
    return usual


def read_settings(path: Path) -> Iterator[tuple[str, object]]:
    """Return (key, value) of every setting in a file, with values as TOML has them. Raises ConfigError."""
    name = one_line(str(path))
    yield from _flat(_toml(path, name), name)


def open_to_others(path: Path) -> bool:
    """Return whether users other than the owner and root may read a file."""
    try:
        return bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
    except (OSError, ValueError):
        return False


def _toml(path: Path, name: str) -> dict[str, object]:
    try:
        content = _content(path)
    except TimeoutError as error:
        raise ConfigError(
            f"{name}: cannot be read: it is no file, and nothing came out of it within {WAIT_S:g} s"
        ) from error
    except OSError as error:
        raise ConfigError(f"{name}: cannot be read: {error.strerror or error}") from error
    if len(content) > FILE_LIMIT_BYTES:
        raise ConfigError(f"{name}: not a configuration: larger than {FILE_LIMIT_BYTES} bytes")
    try:
        return tomllib.loads(content.removeprefix(BOM_UTF8).decode())
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name}: not TOML: byte {error.start} is not UTF-8") from error
    except RecursionError as error:
        raise ConfigError(f"{name}: not a configuration: nested too deeply") from error
    except ValueError as error:
        # Not only TOMLDecodeError: Python has limits of its own for numbers and dates.
        raise ConfigError(f"{name}: not TOML: {one_line(str(error))}") from error


def _content(path: Path) -> bytes:
    """Return what `path` holds, at most one byte more than `FILE_LIMIT_BYTES`.

    A pipe, such as that of a shell's <(command), may be slow: it is read until its end, and for `WAIT_S` at most.
    Raises OSError, TimeoutError among them.
    """
    end_s = time.monotonic() + WAIT_S
    # Opening a pipe into which nobody writes would wait for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        ready = select.poll()
        ready.register(file, select.POLLIN)
        content = b""
        while len(content) <= FILE_LIMIT_BYTES:
            if not ready.poll(max(0.0, end_s - time.monotonic()) * 1000):
                raise TimeoutError
            part = file.read(FILE_LIMIT_BYTES + 1 - len(content))
            if not part:
                break
            content += part
        return content


def _flat(tables: Mapping[str, object], name: str, table: str = "") -> Iterator[tuple[str, object]]:
    for word, value in tables.items():
        key = f"{table}.{word}" if table else word
        # Quoted, a key may hold dots of its own: "sandbox.port" = 1 is not [sandbox] port = 1.
        if "." in word and key in BY_KEY:
            raise ConfigError(f'{name}: "{word}": unknown key; write {key}, without the quotes')
        if "." in word:
            raise _unknown(key, name)
        if key in BY_KEY:
            yield key, value
        elif key not in TABLES:
            raise _unknown(key, name)
        elif not isinstance(value, dict):
            # What stands in a server's place may be a URL with a password in it.
            said = "" if key != "sandbox" else f" = {quote_value(value)}"
            raise ConfigError(f"{name}: {key}{said}: must be a table, [{key}]")
        else:
            yield from _flat(value, name, key)


def _unknown(key: str, name: str) -> ConfigError:
    table, _, word = key.rpartition(".")
    there = {each.key.rpartition(".")[2]: each.key for each in SETTINGS if each.table == table}
    inner = [
        each
        for each in TABLES
        if each not in OUTER_TABLES and each.startswith(f"{table}." if table else "")
    ]
    known = {**there, **{each.removeprefix(f"{table}."): each for each in inner}}
    near = get_close_matches(word[:100], known, n=1)
    names = [*there.values(), *(f"[{each}]" for each in inner)]
    hint = f"did you mean {known[near[0]]}?" if near else f"the keys are {', '.join(names)}"
    plain = (
        key if re.fullmatch(r"([\w-]{1,60}\.){0,2}[\w-]{1,60}", key, re.ASCII) else quote_value(key)
    )
    return ConfigError(f"{name}: {plain}: unknown key; {hint}")
