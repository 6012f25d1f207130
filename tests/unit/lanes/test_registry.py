"""What is said of every path of a lane, in all the places that must say something of it."""

from __future__ import annotations

from itertools import product

from engines.config.settings import BY_KEY, SERVER_TABLES
from engines.config.value_types import Choice
from engines.doctor.redis.permissions import probes
from engines.lanes.registry import READ, WRITE
from engines.model.lanes import (
    COMMANDS_USED,
    LANES,
    RACE_COMMANDS,
    REDIS_COMMANDS,
    ReadPath,
    WritePath,
)
from engines.results.reconciliation import EXPECTED
from tests.support.bastion_docs import acl_rules

PATHS = {*WritePath, *ReadPath}

ASKED_EARLIER = {"INFO"}
"""Commands without which the doctor does not come as far as the permissions."""


def presets() -> tuple[str, ...]:
    kind = BY_KEY["preset"].value_type
    assert isinstance(kind, Choice)
    return kind.options


def test_every_path_has_a_program_commands_and_expected_counts() -> None:
    assert WRITE.keys() == set(product(WritePath, presets()))
    assert READ.keys() == set(product(ReadPath, presets()))
    assert REDIS_COMMANDS.keys() == PATHS
    assert EXPECTED.keys() == PATHS


def test_every_lane_has_servers_with_tables_of_their_own() -> None:
    assert len(set(SERVER_TABLES)) == len(SERVER_TABLES)
    for lane in LANES.values():
        assert lane.servers[0].role in ("database", "store")
        for slot in lane.servers:
            assert slot.table.partition(".")[0] == lane.id
            assert slot.sandbox


def test_the_doctor_tries_every_command() -> None:
    calls = probes(b"telemon:doctor:1", cluster=True, replicas=True)
    tried = {
        " ".join(str(word) for word in call[: 2 if call[0] == "CLUSTER" else 1]) for call in calls
    }
    assert tried | ASKED_EARLIER == COMMANDS_USED


def test_the_documented_user_may_run_every_command() -> None:
    allowed = {rule[1:].upper().replace("|", " ") for rule in acl_rules() if rule[0] == "+"}
    assert allowed | {"READONLY"} == COMMANDS_USED
    assert set(RACE_COMMANDS) <= allowed
