"""The name of the lock in MySQL."""

from __future__ import annotations

from engines.backends.mysql.lease import NAME_LENGTH, lock_name
from engines.endpoints.endpoint import MySQLEndpoint
from engines.workload.namespace import DEFAULT, Namespace


def test_a_lock_is_named_for_database_and_table_and_never_too_long() -> None:
    def name(database: str, namespace: Namespace) -> str:
        return lock_name(MySQLEndpoint("h", 1, "u", "p", database, namespace=namespace))

    assert name("telemon", DEFAULT) == "telemon:telemon.cars"
    assert name("telemon", Namespace("blue")) == "telemon:telemon.cars_blue"
    long = {name("d" * 60 + end, DEFAULT) for end in ("a", "b")}
    assert len(long) == 2
    assert all(len(each) <= NAME_LENGTH for each in long)
