"""Claim of a namespace: the markers that a race writes before its first key."""

from __future__ import annotations

from collections.abc import Mapping

from engines.backends.mysql.client import error_text
from engines.backends.redis import client as redis
from engines.backends.redis import marker
from engines.backends.redis.marker import ForeignKeyError
from engines.endpoints.endpoint import LaneEndpoints
from engines.errors import DOCTOR_HINT, PreparationError
from engines.provisioning.ownership import foreign_key_note
from engines.provisioning.server_names import redis_name


def claim_namespaces(lanes: Mapping[str, LaneEndpoints]) -> None:
    """Write the marker on every Redis server of the user that has none. Blocks. Raises PreparationError.

    MySQL needs none: the comment on telemon's table is its marker.
    """
    for lane, endpoints in lanes.items():
        server = endpoints.redis
        if server is None:
            continue
        try:
            marker.write(server)
        except ForeignKeyError as error:
            raise PreparationError(f"lane {lane}: {foreign_key_note(server, error)}") from error
        except redis.FAILURES as error:
            text = error_text(error, server.namespace)
            raise PreparationError(
                f"lane {lane}: {redis_name(server)}: {text}; {DOCTOR_HINT}"
            ) from error
