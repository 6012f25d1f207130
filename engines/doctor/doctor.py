"""All that `telemon doctor` looks at but the terminal: this machine, then every server of the racing lanes."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from engines.config import race_config as config
from engines.doctor import machine
from engines.doctor.check import NO_SECRET_STEP, Check, CheckRunner, Status
from engines.doctor.mysql import checks as mysql
from engines.doctor.redis import checks as redis
from engines.doctor.target import PlannedLoad, Target, targets
from engines.endpoints.credential_sources import SecretError
from engines.endpoints.endpoint import MySQLEndpoint, RedisEndpoint

CONFIGURATION = "configuration"

UNEXPECTED_STEP = "a mistake of telemon's: report it with this line and the server's version"


def run_checks(settings: config.RaceConfig) -> Iterator[Check]:
    """The checks in the order in which they are shown. Servers are looked at side by side, and only looked at: what
    is written to try a right is taken back."""
    yield from _check_configuration(settings)
    load = PlannedLoad(settings.writers, settings.readers, settings.batch)
    own = settings.endpoints
    private = [lane for lane in settings.lanes if lane not in own]
    yield from machine.check_machine(private, load, settings.sandbox.directory)
    found = targets(own, load)
    if found:
        with ThreadPoolExecutor(max_workers=len(found)) as pool:
            for checks in pool.map(_check_server, found):
                yield from checks


def _check_server(target: Target[MySQLEndpoint] | Target[RedisEndpoint]) -> list[Check]:
    """All checks of one server. What nobody thought of ends its examination, not that of the others."""
    runner = CheckRunner(target.title)
    checks: list[Check] = []
    try:
        if isinstance(target.endpoint, MySQLEndpoint):
            checks.extend(mysql.check_mysql(target))
        else:
            checks.extend(redis.check_redis(target))
    except SecretError as error:
        checks.append(runner.fail("authentication", "no_secret", str(error), NO_SECRET_STEP))
    except Exception as error:
        # Its own words may hold anything that was sent.
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{type(error).__name__} in {Path(frame.filename).name}, line {frame.lineno}"
        checks.append(
            runner.fail("examination", "unexpected", f"it broke off: {where}", UNEXPECTED_STEP)
        )
    return checks


def _check_configuration(settings: config.RaceConfig) -> Iterator[Check]:
    if not settings.warnings:
        sources = {source for key, source in settings.sources}
        finding = f"set by {', '.join(sorted(sources))}" if sources else "nothing but defaults"
        yield Check("", CONFIGURATION, Status.OK, finding)
    for warning in settings.warnings:
        found, _, step = warning.rpartition("; ")
        yield Check(
            "",
            CONFIGURATION,
            Status.WARN,
            found or warning,
            problem="configuration_readable",
            next_step=step,
        )
