"""What was found when the claims of a result were compared with the servers at the end of a race."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LostRow:
    """An acknowledged row that the server does not hold. `stored` is the version that it holds; None for no row."""

    car_id: int
    acknowledged: int
    stored: int | None


@dataclass(frozen=True, slots=True)
class ReadBack:
    """A sample of a lane's acknowledged rows, compared with what its system of record holds.

    `checked` rows were compared. Of these `missing` have no row; `older` have one of an earlier version; `different`
    have the acknowledged version with other readings, or something that is no row of telemon's. `unanswered` have an
    earlier version whose write telemon gave up without an answer: the server may apply such a write late. A later
    version than the acknowledged one is as good as this one.

    `unread` rows of the sample were not compared: the server did not answer in time (`timed_out`), or failed
    (`problem`, its error).
    """

    checked: int = 0
    missing: int = 0
    older: int = 0
    different: int = 0
    unanswered: int = 0
    unread: int = 0
    timed_out: bool = False
    problem: str = ""
    examples: tuple[LostRow, ...] = ()

    @property
    def lost(self) -> int:
        """Return how many acknowledged rows the server does not hold as they were acknowledged."""
        return self.missing + self.older + self.different


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A durability setting of a server that is another one at the end of a race than it was before."""

    role: str
    setting: str
    before: str | int
    after: str | int


@dataclass(frozen=True, slots=True)
class UnreadSettings:
    """Durability settings of a server (`role`) that were known before a race and could not all be read at its end.

    The server did not answer in time (`timed_out`), or failed (`problem`, its error), or shows them no more (neither).
    """

    role: str
    settings: tuple[str, ...]
    timed_out: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class CacheLifetimes:
    """Times to live that the cache itself states for keys that the race has filled.

    Of `checked` keys `endless` never expire, and `longer` stay longer than any fill asked for, which is `allowed_ms`.
    `unread` further keys have no known time to live: the cache did not answer in time (`timed_out`), or with something
    else (`problem`). Keys that were not there are in neither number.
    """

    checked: int = 0
    endless: int = 0
    longer: int = 0
    allowed_ms: int = 0
    unread: int = 0
    timed_out: bool = False
    problem: str = ""
