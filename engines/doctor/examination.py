"""All that `telemon doctor` looks at but the terminal: this machine, then every server of the racing lanes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from engines import config
from engines.doctor import machine, mysql, redis
from engines.doctor.check import Check, Verdict
from engines.doctor.subject import Load, Subject, subjects
from engines.endpoint import MySQLEndpoint, RedisEndpoint

CONFIGURATION = "configuration"


def examine(settings: config.Race) -> Iterator[Check]:
    """The checks in the order in which they are shown. Servers are looked at side by side, and only looked at: what
    is written to try a right is taken back."""
    yield from _configuration(settings)
    load = Load(settings.writers, settings.readers, settings.batch)
    own = settings.endpoints
    private = [lane for lane in settings.lanes if lane not in own]
    yield from machine.examine(private, load, settings.sandbox.directory)
    found = subjects(own, load)
    if found:
        with ThreadPoolExecutor(max_workers=len(found)) as pool:
            for checks in pool.map(_examined, found):
                yield from checks


def _examined(subject: Subject[MySQLEndpoint] | Subject[RedisEndpoint]) -> list[Check]:
    if isinstance(subject.endpoint, MySQLEndpoint):
        return list(mysql.examine(subject))
    return list(redis.examine(subject))


def _configuration(settings: config.Race) -> Iterator[Check]:
    if not settings.warnings:
        sources = {source for key, source in settings.sources}
        named = ", ".join(sorted(sources)) or "nothing but defaults"
        yield Check("", CONFIGURATION, Verdict.OK, named)
    for warning in settings.warnings:
        found, _, step = warning.rpartition("; ")
        yield Check(
            "",
            CONFIGURATION,
            Verdict.WARN,
            found or warning,
            problem="configuration_readable",
            next_step=step,
        )
