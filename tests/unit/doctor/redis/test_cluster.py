"""Nodes of a cluster that a server names and the doctor does not go to."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest

from engines.doctor.check import Check, CheckRunner, Status
from engines.doctor.redis.cluster import ClusterLayout, check_nodes
from engines.endpoints.endpoint import RedisEndpoint
from engines.endpoints.slot_map import SlotRange
from engines.wire.resp import SLOTS

FAR = RedisEndpoint("192.0.2.1", 6379, "s3cret")


def test_a_node_on_this_machine_of_a_cluster_elsewhere_is_named_and_not_connected_to() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, ExitStack() as stack:
        listening.settimeout(0.2)
        node = f"127.0.0.1:{listening.getsockname()[1]}"
        layout = ClusterLayout((SlotRange(0, SLOTS - 1, node),))
        checks: list[Check] = list(check_nodes(CheckRunner(), FAR, layout, stack))
        with pytest.raises(TimeoutError):
            listening.accept()
    (check,) = checks
    assert (check.status, check.problem) == (Status.FAIL, "node_forbidden")
    assert (
        f"the cluster names the node {node}, which leads to this machine (127.0.0.1)"
        in check.finding
    )
    assert "cluster-announce-ip" in check.next_step
