"""The limit of open files: raised as far as the hard limit and reason allow."""

from __future__ import annotations

import resource

import pytest

from engines.host.open_files import ENOUGH_FILES, OPEN_MAX, raise_limit

INFINITE = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "kernel_takes", "limit"),
    [
        (256, 20_000, INFINITE, 20_000),
        (1_024, 1_024, INFINITE, 1_024),
        (1_024, 1 << 30, INFINITE, ENOUGH_FILES),
        (1 << 20, 1 << 30, INFINITE, 1 << 20),
        (256, INFINITE, INFINITE, ENOUGH_FILES),
        (256, INFINITE, OPEN_MAX, OPEN_MAX),
        (256, INFINITE, 300, 256),
        (INFINITE, INFINITE, INFINITE, None),
    ],
)
def test_the_soft_limit_is_raised(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, kernel_takes: int, limit: int | None
) -> None:
    in_force = [soft]

    def set_limit(_: int, limits: tuple[int, int]) -> None:
        assert limits[1] == hard
        if kernel_takes != INFINITE and limits[0] > kernel_takes:
            raise ValueError("current limit exceeds maximum limit")
        in_force[0] = limits[0]

    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", set_limit)
    assert raise_limit() == limit
    assert in_force[0] == (INFINITE if limit is None else limit)
