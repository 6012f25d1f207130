"""Which characters the terminal understands, whatever encoding Python has chosen for its own streams."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

ENVIRONMENT = Path("/proc/self/environ")
"""The environment as this process got it. In the C locale, Python sets LC_CTYPE for itself and its children."""

LOCALE_VARIABLES = ("LC_ALL", "LC_CTYPE", "LANG")
"""Variables that name the locale of characters. The first one that is set and not empty counts."""


def initial_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return `environ` with the locale variables as this process got them, where the system tells."""
    with suppress(OSError):
        pairs = ENVIRONMENT.read_bytes().split(b"\0")
        names = {
            os.fsdecode(name): os.fsdecode(value)
            for name, _, value in (pair.partition(b"=") for pair in pairs)
        }
        found = {name: names[name] for name in LOCALE_VARIABLES if name in names}
        return {
            name: value for name, value in environ.items() if name not in LOCALE_VARIABLES
        } | found
    return dict(environ)


def terminal_encoding(environ: Mapping[str, str], stream_encoding: str | None) -> str | None:
    """Return the encoding that the locale in `environ` promises for the terminal, else `stream_encoding`.

    In the C and POSIX locale it is ASCII, though Python writes UTF-8 there: tmux, for one, shows an underscore for each
    character that its locale lacks.
    """
    locale = next((environ[name] for name in LOCALE_VARIABLES if environ.get(name)), "C")
    if locale in ("C", "POSIX"):
        return "ascii"
    _, dot, codeset = locale.partition("@")[0].partition(".")
    if not dot or (stream_encoding or "").lower() in ("ascii", "us-ascii"):
        return stream_encoding
    return codeset
