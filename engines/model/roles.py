"""The two roles of a lane's connections."""

from __future__ import annotations

from typing import Literal

Role = Literal["write", "read"]

ROLES: tuple[Role, ...] = ("write", "read")
"""Writers and readers, in the order in which they are shown."""
