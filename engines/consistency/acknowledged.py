"""Record of acknowledged rows that an engine process keeps, for comparison with the servers after the race."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random

from engines.workload.streams import Row

SAMPLED_BATCHES = 240
"""Number of batches that are kept from the course of a race, besides the last one of each connection. More would find
a loss in the middle of a race with more certainty, and cost memory."""

UNANSWERED_BATCHES = 10_000
"""Number of batches without an answer that are remembered. If more are given up, the oldest are forgotten, and a write
of theirs that a server applies late is then taken for a loss."""

Batch = list[Row]


class AcknowledgedRecord:
    """A sample of the batches that were acknowledged, and the versions of those that may or may not be stored.

    Performance: a connection's last batch costs one `deque.append` per operation, 25 ns (timeit, CPython 3.11). Nothing
    is kept per row.
    """

    def __init__(self, seed: object) -> None:
        self._random = Random(f"{seed}:acknowledged")
        self._last: list[deque[Batch]] = []
        """The last batch of each connection; of a former partition of the keys too."""
        self._sampled: list[Batch] = []
        self._offered = 0
        """Number of batches among which `_sampled` was drawn."""
        self._unanswered: deque[tuple[int, int]] = deque(maxlen=UNANSWERED_BATCHES)

    def for_connection(self) -> Callable[[Batch], object]:
        """Return the function to which one writer connection passes each batch when it is acknowledged."""
        last: deque[Batch] = deque(maxlen=1)
        self._last.append(last)
        return last.append

    def end_partition(self) -> None:
        """Keep what the connections of a partition wrote last, before the keys are partitioned again."""
        for last in self._last:
            for batch in last:
                self._keep(batch)
        self._last.clear()

    def give_up(self, rows: Batch) -> None:
        """Record a batch that was sent and not answered. Its versions are consecutive."""
        if rows:
            self._unanswered.append((rows[0][2], rows[-1][2]))

    def sample(self) -> None:
        """Keep the last batch of a connection drawn at random. To be called once in a while."""
        written = [last for last in self._last if last]
        if written:
            self._keep(self._random.choice(written)[-1])

    def _keep(self, batch: Batch) -> None:
        """Keep `batch` so that each batch offered is among those kept with the same probability."""
        self._offered += 1
        if len(self._sampled) < SAMPLED_BATCHES:
            self._sampled.append(batch)
        elif (place := self._random.randrange(self._offered)) < SAMPLED_BATCHES:
            self._sampled[place] = batch

    @property
    def unanswered(self) -> tuple[tuple[int, int], ...]:
        """Return the first and the last version of each batch that was sent and not answered."""
        return tuple(self._unanswered)

    def rows(self, limit: int) -> tuple[Row, ...]:
        """Return at most `limit` acknowledged rows, one per car.

        A half of them comes from what each connection wrote last, a half from the course of the race.
        """
        last = [batch for batches in self._last for batch in batches]
        newest: dict[int, Row] = {}
        for batches in (last, self._sampled):
            for row in self._spread(batches, limit // 2):
                if row[0] not in newest or row[2] > newest[row[0]][2]:
                    newest[row[0]] = row
        return tuple(newest.values())

    def _spread(self, batches: list[Batch], count: int) -> list[Row]:
        """Return at most `count` rows, drawn at random from all of `batches` alike."""
        if not batches:
            return []
        each = -(-count // len(batches))
        drawn = self._random.sample(batches, len(batches))
        rows = [row for batch in drawn for row in self._random.sample(batch, min(each, len(batch)))]
        return rows[:count]
