"""The two roles of a lane's connections: writers and readers."""

from __future__ import annotations

from typing import Literal

Role = Literal["write", "read"]


ROLES: tuple[Role, ...] = ("write", "read")
