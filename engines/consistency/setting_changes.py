"""Compares the durability settings of a server after a race with those before it, node by node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from engines.model.read_back import SettingChange, UnreadSettings
from engines.model.server_facts import (
    APPENDFSYNC,
    APPENDONLY,
    DATABASE,
    ENGINE,
    INNODB,
    SEPARATOR,
    UNREADABLE,
    ServerFacts,
    Settings,
    settings_of_all,
    values_of,
)

COUNTS = ("replicas", "semi_sync_replicas")
"""Facts about durability that are no settings."""


def claimed_settings(server: ServerFacts) -> tuple[str, ...]:
    """Return the names of the durability settings of a server that were known, at least on some nodes. Pure.

    Numbers of replicas are not among them: a replica that is restarted changes what a commit waits for no more than the
    settings say.
    """
    return tuple(
        name for name, value in _settings(server, server.durability).items() if _known(value)
    )


def compare_settings(
    server: ServerFacts, now: Mapping[str, Settings], problem: str = ""
) -> tuple[tuple[SettingChange, ...], UnreadSettings | None]:
    """Return the settings of a server that are not as they were, and those that may not be. Pure.

    `server` has them as they were, `now` as they are, by node. `problem` is the error of a node that does not show
    them; what the other nodes show can be a change all the same.
    """
    changes: list[SettingChange] = []
    unread: list[str] = []
    before, after = _nodes(server, server.by_node or {"": server.durability}), _nodes(server, now)
    pairs = _pairs(before, after)
    for name in claimed_settings(server):
        changed: list[tuple[list[str], list[str]]] = []
        for earlier, later in pairs:
            was, found = _values(name, earlier), _values(name, later)
            if not was:
                continue  # The append-only file is new on this node: that is a change of its own.
            if name == APPENDFSYNC and not found and "no" in _values(APPENDONLY, later):
                continue  # Without an append-only file there is no such setting, likewise.
            found = found or [UNREADABLE]
            was_hidden, hidden = UNREADABLE in was, UNREADABLE in found
            gone, new = _lacks(found, was), _lacks(was, found)
            if (gone and not hidden) or (new and not was_hidden):
                changed.append((was, found))
            if hidden and (gone or not was_hidden) and name not in unread:
                unread.append(name)
        if changed:
            changes.append(_change(server.role, name, before, after, changed))
    names = tuple(unread)
    return tuple(changes), UnreadSettings(server.role, names, problem=problem) if names else None


def _nodes(server: ServerFacts, by_node: Mapping[str, Settings]) -> dict[str, Settings]:
    return {address: _settings(server, settings) for address, settings in by_node.items()}


def _pairs(
    before: Mapping[str, Settings], after: Mapping[str, Settings]
) -> list[tuple[list[Settings], list[Settings]]]:
    """Return what is compared with what. What one node of a cluster has hides no change of another.

    Each node is compared with itself. Nodes that took the place of others, as after a failover, are compared with
    these, all together. If nodes only came or went, the cluster is compared as a whole.
    """
    pairs = [([before[each]], [after[each]]) for each in before if each in after]
    away = [before[each] for each in before if each not in after]
    came = [after[each] for each in after if each not in before]
    if away and came:
        pairs.append((away, came))
    elif away or came:
        pairs.append(([*before.values()], [*after.values()]))
    return pairs


def _values(name: str, nodes: Sequence[Settings]) -> list[str]:
    """Return the values of a setting on those of `nodes` that have it."""
    return [value for each in nodes if name in each for value in str(each[name]).split(SEPARATOR)]


def _lacks(values: Sequence[str], others: Sequence[str]) -> bool:
    """Return whether a known value of `others` is not among `values`, as often if there are as many of them."""
    missing = (
        set(Counter(others) - Counter(values))
        if len(values) == len(others)
        else set(others) - set(values)
    )
    return bool(missing - {UNREADABLE})


def _change(
    role: str,
    name: str,
    before: Mapping[str, Settings],
    after: Mapping[str, Settings],
    changed: Sequence[tuple[list[str], list[str]]],
) -> SettingChange:
    """Return a change as it is told: of the whole cluster, or of the nodes in question if that would show none."""
    was = settings_of_all([*before.values()])[name]
    found = settings_of_all([*after.values()]).get(name, UNREADABLE)
    if was == found:
        was = SEPARATOR.join(value for earlier, _ in changed for value in earlier)
        found = SEPARATOR.join(value for _, later in changed for value in later)
    return SettingChange(role, name, was, found)


def _settings(server: ServerFacts, facts: Settings) -> dict[str, str | int]:
    """Return the settings among `facts`, with the engine of the table also if it is the usual one."""
    usual: dict[str, str | int] = {ENGINE: INNODB} if facts and server.role == DATABASE else {}
    return {name: value for name, value in {**usual, **facts}.items() if name not in COUNTS}


def _known(value: str | int) -> frozenset[str]:
    return values_of(value) - {UNREADABLE}
