"""The two roles of a lane's connections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Role = Literal["write", "read"]

ROLES: tuple[Role, ...] = ("write", "read")
"""Writers and readers, in the order in which they are shown."""

CONNECTIONS: Mapping[Role, str] = {"write": "writers", "read": "readers"}
"""The setting that holds the number of connections of a role. It is also the word for them."""

OTHER: Mapping[Role, Role] = {"write": "read", "read": "write"}
"""The other role of each."""
