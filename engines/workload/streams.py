"""Key streams: which keys a connection writes and reads, in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from random import Random

from engines.workload.dataset import POOL_SIZE, KeyRange
from engines.workload.key_distribution import UNIFORM, KeyDistribution, sample_indices


@dataclass(frozen=True, slots=True)
class Partition:
    """The part of the keys that one writer connection owns. Every key is in exactly one partition.

    The keys are divided twice: first among the `processes` engine processes, then inside a process among its
    `connections`. A process can therefore change its number of connections without coordination.
    """

    process: int = 0
    processes: int = 1
    connection: int = 0
    connections: int = 1

    @property
    def offset(self) -> int:
        """Index of the first key of the partition."""
        return self.process + self.processes * self.connection

    @property
    def stride(self) -> int:
        """Distance from one key of the partition to the next."""
        return self.processes * self.connections

    def size(self, keys: KeyRange) -> int:
        """Return how many of `keys` the partition holds."""
        return max(0, (len(keys) - self.offset + self.stride - 1) // self.stride)


def read_key_stream(
    seed: int,
    process: int,
    connection: int,
    keys: KeyRange,
    distribution: KeyDistribution = UNIFORM,
) -> Callable[[], int]:
    """Return a function that returns the next key (a car id) for one reader connection.

    Equal arguments give the same sequence. The keys come from `keys` and follow `distribution`. `process` and
    `connection` number the engine process and its reader connection; each has its own stream.
    """
    stream = Random(f"{seed}:read:{process}:{connection}")
    return sample_indices(distribution, len(keys), stream, seed, keys.first)


Row = tuple[int, int, int]
"""(car id, index of its telemetry sample, version)."""


class BatchStream:
    """Batches of rows that one writer connection sends, from its own partition of the keys.

    `rows` is the size of the next batch and may change during a run. `versions` numbers the rows; all writers of a
    process share it, so that the version of a key increases strictly whichever of them writes it.
    """

    __slots__ = ("_next_sample", "_sample_key", "_versions", "rows")

    def __init__(
        self,
        seed: int,
        partition: Partition,
        keys: KeyRange,
        rows: int,
        versions: Iterator[int],
        distribution: KeyDistribution = UNIFORM,
    ) -> None:
        stream = Random(f"{seed}:write:{partition.process}:{partition.connection}")
        self._sample_key = sample_indices(
            distribution,
            partition.size(keys),
            stream,
            seed,
            keys.first + partition.offset,
            partition.stride,
        )
        self._next_sample = partition.offset * 977 % POOL_SIZE
        self._versions = versions
        self.rows = rows

    def next(self) -> list[Row]:
        """Return the next batch, in key order; a key sampled twice occurs twice, its higher version last.

        Without the key order, concurrent upserts of overlapping pages would deadlock.
        """
        sample_key = self._sample_key
        keys = [sample_key() for _ in range(self.rows)]
        keys.sort()
        begin, end = self._next_sample, self._next_sample + len(keys)
        self._next_sample = end % POOL_SIZE
        samples: Iterable[int] = range(begin, end)
        if end > POOL_SIZE:
            samples = [number % POOL_SIZE for number in samples]
        # zip takes the keys first, so that it discards no version at the end.
        return list(zip(keys, samples, self._versions, strict=False))
