"""The durability settings of a server at the end of a race beside those before it, node by node."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engines.consistency.setting_changes import compare_settings
from engines.model.read_back import SettingChange, UnreadSettings
from engines.model.server_facts import ServerFacts, TlsMode, settings_of_all

FLUSH, BINLOG = "innodb_flush_log_at_trx_commit", "sync_binlog"

Settings = dict[str, str | int]


def facts(role: str, durability: Settings) -> ServerFacts:
    return ServerFacts(role, "x", "1", 1, TlsMode.OFF, None, durability, role)


DATABASE = facts("database", {FLUSH: 1, BINLOG: "not readable", "replicas": 2})
STORE = facts("store", {"appendonly": "yes", "appendfsync": "always"})
HALF_SHOWN = facts("store", {"appendonly": "yes", "appendfsync": "always / not readable"})


def fsync(before: str, after: str) -> tuple[SettingChange, ...]:
    return (SettingChange("store", "appendfsync", before, after),)


@pytest.mark.parametrize(
    ("server", "now", "changes", "unread"),
    [
        (DATABASE, {FLUSH: 1, BINLOG: 0, "replicas": 0}, (), ()),
        (DATABASE, {FLUSH: 2}, (SettingChange("database", FLUSH, 1, 2),), ()),
        (DATABASE, {FLUSH: "not readable"}, (), (FLUSH,)),
        (DATABASE, {BINLOG: 1}, (), (FLUSH,)),
        (DATABASE, {}, (), ("engine", FLUSH)),
        (DATABASE, {FLUSH: 1, "engine": "not readable"}, (), ("engine",)),
        (
            DATABASE,
            {FLUSH: 1, "engine": "MyISAM"},
            (SettingChange("database", "engine", "InnoDB", "MyISAM"),),
            (),
        ),
        (STORE, {"appendonly": "yes", "appendfsync": "always"}, (), ()),
        (STORE, {"appendonly": "yes"}, (), ("appendfsync",)),
        (STORE, {"appendonly": "no"}, (SettingChange("store", "appendonly", "yes", "no"),), ()),
        # One node of a cluster hides it: that is no change, and not the same as before either.
        (
            STORE,
            {"appendonly": "yes", "appendfsync": "always / not readable"},
            (),
            ("appendfsync",),
        ),
        (
            STORE,
            {"appendonly": "yes", "appendfsync": "everysec / not readable"},
            fsync("always", "everysec / not readable"),
            ("appendfsync",),
        ),
        (HALF_SHOWN, {"appendonly": "yes", "appendfsync": "always"}, (), ()),
        (HALF_SHOWN, {"appendonly": "yes", "appendfsync": "always / everysec"}, (), ()),
        (HALF_SHOWN, {"appendonly": "yes", "appendfsync": "always / not readable"}, (), ()),
        (
            HALF_SHOWN,
            {"appendonly": "yes", "appendfsync": "no"},
            fsync("always / not readable", "no"),
            (),
        ),
        (HALF_SHOWN, {"appendonly": "yes", "appendfsync": "not readable"}, (), ("appendfsync",)),
    ],
)
def test_a_setting_is_as_it_was_or_has_changed_or_is_not_known(
    server: ServerFacts,
    now: Settings,
    changes: tuple[SettingChange, ...],
    unread: tuple[str, ...],
) -> None:
    found = compare_settings(server, {"": now}, "gone")
    due = UnreadSettings(server.role, unread, problem="gone") if unread else None
    assert found[0] == changes
    assert found[1] is None if due is None else set(found[1].settings) == set(unread)  # type: ignore[union-attr]
    assert found[1] is None or (found[1].role, found[1].problem) == (server.role, "gone")


HIDDEN = "not readable"

FSYNC = ("appendfsync",)


def by_node(*values: str, first: int = 1) -> dict[str, Settings]:
    """What each node of a cluster says of appendfsync; "" if it has no append-only file."""
    return {
        f"192.0.2.{number}:6379": (
            {"appendonly": "yes", "appendfsync": value} if value else {"appendonly": "no"}
        )
        for number, value in enumerate(values, first)
    }


def cluster(nodes: dict[str, Settings]) -> ServerFacts:
    durability = settings_of_all(list(nodes.values()))
    return replace(facts("store", durability), nodes=len(nodes), by_node=nodes)


@pytest.mark.parametrize(
    ("before", "after", "changes", "unread"),
    [
        (
            by_node("always", "always", "everysec"),
            by_node("always", "everysec", "everysec"),
            fsync("always", "everysec"),
            (),
        ),
        (
            by_node("always", "always", "always"),
            by_node("always", "always", "no"),
            fsync("always", "always / no"),
            (),
        ),
        # Nodes that take each other's value.
        (
            by_node("always", "everysec"),
            by_node("everysec", "always"),
            fsync("always / everysec", "everysec / always"),
            (),
        ),
        (by_node("always", "always", HIDDEN), by_node("always", HIDDEN, HIDDEN), (), FSYNC),
        (by_node("always", HIDDEN), by_node(HIDDEN, "always"), (), FSYNC),
        (by_node("always", HIDDEN), by_node("always", HIDDEN), (), ()),
        # What was hidden on one node excuses no other.
        (
            by_node("always", HIDDEN),
            by_node("everysec", "always"),
            fsync("always / not readable", "always / everysec"),
            (),
        ),
        (
            by_node("always", "always", "everysec"),
            by_node("always", "", "everysec"),
            (SettingChange("store", "appendonly", "yes", "no / yes"),),
            (),
        ),
        (
            by_node("always", ""),
            by_node("", "always"),
            (SettingChange("store", "appendonly", "yes / no", "no / yes"),),
            (),
        ),
        # Other nodes than before: after a failover, and of a cluster that grew or shrank.
        (by_node("always", "everysec"), by_node("everysec", "always", first=5), (), ()),
        (
            by_node("always", "always", "everysec"),
            by_node("always", "everysec", "everysec", first=5),
            fsync("always / always / everysec", "always / everysec / everysec"),
            (),
        ),
        (
            by_node("always", "always", "everysec"),
            by_node("always", "everysec", "everysec", "always"),
            fsync("always", "everysec"),
            (),
        ),
        (by_node("always"), by_node("always", "always"), (), ()),
        (by_node("always"), by_node("always", "no"), fsync("always", "always / no"), ()),
        (by_node("always"), by_node("always", HIDDEN), (), FSYNC),
        (by_node("always", "always"), by_node("always"), (), ()),
        (by_node("always"), {}, (), ("appendonly", "appendfsync")),
    ],
)
def test_no_node_of_a_cluster_hides_a_change_of_another(
    before: dict[str, Settings],
    after: dict[str, Settings],
    changes: tuple[SettingChange, ...],
    unread: tuple[str, ...],
) -> None:
    found, hidden = compare_settings(cluster(before), after)
    assert found == changes
    assert (hidden.settings if hidden else ()) == unread
