"""What every command says on stderr."""

from __future__ import annotations

import sys
from contextlib import suppress

from engines.endpoints.redaction import redact
from engines.text import one_line


def log_line(text: str) -> None:
    """Print an error, a warning or a step of the progress on stderr, in one line and without secrets.

    A stderr that cannot be written is ignored: it ends no command.
    """
    if sys.stderr is None:  # closed; `print` would take stdout, which is for data
        return
    with suppress(OSError, ValueError):
        print(f"telemon: {one_line(redact(text))}", file=sys.stderr, flush=True)
