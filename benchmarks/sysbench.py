"""The peer of the MySQL lanes: sysbench, with the very statements that telemon sends."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

from benchmarks.measured import Measured
from engines.endpoint import MySQLEndpoint
from engines.servers.statements import SELECT
from engines.workload import HOT

SELECT_LUA = """
function thread_init()
    connection = sysbench.sql.driver():connect()
end

function event()
    connection:query(string.format("{select}", sysbench.rand.uniform({first}, {last})))
end
"""


def measure_selects(endpoint: MySQLEndpoint, connections: int, seconds: float) -> Measured:
    """The race's SELECT over the hot cars; statements per second and p50."""
    script = SELECT_LUA.format(select=SELECT.decode(), first=HOT.first, last=HOT.last)
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
                f"--time={seconds:g}",
                "--percentile=50",
                str(lua),
                "run",
            ],
            capture_output=True,
            text=True,
            timeout=seconds + 60,
            check=True,
        )
    return Measured(
        _figure(r"queries:\s+\d+\s+\(([\d.]+)", ran.stdout),
        _figure(r"50th percentile:\s+([\d.]+)", ran.stdout) * 1000,
    )


def _figure(pattern: str, output: str) -> float:
    found = re.search(pattern, output)
    if found is None:
        raise SystemExit(f"sysbench printed no {pattern!r}:\n{output}")
    return float(found[1])
