"""All checks of `telemon doctor` except the terminal's: this machine, then every server of the racing lanes."""

from __future__ import annotations

import traceback
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from engines.config import race_config as config
from engines.doctor import machine
from engines.doctor.check import (
    CHECK_LIMIT_S,
    CHECK_REPLY_S,
    NO_SECRET_STEP,
    SLOW_STEP,
    Check,
    CheckRunner,
    Status,
)
from engines.doctor.mysql import checks as mysql
from engines.doctor.redis import checks as redis
from engines.doctor.target import PlannedLoad, Target, targets
from engines.endpoints.credential_sources import SecretError
from engines.endpoints.daemon_threads import in_parallel
from engines.endpoints.deadline import Deadline, DeadlineError
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
    yield from machine.check_machine(settings)
    found = targets(own, load)
    if found:
        for checks in in_parallel(_check_server, found, len(found)):
            yield from checks


def _check_server(target: Target[MySQLEndpoint] | Target[RedisEndpoint]) -> list[Check]:
    """Return all checks of one server. An unexpected exception ends only the checks of this server.

    Each check has a total time. A server that exceeds it is not asked any further.
    """
    runner = CheckRunner(target.title)
    checks: list[Check] = []
    late = "examination"
    try:
        with (
            Deadline("this check", CHECK_LIMIT_S, per_reply_s=CHECK_REPLY_S) as deadline,
            closing(_server_checks(target)) as found,
        ):
            for check in found:
                if deadline.passed:
                    # What it found is the connection that the deadline has closed.
                    late = check.name
                    break
                checks.append(check)
                deadline.restart(CHECK_LIMIT_S)
    except DeadlineError as error:
        checks.append(runner.fail(late, "too_slow", str(error), SLOW_STEP))
    except SecretError as error:
        checks.append(runner.fail("authentication", "no_secret", str(error), NO_SECRET_STEP))
    except Exception as error:
        # Do not show the exception's text: it may contain data that was sent.
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{type(error).__name__} in {Path(frame.filename).name}, line {frame.lineno}"
        checks.append(
            runner.fail("examination", "unexpected", f"it broke off: {where}", UNEXPECTED_STEP)
        )
    # The product is known only after the sign-in: from then on the checks name it.
    title = next((each.endpoint for each in checks if each.endpoint != target.title), target.title)
    return [replace(check, endpoint=title) for check in checks]


def _server_checks(target: Target[MySQLEndpoint] | Target[RedisEndpoint]) -> Generator[Check]:
    """Yield the checks of one server."""
    if isinstance(target.endpoint, MySQLEndpoint):
        yield from mysql.check_mysql(target)
    else:
        yield from redis.check_redis(target)


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
