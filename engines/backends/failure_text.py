"""Errors of servers in words: the message, the server's number or word for it, and what to do about it."""

from __future__ import annotations

from engines.endpoints.redaction import foreign_text
from engines.errors import DOCTOR_HINT
from engines.wire.error_kinds import (
    MYSQL_ERRORS,
    REDIS_ERRORS,
    KnownError,
    describe_mysql_error,
)
from engines.workload.namespace import Namespace


def error_text(error: Exception, namespace: Namespace) -> str:
    """Return the message of a client library's exception in one line of limited length, without secrets.

    The next step follows if the error is known, with the names of `namespace`.

    It must not import a client library: see `engines.process.connect`.
    """
    code = error_code(error)
    text = error.args[1] if code is not None and len(error.args) > 1 else error
    text = foreign_text(text)
    known = None
    if code is not None:
        known = MYSQL_ERRORS.get(code)
        text = f"{text} ({describe_mysql_error(code)})" if code else text
    word = getattr(error, "status_code", None)
    if isinstance(word, str):
        known = REDIS_ERRORS.get(word)
    step = known_step(known, namespace) if known is not None else DOCTOR_HINT
    return text if step == DOCTOR_HINT else f"{text}: {step}"


def known_step(known: KnownError, namespace: Namespace) -> str:
    """Return the next step after a known error, for a telemon that uses `namespace`."""
    return known.advice(f"{namespace.key_prefix.decode()}*", namespace.advice)[1]


def problem_text(
    error: Exception, failures: tuple[type[Exception], ...], namespace: Namespace
) -> str:
    """Return what ended a piece of work in the background, never "".

    It is `error_text` for one of `failures`, which a server can cause. Any other exception is called an internal error:
    without a word of it the work would seem to be late.
    """
    name = type(error).__name__
    if isinstance(error, failures):
        return error_text(error, namespace) or name
    return f"internal error: {name}: {foreign_text(error)}"


def error_code(error: Exception) -> int | None:
    """Return the error number of an exception of PyMySQL; None for any other exception."""
    if isinstance(error, OSError) or not error.args:
        return None
    code = error.args[0]
    return code if isinstance(code, int) and len(error.args) > 1 else None
