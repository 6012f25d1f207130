"""Takes secrets out of text before it is shown: those that this process was given, in every form in which one returns.

A server quotes what it was sent, a library puts it into an exception. Both are foreign text: `foreign_text` makes one
line of limited length of it, without secrets and control characters. `redact` is for telemon's own sentences, which may
hold foreign text that has not been through here.
"""

from __future__ import annotations

import json
import re
import sys
import threading
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from threading import Lock
from types import TracebackType
from urllib.parse import parse_qsl, quote, quote_plus

from engines.text import one_line

MASK = "********"
"""Stands in a text for a secret."""

FOREIGN_LENGTH = 300
"""Maximum number of characters shown of a server's or a library's text."""

STRONG_LENGTH = 8
"""A secret of fewer characters is taken out of foreign text only, and only where it stands as a word of its own.

A password such as "mysql" or "a" would otherwise be taken out of telemon's own sentences, and say there what it is.
"""

MAX_SECRETS = 256
"""Secrets that are remembered. IAM tokens change every ten minutes: the oldest of a day are forgotten."""

SIGNED_FIELDS = ("X-Amz-Signature", "X-Amz-Security-Token")
"""Fields of a signed URL that are secret by themselves: a server may quote a part of the token."""

_known: OrderedDict[str, None] = OrderedDict()
_lock = Lock()


def register(secret: str) -> None:
    """Remember `secret`, so that no text of this process shows it. An empty one is ignored. Thread-safe."""
    if not secret:
        return
    with _lock:
        for part in _secret_parts(secret):
            _known[part] = None
            _known.move_to_end(part)
        while len(_known) > MAX_SECRETS:
            _known.popitem(last=False)


def redact(text: str) -> str:
    """Return telemon's own `text` with every secret of `STRONG_LENGTH` characters or more replaced by `MASK`."""
    return _without(text, strong_only=True)


def foreign_text(text: object) -> str:
    """Return a server's or a library's text in one line of at most `FOREIGN_LENGTH` characters, without secrets.

    Secrets go first: a cut or an escape in the middle of one would hide the rest of it from the search.
    """
    line = one_line(" ".join(_without(str(text), strong_only=False).split()))
    return line if len(line) <= FOREIGN_LENGTH else f"{line[: FOREIGN_LENGTH - 3]}..."


def _without(text: str, *, strong_only: bool) -> str:
    """Return `text` with `MASK` in place of every secret in it; secrets that touch each other share one."""
    with _lock:
        secrets = tuple(_known)
    spans: list[tuple[int, int]] = []
    for secret in secrets:
        if len(secret) >= STRONG_LENGTH:
            for form in _forms(secret):
                spans += _spans(text, form)
        elif not strong_only:
            pattern = rf"(?<!\w){re.escape(secret)}(?!\w)"
            spans += [found.span() for found in re.finditer(pattern, text)]
    cleaned: list[str] = []
    shown = 0
    for begin, end in sorted(spans):
        if begin > shown or not cleaned:
            cleaned += (text[shown:begin], MASK)
        shown = max(shown, end)
    return "".join((*cleaned, text[shown:]))


def _spans(text: str, form: str) -> Iterator[tuple[int, int]]:
    """Yield where `form` stands in `text`, and where a beginning of it does that a server cut off.

    A beginning counts from `STRONG_LENGTH` characters on. One of letters only is no proof of a secret ("password"), so
    it must be twice as long.
    """
    head = form[:STRONG_LENGTH]
    at = text.find(head)
    while at >= 0:
        length = _common_length(text, at, form)
        found = form[:length]
        if length == len(form) or not found.isalpha() or length >= 2 * STRONG_LENGTH:
            yield at, at + length
        at = text.find(head, at + 1)


def _common_length(text: str, at: int, form: str) -> int:
    """Return how many characters of `form` stand in `text` from `at` on."""
    limit = min(len(form), len(text) - at)
    return next((index for index in range(limit) if text[at + index] != form[index]), limit)


@lru_cache(maxsize=2 * MAX_SECRETS)
def _forms(secret: str) -> tuple[str, ...]:
    """Return the texts in which `secret` may stand: as it is, escaped, URL-quoted, in hex and in base64."""
    raw = secret.encode("utf-8", "surrogatepass")
    forms = {
        secret,
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        repr(secret)[1:-1],
        repr(raw)[2:-1],
        json.dumps(secret)[1:-1],
        # Redis writes a line break of an argument that it quotes as a space; MySQL doubles quotes.
        re.sub(r"[\r\n]", " ", secret),
        secret.replace("'", "''"),
        secret.replace("\\", "\\\\").replace("'", "\\'"),
        " ".join(secret.split()),
        raw.hex(),
        raw.hex().upper(),
        # As the kind of an error, which a server names (engines.wire.error_kinds).
        re.sub(r"[^a-z0-9_]", "", secret.lower()),
        *_base64_forms(raw),
    }
    return tuple(
        sorted((form for form in forms if len(form) >= STRONG_LENGTH), key=len, reverse=True)
    )


def _base64_forms(raw: bytes) -> Iterator[str]:
    """Yield what does not depend on the neighbours of `raw` in the base64 text of something that holds it.

    Four characters hold three bytes, so there are three ways to begin.
    """
    for before in range(3):
        text = b64encode(bytes(before) + raw).decode()
        begin, end = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
        yield text[begin:end]
        yield text[begin:end].replace("+", "-").replace("/", "_")


def _secret_parts(secret: str) -> list[str]:
    """Return the secret fields of a signed URL, any other secret whole.

    The beginning of an IAM token is the address of the server, which errors name.
    """
    fields = parse_qsl(secret.partition("?")[2]) if "X-Amz-" in secret else []
    parts = [
        value for name, value in fields if name in SIGNED_FIELDS and len(value) >= STRONG_LENGTH
    ]
    return parts or [secret]


def install_excepthooks() -> None:
    """Let the tracebacks of uncaught exceptions, of the main thread and of others, go to stderr without secrets."""

    def main_thread(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        _print_exception(kind, error, trace)

    def other_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_type is not SystemExit and args.exc_value is not None:
            _print_exception(args.exc_type, args.exc_value, args.exc_traceback)

    sys.excepthook = main_thread
    threading.excepthook = other_thread


def _print_exception(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    import traceback

    with suppress(OSError, ValueError, AttributeError):  # stderr may be closed
        sys.stderr.write(redact("".join(traceback.format_exception(kind, error, trace))))
        sys.stderr.flush()
