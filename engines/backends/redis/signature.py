"""Signature: the value of telemon's marker and of its lease, by which both are known for telemon's."""

from __future__ import annotations

import os
import pwd
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Self

Purpose = Literal["marker", "lease"]

_FORM = re.compile(
    rb"telemon (marker|lease): user ([\w.-]{1,32}), pid ([0-9]{1,10}), "
    rb"since ([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}) UTC, token ([0-9a-f]{32})"
)


@dataclass(frozen=True, slots=True)
class Signature:
    """Who wrote a marker or a lease: the user, the process, and when. `token` is random and tells two of them apart.

    It holds neither a host name nor a secret: everybody who may use the server can read it.
    """

    purpose: Purpose
    user: str
    pid: int
    since: str
    token: str

    @classmethod
    def new(cls, purpose: Purpose) -> Self:
        """Return a signature of this process, from now on."""
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
        return cls(purpose, _user_name(), os.getpid(), now, secrets.token_hex(16))

    @classmethod
    def parse(cls, purpose: Purpose, value: object) -> Self | None:
        """Return the signature that `value` is; None for any other value, which telemon has not written."""
        found = _FORM.fullmatch(value) if isinstance(value, bytes) else None
        if found is None or found[1] != purpose.encode():
            return None
        _, user, pid, since, token = (part.decode() for part in found.groups())
        return cls(purpose, user, int(pid), since, token)

    def to_bytes(self) -> bytes:
        """Return the value to store."""
        return f"telemon {self.purpose}: {self.text}, token {self.token}".encode()

    @property
    def text(self) -> str:
        """Return who wrote it, in words."""
        return f"user {self.user}, pid {self.pid}, since {self.since} UTC"


def _user_name() -> str:
    """Return the name of the user of this process, with nothing in it that the form does not allow."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:32] or "_"
