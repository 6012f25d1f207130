"""The peer of the MySQL lanes: sysbench, with the very statements that telemon sends."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

from benchmarks.measured import Measured
from benchmarks.telemon_side import BATCH_ROWS
from engines.endpoints.endpoint import MySQLEndpoint
from engines.workload.dataset import ALL_KEYS, HOT_KEYS
from engines.workload.statements import UPSERT_TAIL, select, upsert_head

SELECT_LUA = """
function thread_init()
    connection = sysbench.sql.driver():connect()
end

function event()
    connection:query(string.format("{select}", sysbench.rand.uniform({first}, {last})))
end
"""


UPSERT_LUA = """
function thread_init()
    connection = sysbench.sql.driver():connect()
end

function event()
    local cars, rows = {{}}, {{}}
    for row = 1, {rows} do
        cars[row] = sysbench.rand.uniform({first}, {last})
    end
    table.sort(cars)
    for row = 1, {rows} do
        rows[row] = string.format("(%d,%d,%d,%d,%d,%d)", cars[row], sysbench.rand.uniform(750, 4000),
            sysbench.rand.uniform(60, 99), sysbench.rand.uniform(80, 120), sysbench.rand.uniform(30, 150), row)
    end
    connection:query("{head}" .. table.concat(rows, ",") .. "{tail}")
end
"""


def measure_upserts(endpoint: MySQLEndpoint, connections: int, seconds: float) -> Measured:
    """The race's upsert of `BATCH_ROWS` rows over the fleet, each its own commit; rows per second and p50."""
    script = UPSERT_LUA.format(
        rows=BATCH_ROWS,
        first=ALL_KEYS.first,
        last=ALL_KEYS.last,
        head=upsert_head(endpoint.namespace.table).decode(),
        tail=UPSERT_TAIL.decode(),
    )
    statements = _measure(endpoint, script, connections, seconds)
    return Measured(statements.per_s * BATCH_ROWS, statements.p50_us)


def measure_selects(endpoint: MySQLEndpoint, connections: int, seconds: float) -> Measured:
    """The race's SELECT over the hot cars; statements per second and p50."""
    text = select(endpoint.namespace.table).decode()
    script = SELECT_LUA.format(select=text, first=HOT_KEYS.first, last=HOT_KEYS.last)
    return _measure(endpoint, script, connections, seconds)


def _measure(endpoint: MySQLEndpoint, script: str, connections: int, seconds: float) -> Measured:
    with tempfile.TemporaryDirectory(prefix="telemon-bench-") as folder:
        lua = Path(folder, "workload.lua")
        lua.write_text(script)
        options = Path(folder, "sysbench.conf")
        options.write_text(
            f"mysql-host={endpoint.host}\nmysql-port={endpoint.port}\nmysql-user={endpoint.user}\n"
            f"mysql-password={endpoint.password}\nmysql-db={endpoint.database}\n"
        )
        ran = subprocess.run(
            [
                "sysbench",
                f"--config-file={options}",
                f"--threads={connections}",
                f"--time={max(1, round(seconds))}",
                "--histogram=on",
                str(lua),
                "run",
            ],
            capture_output=True,
            text=True,
            timeout=seconds + 60,
            check=True,
        )
    return Measured(_figure(r"queries:\s+\d+\s+\(([\d.]+)", ran.stdout), _median_us(ran.stdout))


def _median_us(output: str) -> float:
    """The median out of the histogram: the percentile that sysbench prints is rounded to 10 us."""
    buckets = [
        (float(value_ms) * 1000, int(count))
        for value_ms, count in re.findall(r"^\s+([\d.]+) \|\**\s+(\d+)$", output, re.MULTILINE)
    ]
    half, seen = sum(count for _, count in buckets) / 2, 0
    for value_us, count in buckets:
        seen += count
        if seen >= half:
            return value_us
    raise SystemExit(f"sysbench printed no histogram:\n{output}")


def _figure(pattern: str, output: str) -> float:
    found = re.search(pattern, output)
    if found is None:
        raise SystemExit(f"sysbench printed no {pattern!r}:\n{output}")
    return float(found[1])
