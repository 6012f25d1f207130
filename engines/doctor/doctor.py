"""All checks of `telemon doctor` except the terminal's: this machine, then every server of the racing lanes."""

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
"""Name of the check."""

UNEXPECTED_STEP = "a mistake of telemon's: report it with this line and the server's version"
"""Next step after an unexpected exception in a check."""


def run_checks(settings: config.RaceConfig) -> Iterator[Check]:
    """Yield all checks in the order of display.

    Servers are checked in parallel and stay unchanged: writes that test a permission are undone.
    """
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
    """Return all checks of one server. An unexpected exception ends only the checks of this server."""
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
        # Do not show the exception's text: it may contain data that was sent.
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
