"""Writing to stdout: what cannot be written there ends a command with one line on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from engines.endpoints.redaction import redact
from engines.errors import RaceError


class UnwritableError(RaceError):
    """The requested output cannot be written to stdout."""


@contextmanager
def writing() -> Iterator[None]:
    """Flush stdout at the end of the block; raise UnwritableError if stdout cannot be written.

    BrokenPipeError passes: whoever read has seen enough. Nothing else in the block may raise an OSError.
    """
    try:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UnwritableError(f"stdout cannot be written: {error.strerror}") from error


def print_line(line: str) -> None:
    """Print a line without secrets to stdout at once. Blocks while the reader of a pipe does not read.

    Raises BrokenPipeError if the reader has gone and UnwritableError if stdout cannot be written for another reason.
    """
    with writing():
        print(redact(line))
