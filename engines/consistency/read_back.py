"""Reads acknowledged rows back from the servers at the end of a race, over connections of its own.

The connections are opened when the writers have ended, so that a row that was acknowledged and not committed is not
seen. The lanes' systems of record are asked: MySQL, or the primaries of the durable cluster. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock, Thread
from time import monotonic

from engines.backends.failure_text import problem_text
from engines.backends.mysql import client as mysql
from engines.backends.mysql.rows import read_rows
from engines.backends.redis import client as redis
from engines.backends.redis.own_keys import WRONG_TYPE
from engines.endpoints.endpoint import LaneEndpoints, MySQLEndpoint, RedisEndpoint
from engines.ipc.messages import AcknowledgedRows
from engines.model.read_back import LostRow, ReadBack
from engines.wire.resp import key_slot
from engines.workload.dataset import TelemetryPool, payload
from engines.workload.redis_keys import MAX_DIGITS, is_row, redis_key
from engines.workload.streams import Row

READ_BACK_WAIT_S = 3.0
"""Seconds that the end of a race waits for the rows. A row that has not come by then is not compared."""

ROWS_PER_QUERY = 250
"""Rows that are asked for at a time. Of a server that stops answering, those of the queries before are compared."""

EXAMPLES = 5
"""Number of lost rows that a result names."""

NO_STRING = b"no string"
"""Stands for a value of Redis that GET refuses to return, because it is a list or the like."""

Stored = Mapping[int, bytes | None]
"""By car, its row in the form of a Redis payload; None if there is no row."""


@dataclass(slots=True)
class LaneRows:
    """What the writer processes of a lane acknowledged, and where it must be.

    `addresses` are nodes of the lane's cluster that were in the race, to be asked if the configured one is gone.
    `found` and `problem` are what the reading thread has found, and why it ended early.
    """

    endpoints: LaneEndpoints
    samples: Sequence[AcknowledgedRows]
    addresses: Sequence[str] = ()
    found: dict[int, bytes | None] = field(default_factory=dict)
    problem: str = ""


def read_back(
    lanes: Mapping[str, LaneRows], telemetry: TelemetryPool, within_s: float = READ_BACK_WAIT_S
) -> dict[str, ReadBack]:
    """Return by lane how its acknowledged rows compare with what is stored.

    All lanes are read at once. Blocks for at most `within_s`, whatever a server does; a thread that still waits for one
    ends with the time limit of its connection. Raises nothing for a server that fails, whatever it answers.
    """
    lock = Lock()
    threads = [
        Thread(target=_read, args=(rows, lock), name="read back", daemon=True)
        for rows in lanes.values()
        if any(sample.rows for sample in rows.samples)
    ]
    for thread in threads:
        thread.start()
    until_s = monotonic() + within_s
    for thread in threads:
        thread.join(max(0.0, until_s - monotonic()))
    with lock:
        return {
            lane: compare(rows.samples, dict(rows.found), telemetry, rows.problem)
            for lane, rows in lanes.items()
        }


def _read(rows: LaneRows, lock: Lock) -> None:
    """Collect the stored rows of a lane, in a thread of its own."""
    cars = sorted({row[0] for sample in rows.samples for row in sample.rows})
    endpoints, problem = rows.endpoints, ""
    try:
        if endpoints.mysql is not None:
            parts: Iterator[Stored] = _mysql_rows(endpoints.mysql, cars)
        else:
            assert endpoints.redis is not None
            parts = _redis_rows(endpoints.redis, cars, rows.addresses)
        for part in parts:
            with lock:
                rows.found.update(part)
    except Exception as error:
        problem = problem_text(error, (*mysql.FAILURES, *redis.FAILURES), endpoints.namespace)
    with lock:
        rows.problem = problem


def _mysql_rows(endpoint: MySQLEndpoint, cars: Sequence[int]) -> Iterator[Stored]:
    with mysql.cursor(endpoint) as cursor:
        for part in _parts(cars):
            condition = f"car_id IN ({','.join(map(str, part))})"
            found = read_rows(cursor, endpoint.namespace.table, condition)
            yield {car_id: found.get(car_id) for car_id in part}


def _redis_rows(
    endpoint: RedisEndpoint, cars: Sequence[int], addresses: Iterable[str]
) -> Iterator[Stored]:
    """Yield the rows of each primary in turn.

    Raises when all have been asked, for a primary that failed, a row that it refused or a slot that none serves.
    """
    prefix = endpoint.namespace.key_prefix
    ranges = redis.slot_map(endpoint, addresses)
    by_address: dict[str, list[int]] = {}
    failed: Exception | None = None
    for car_id in cars:
        name = redis_key(car_id, prefix)
        owner = redis.slot_owner(ranges, key_slot(name))
        if owner is None:
            failed = redis.unserved(key_slot(name), name)
        else:
            by_address.setdefault(owner, []).append(car_id)
    for address, wanted in by_address.items():
        try:
            with redis.client(address, endpoint) as node:
                for part in _parts(wanted):
                    with node.pipeline(transaction=False) as pipeline:
                        for car_id in part:
                            pipeline.get(redis_key(car_id, prefix))
                        replies = pipeline.execute(raise_on_error=False)
                    found: dict[int, bytes | None] = {}
                    for car_id, reply in zip(part, replies, strict=True):
                        if not isinstance(reply, Exception):
                            found[car_id] = reply
                        elif WRONG_TYPE in str(reply):
                            found[car_id] = NO_STRING
                        else:
                            failed = reply
                    yield found
        except redis.FAILURES as error:
            failed = error
    if failed is not None:
        raise failed


def _parts(cars: Sequence[int]) -> Iterator[Sequence[int]]:
    return (cars[at : at + ROWS_PER_QUERY] for at in range(0, len(cars), ROWS_PER_QUERY))


def compare(
    samples: Iterable[AcknowledgedRows], stored: Stored, telemetry: TelemetryPool, problem: str = ""
) -> ReadBack:
    """Return how acknowledged rows compare with the stored ones. Pure.

    A car that is not among `stored` was not read; `problem` says why, or is empty if it was too late.
    """
    counts = dict.fromkeys(("checked", "missing", "older", "different", "unanswered", "unread"), 0)
    examples: list[LostRow] = []
    for sample in samples:
        for row in sample.rows:
            car_id, _, version = row
            if car_id not in stored:
                counts["unread"] += 1
                continue
            counts["checked"] += 1
            value = stored[car_id]
            verdict = _verdict(row, value, sample.unanswered, telemetry)
            if verdict:
                counts[verdict] += 1
            if verdict and verdict != "unanswered" and len(examples) < EXAMPLES:
                examples.append(LostRow(car_id, version, _version_of(value)))
    timed_out = bool(counts["unread"]) and not problem
    return ReadBack(**counts, timed_out=timed_out, problem=problem, examples=tuple(examples))


def _verdict(
    row: Row,
    value: bytes | None,
    unanswered: Iterable[tuple[int, int]],
    telemetry: TelemetryPool,
) -> str:
    """Return the field of `ReadBack` that counts a stored value; "" for one that is as good as the acknowledged row."""
    car_id, sample, version = row
    if value is None:
        return "missing"
    found = _version_of(value)
    if found is None or not is_row(car_id, value):
        return "different"
    if found == version:
        return "" if value == payload(car_id, telemetry.payload[sample], version) else "different"
    if found > version:
        return ""
    return "unanswered" if any(first <= found <= last for first, last in unanswered) else "older"


def _version_of(value: object) -> int | None:
    """Return the version at the end of a stored value, None if it has none, whatever the server sent."""
    version = value.rpartition(b":")[2] if isinstance(value, bytes) else b""
    return int(version) if version.isdigit() and len(version) <= MAX_DIGITS else None
