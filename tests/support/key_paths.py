"""Key paths of JSON documents, for tests that compare documents of two versions."""

from __future__ import annotations

import re
from collections.abc import Iterator

# Keys that name a lane, a server counter, a server variable or an error kind, not a key of the schema.
DYNAMIC_PARENTS = re.compile(
    r"(fairness\.lanes|fairness\.pipeline_depth|server\.counters|durability|errors)$"
)


def key_paths(document: object) -> list[str]:
    """Return the sorted key paths of `document`: lists are written `[]`, dynamic keys `*`."""
    return sorted(set(_walk(document, "")))


def _walk(value: object, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        dynamic = DYNAMIC_PARENTS.search(path) is not None
        for key, child in value.items():
            at = f"{path}.{'*' if dynamic else key}".lstrip(".")
            yield at
            yield from _walk(child, at)
    elif isinstance(value, list):
        for child in value:
            yield from _walk(child, f"{path}[]")
