"""`telemon prepare` and `telemon clean`: show the planned changes, ask, and apply them."""

from __future__ import annotations

import sys
from collections.abc import Callable

from engines.backends.mysql import client as mysql
from engines.backends.redis import client as redis
from engines.config import race_config as config
from engines.endpoints.deadline import PHASE_S, Deadline, DeadlineError
from engines.endpoints.redaction import redact
from engines.errors import DOCTOR_HINT, PlanError
from engines.provisioning import clean as cleaning
from engines.provisioning import prepare as preparing
from engines.provisioning.plan import Plan
from engines.text import one_line
from engines.workload.namespace import Namespace
from tui.cli.exit_codes import DONE, FAILED, USAGE
from tui.cli.stderr import log_line
from tui.cli.stdout import print_line

SCAN_REPLY_S = 0.2
"""Seconds by which each reply extends the work on a server."""

SCAN_AT_MOST_S = 3600.0
"""Seconds after which the work on a server ends, however many replies have come."""

PRIVATE = "every lane races on private servers, which telemon makes and removes itself"
"""Reason why there is nothing to do without servers in the settings."""


def prepare(settings: config.RaceConfig, *, yes: bool) -> int:
    """Create what a race needs on the servers in the settings. Return the exit code."""
    return _run(lambda: preparing.plan(settings.endpoints, settings.seed), settings, yes=yes)


def clean(settings: config.RaceConfig, *, yes: bool) -> int:
    """Remove what telemon created on the servers in the settings. Return the exit code."""
    return _run(lambda: cleaning.plan(settings.endpoints), settings, yes=yes)


def _run(make_plan: Callable[[], Plan], settings: config.RaceConfig, *, yes: bool) -> int:
    if not settings.endpoints:
        print_line(f"nothing to do: {PRIVATE}")
        return DONE
    try:
        with _deadline("looking at the servers", len(settings.endpoints)):
            plan = make_plan()
    except PlanError as error:
        log_line(str(error))
        return FAILED
    except DeadlineError as error:
        log_line(f"{error}; {DOCTOR_HINT}")
        return FAILED
    for where, what in plan.unchanged:
        print_line(one_line(redact(f"{where}: as it is: {what}")))
    for change in plan.changes:
        print_line(one_line(redact(f"{change.where}: to do: {change.what}")))
    if not plan.changes:
        print_line("nothing to do")
        return DONE
    if not yes:
        agreed = _ask_user()
        if agreed is None:
            log_line("nothing was done: there is no terminal to ask on; say --yes")
            return USAGE
        if not agreed:
            log_line("nothing was done")
            return FAILED
    return _apply(plan, next(iter(settings.endpoints.values())).namespace)


def _deadline(what: str, servers: int = 1) -> Deadline:
    """Return the deadline of work on so many servers. Each reply extends it: a SCAN of many keys is long, not hung."""
    return Deadline(
        what, PHASE_S * servers, per_reply_s=SCAN_REPLY_S, at_most_s=SCAN_AT_MOST_S * servers
    )


def _ask_user() -> bool | None:
    """Return whether the user agrees; None if there is no terminal to ask on."""
    if not all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr)):
        return None
    print("Do this? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _apply(plan: Plan, namespace: Namespace) -> int:
    for change in plan.changes:
        try:
            with _deadline(change.what):
                result = change.apply()
        except (*mysql.FAILURES, *redis.FAILURES, mysql.ForeignTableError) as error:
            log_line(f"{change.where}: {mysql.error_text(error, namespace)}; {DOCTOR_HINT}")
            return FAILED
        except PlanError as error:
            log_line(str(error))
            return FAILED
        print_line(one_line(redact(f"{change.where}: {result}")))
    return DONE
