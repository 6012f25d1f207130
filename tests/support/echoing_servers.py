"""Servers that quote the password in whatever they say, each time in another form."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from threading import Thread
from urllib.parse import quote, quote_plus

FORMS: Mapping[str, Callable[[str], str]] = {
    "as it is": str,
    "quoted for a URL": lambda secret: quote(secret, safe=""),
    "quoted for a form": quote_plus,
    "hex": lambda secret: secret.encode().hex(),
    "HEX": lambda secret: secret.encode().hex().upper(),
    "base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "base64 of a URL": lambda secret: base64.urlsafe_b64encode(secret.encode()).decode(),
    "base64 with the user": lambda secret: base64.b64encode(b"user:" + secret.encode()).decode(),
    "repr": lambda secret: repr(secret)[1:-1],
    "JSON": lambda secret: json.dumps(secret)[1:-1],
    "SQL": lambda secret: secret.replace("'", "''"),
    "cut off": lambda secret: secret[: len(secret) * 2 // 3],
}


@contextmanager
def serving(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Have `answer` talk to every connection to the port that is given, as long as the context lasts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        ended = False

        def talk(sock: socket.socket) -> None:
            sock.settimeout(3)
            with sock, suppress(OSError):
                answer(sock)

        def accept() -> None:
            while not ended:
                with suppress(OSError):
                    sock, _ = listener.accept()
                    Thread(target=talk, args=(sock,), daemon=True).start()

        thread = Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            ended = True
            thread.join(5)


@contextmanager
def echoing_redis(secret: str, *, takes_auth: bool) -> Iterator[int]:
    """Serve a Redis that answers every command with an error that quotes `secret`; AUTH too, unless it `takes_auth`."""
    turn = count()
    forms = list(FORMS.values())

    def answer(sock: socket.socket) -> None:
        while data := sock.recv(65_536):
            form = forms[next(turn) % len(forms)](secret)
            if takes_auth and b"AUTH" in data.upper():
                sock.sendall(b"+OK\r\n" * data.count(b"*"))
            else:
                text = f"ERR unknown command 'X', with args beginning with: 'user' '{form}' "
                sock.sendall(f"-{text}\r\n".encode())

    with serving(answer) as port:
        yield port


@contextmanager
def echoing_mysql(secret: str) -> Iterator[int]:
    """Serve a MySQL that refuses every connection with an error that quotes `secret`."""
    turn = count()
    forms = list(FORMS.values())

    def answer(sock: socket.socket) -> None:
        form = forms[next(turn) % len(forms)](secret)
        payload = b"\xff\x15\x04#28000Access denied with '" + form.encode() + b"'"
        sock.sendall(len(payload).to_bytes(3, "little") + b"\0" + payload)

    with serving(answer) as port:
        yield port
