"""Marker of a namespace on a Redis server: the key that says that telemon uses the namespace, and since when.

It is written before the first key of a car and removed after the last one. A back end without it was used by a telemon
that knew no markers, or forgot it, as a cache may: the keys of cars prove themselves then, by range and by form.
"""

from __future__ import annotations

from redis.exceptions import ResponseError

from engines.backends.redis.client import client, owner
from engines.backends.redis.own_keys import WRONG_TYPE
from engines.backends.redis.signature import Purpose, Signature
from engines.endpoints.endpoint import RedisEndpoint


class ForeignKeyError(Exception):
    """A key in the place of one that telemon would write was not written by telemon. The message names it."""


def foreign_key_text(name: bytes) -> str:
    """Return the text about a key in telemon's place that somebody else wrote."""
    return f"key {name.decode()} was not made by telemon"


def read(endpoint: RedisEndpoint) -> Signature | None:
    """Return the marker, None if there is none. Blocks. Raises ForeignKeyError, or one of redis.FAILURES."""
    return read_signature(endpoint, "marker", endpoint.namespace.marker_key)


def read_signature(endpoint: RedisEndpoint, kind: Purpose, name: bytes) -> Signature | None:
    """Return the signature of `kind` under the key `name`, None if there is no such key. Blocks.

    Raises ForeignKeyError if the key holds anything else, and one of redis.FAILURES.
    """
    with client(owner(endpoint, name), endpoint) as node:
        try:
            value = node.get(name)
        except ResponseError as error:
            if WRONG_TYPE not in str(error):
                raise
            raise ForeignKeyError(foreign_key_text(name)) from error
    found = Signature.parse(kind, value)
    if found is None and value is not None:
        raise ForeignKeyError(foreign_key_text(name))
    return found


def write(endpoint: RedisEndpoint) -> None:
    """Write the marker unless there is one. Blocks. Raises ForeignKeyError, or one of redis.FAILURES."""
    name = endpoint.namespace.marker_key
    with client(owner(endpoint, name), endpoint) as node:
        written = node.set(name, Signature.new("marker").to_bytes(), nx=True)
    if not written:
        read(endpoint)


def remove(endpoint: RedisEndpoint) -> None:
    """Remove the marker if there is one. Blocks. Raises ForeignKeyError, or one of redis.FAILURES."""
    name = endpoint.namespace.marker_key
    if read(endpoint) is not None:
        with client(owner(endpoint, name), endpoint) as node:
            node.unlink(name)
