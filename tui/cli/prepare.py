"""`telemon prepare` and `telemon clean`: what will be done, a question, and what was done."""

from __future__ import annotations

import sys
from collections.abc import Callable

from engines.backends.mysql import client as mysql
from engines.backends.redis import client as redis
from engines.config import race_config as config
from engines.errors import DOCTOR_HINT, PlanError
from engines.provisioning import clean as cleaning
from engines.provisioning import prepare as preparing
from engines.provisioning.plan import Plan
from engines.text import one_line
from tui.cli.run import log_line

DONE, FAILED, USAGE = 0, 1, 2

PRIVATE = "every lane races on private servers, which telemon makes and removes itself"


def prepare(settings: config.RaceConfig, *, yes: bool) -> int:
    """Make what a race needs on the servers that the settings name; the exit code."""
    return _run(lambda: preparing.plan(settings.endpoints, settings.seed), settings, yes=yes)


def clean(settings: config.RaceConfig, *, yes: bool) -> int:
    """Remove what telemon made on the servers that the settings name; the exit code."""
    return _run(lambda: cleaning.plan(settings.endpoints), settings, yes=yes)


def _run(planned: Callable[[], Plan], settings: config.RaceConfig, *, yes: bool) -> int:
    if not settings.endpoints:
        print(f"nothing to do: {PRIVATE}")
        return DONE
    try:
        plan = planned()
    except PlanError as error:
        log_line(str(error))
        return FAILED
    for where, what in plan.unchanged:
        print(one_line(f"{where}: as it is: {what}"))
    for change in plan.changes:
        print(one_line(f"{change.where}: to do: {change.what}"))
    if not plan.changes:
        print("nothing to do")
        return DONE
    sys.stdout.flush()
    if not yes:
        asked = _agreed()
        if asked is None:
            log_line("nothing was done: there is no terminal to ask on; say --yes")
            return USAGE
        if not asked:
            log_line("nothing was done")
            return FAILED
    return _done(plan)


def _agreed() -> bool | None:
    """What the user says; None where there is nobody to ask."""
    if not all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr)):
        return None
    print("Do this? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _done(plan: Plan) -> int:
    for change in plan.changes:
        try:
            came_of_it = change.apply()
        except (*mysql.FAILURES, *redis.FAILURES, mysql.ForeignTableError) as error:
            log_line(f"{change.where}: {mysql.error_text(error)}; {DOCTOR_HINT}")
            return FAILED
        print(one_line(f"{change.where}: {came_of_it}"), flush=True)
    return DONE
