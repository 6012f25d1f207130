"""Takes secrets out of text before it is shown: those that this process was given, in every form in which one returns.

A server quotes what it was sent, a library puts it into an exception. Both are foreign text: `foreign_text` makes one
line of limited length of it, without secrets and control characters. `redact` is for telemon's own sentences, which may
hold foreign text that has not been through here.
"""

from __future__ import annotations

import html
import json
import logging
import re
import sys
import threading
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from string import ascii_lowercase, ascii_uppercase
from threading import Lock
from types import TracebackType
from urllib.parse import parse_qsl, quote, quote_plus

from engines.text import one_line

MASK = "********"
"""Stands in a text for a secret."""

FOREIGN_LENGTH = 300
"""Maximum number of characters shown of a server's or a library's text."""

READ_LENGTH = 16 * FOREIGN_LENGTH
"""Characters of a foreign text that are read; what follows is never shown.

Without a limit an error of 16 MB, which MySQL's protocol allows, holds the process for 11 s.
"""

STRONG_LENGTH = 8
"""A secret of fewer characters is taken out of foreign text only, and only where it stands as a word of its own.

A password such as "mysql" or "a" would otherwise be taken out of telemon's own sentences, and say there what it is.
"""

SEED_LENGTH, SEED_STEP = 4, 5
"""Every piece of `STRONG_LENGTH` characters of a form holds one of its seeds whole."""

MAX_SECRETS = 256
"""Secrets that are remembered; the oldest go."""

TOKEN_LENGTH, MAX_TOKENS = 64, 64
"""Of secrets with so many characters only so many: IAM tokens change every ten minutes, and are worth nothing after 15.
A password does not make room for them."""

SIGNED_FIELDS = ("X-Amz-Signature", "X-Amz-Security-Token")
"""Fields of a signed URL that are secret by themselves: a server may quote a part of the token."""

_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
"""For comparison without regard to case; keeps the length of a text."""

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
        tokens = [part for part in _known if len(part) >= TOKEN_LENGTH]
        for part in tokens[:-MAX_TOKENS]:
            del _known[part]
        while len(_known) > MAX_SECRETS:
            _known.popitem(last=False)


def redact(text: str) -> str:
    """Return telemon's own `text` with every secret of `STRONG_LENGTH` characters or more replaced by `MASK`."""
    return _masked(
        text,
        (
            span
            for secret in _secrets()
            if len(secret) >= STRONG_LENGTH
            for form in _forms(secret)
            for span in _spans(text, form)
        ),
    )


def foreign_text(text: object) -> str:
    """Return a server's or a library's text in one line of at most `FOREIGN_LENGTH` characters, without secrets.

    Secrets go first: a cut or an escape in the middle of one would hide the rest of it from the search.
    """
    line = one_line(" ".join(_without_pieces(str(text)[:READ_LENGTH], _secrets()).split()))
    return line if len(line) <= FOREIGN_LENGTH else f"{line[: FOREIGN_LENGTH - 3]}..."


def _secrets() -> tuple[str, ...]:
    with _lock:
        return tuple(_known)


# Cached because hundreds of connections are refused with the same text.
@lru_cache(maxsize=32)
def _without_pieces(text: str, secrets: tuple[str, ...]) -> str:
    """Return foreign `text` with `MASK` in place of each of `secrets`, and of every piece of one."""
    lowered = text.translate(_LOWER)
    grams = {lowered[at : at + SEED_LENGTH] for at in range(len(lowered) - SEED_LENGTH + 1)}
    spans: list[tuple[int, int]] = []
    for secret in secrets:
        if len(secret) < STRONG_LENGTH:
            pattern = rf"(?<!\w){re.escape(secret)}(?!\w)"
            spans += [found.span() for found in re.finditer(pattern, text)]
            continue
        places = _seeds(secret)
        for seed in grams.intersection(places):
            for form, seed_at in places[seed]:
                spans += _pieces(lowered, form, seed_at)
    return _masked(text, spans)


def _masked(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """Return `text` with `MASK` in place of `spans`; those that touch each other share one."""
    cleaned: list[str] = []
    shown = 0
    for begin, end in sorted(spans):
        if begin > shown or not cleaned:
            cleaned += (text[shown:begin], MASK)
        shown = max(shown, end)
    return "".join((*cleaned, text[shown:]))


def _pieces(text: str, form: str, seed_at: int) -> Iterator[tuple[int, int]]:
    """Yield where a piece of `form` that holds its seed at `seed_at` stands in `text`; as in `_spans`."""
    seed = form[seed_at : seed_at + SEED_LENGTH]
    at = text.find(seed)
    while at >= 0:
        before = 0
        while before < min(seed_at, at) and text[at - before - 1] == form[seed_at - before - 1]:
            before += 1
        begin, end = at - before, at + _common_length(text, at, form[seed_at:])
        if _is_proof(text[begin:end], form):
            yield begin, end
        at = text.find(seed, at + 1)


def _is_proof(found: str, form: str) -> bool:
    """Return whether `found`, a piece of `form`, is long enough to be one of a secret.

    One of letters only may be a word ("password"), so it must be twice as long as another.
    """
    if len(found) < STRONG_LENGTH:
        return False
    return len(found) == len(form) or not found.isalpha() or len(found) >= 2 * STRONG_LENGTH


def _spans(text: str, form: str) -> Iterator[tuple[int, int]]:
    """Yield where `form` stands in `text`, and where a beginning of it does that a server cut off."""
    head = form[:STRONG_LENGTH]
    at = text.find(head)
    while at >= 0:
        length = _common_length(text, at, form)
        if _is_proof(form[:length], form):
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
    escaped = "".join(chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in raw)
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
        html.escape(secret),
        # As bytes that are taken for another encoding, and as C or Redis escapes them.
        raw.decode("latin-1"),
        escaped,
        escaped.replace("\\", "\\\\").replace('"', '\\"'),
        secret.replace("\\", "\\\\").replace('"', '\\"'),
        repr(repr(secret)[1:-1])[1:-1],
        "".join(f"\\x{byte:02x}" for byte in raw),
        raw.hex(),
        raw.hex().upper(),
        raw.hex(" "),
        raw.hex(":"),
        # As the kind of an error, which a server names (engines.wire.error_kinds).
        re.sub(r"[^a-z0-9_]", "", secret.lower()),
        *_base64_forms(raw),
    }
    return tuple(
        sorted((form for form in forms if len(form) >= STRONG_LENGTH), key=len, reverse=True)
    )


@lru_cache(maxsize=MAX_SECRETS)
def _seeds(secret: str) -> dict[str, list[tuple[str, int]]]:
    """Return where the seeds of `secret` stand in its forms: a text without any of them holds no piece of it."""
    places: dict[str, list[tuple[str, int]]] = {}
    for form in dict.fromkeys(form.translate(_LOWER) for form in _forms(secret)):
        for at in range(0, len(form) - SEED_LENGTH + 1, SEED_STEP):
            places.setdefault(form[at : at + SEED_LENGTH], []).append((form, at))
    return places


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


def traceback_text(error: BaseException) -> str:
    """Return the traceback of `error` as Python prints it, without secrets and control characters."""
    import traceback

    return _clean_lines("".join(traceback.format_exception(error))) + "\n"


def _clean_lines(text: str) -> str:
    """Return lines of foreign text without secrets and control characters; the end of very long ones is cut off."""
    secrets = _secrets()
    return "\n".join(
        one_line(_without_pieces(line[:READ_LENGTH], secrets)) for line in text.splitlines()
    )


class RedactingFormatter(logging.Formatter):
    """Formatter of log records without secrets and control characters."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record, with the traceback that belongs to it."""
        return _clean_lines(super().format(record))


def install_excepthooks() -> None:
    """Let what Python itself prints on stderr go there without secrets.

    That is: uncaught exceptions of the main thread and of others, those in a destructor, and log records of libraries
    for which nobody has set up logging (asyncio reports lost exceptions so).
    """

    def main_thread(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
        _print_exception(error)

    def other_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_type is not SystemExit and args.exc_value is not None:
            _print_exception(args.exc_value)

    def unraisable(args: sys.UnraisableHookArgs) -> None:
        if args.exc_value is not None:
            _print_exception(args.exc_value)

    sys.excepthook = main_thread
    threading.excepthook = other_thread
    sys.unraisablehook = unraisable
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(RedactingFormatter())


def _print_exception(error: BaseException) -> None:
    with suppress(OSError, ValueError, AttributeError):  # stderr may be closed
        sys.stderr.write(traceback_text(error))
        sys.stderr.flush()
