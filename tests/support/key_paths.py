"""The keys of a JSON document as paths, for comparing the shape of two documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

NAMED_BY_DATA = ("errors", "counters", "durability", "versions")
"""Objects whose keys come from servers or libraries and not from telemon."""


def key_paths(value: object, path: str = "") -> Iterator[str]:
    """Yield the path of each key, like `lanes[].write.rows`. All items of a list count as one."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            here = f"{path}.{key}" if path else str(key)
            yield here
            if key not in NAMED_BY_DATA:
                yield from key_paths(inner, here)
    elif isinstance(value, list):
        for inner in value:
            yield from key_paths(inner, f"{path}[]")
