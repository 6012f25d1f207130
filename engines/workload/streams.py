"""Which keys a connection writes and reads, in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from random import Random

from engines.workload.dataset import POOL_SIZE, KeyRange
from engines.workload.key_distribution import UNIFORM, KeyDistribution, sample_indices


@dataclass(frozen=True, slots=True)
class Partition:
    """The part of the cars that one writer connection owns: no car is in two shares, every car is in one.

    The cars are dealt out twice: to the `processes` engine processes first, and inside a process to its
    `connections`, so that a process can change its number of connections without asking the others.
    """

    process: int = 0
    processes: int = 1
    connection: int = 0
    connections: int = 1

    @property
    def offset(self) -> int:
        """Index of the share's first car."""
        return self.process + self.processes * self.connection

    @property
    def stride(self) -> int:
        """Distance from one car of the share to the next."""
        return self.processes * self.connections

    def size(self, keys: KeyRange) -> int:
        """How many of `cars` the share holds."""
        return max(0, (len(keys) - self.offset + self.stride - 1) // self.stride)


def read_key_stream(
    seed: int,
    process: int,
    connection: int,
    keys: KeyRange,
    distribution: KeyDistribution = UNIFORM,
) -> Callable[[], int]:
    """The car that reader `connection` of engine process `process` asks for next, out of `cars` by `shape`."""
    stream = Random(f"{seed}:read:{process}:{connection}")
    return sample_indices(distribution, len(keys), stream, seed, keys.first)


Row = tuple[int, int, int]
"""(car_id, index of its reading, version)."""


class BatchStream:
    """The batches that one writer connection sends: rows of its own share of the cars, in key order.

    `rows` is the size of the next batch and may change while racing. `versions` numbers the rows and is common to all
    writers of a process, so that a car's version grows strictly whichever of them writes it.
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
        """The next batch. Rows are in key order, or concurrent upserts of overlapping pages would deadlock; a car
        that is drawn twice comes twice, the higher version last."""
        sample_key = self._sample_key
        keys = [sample_key() for _ in range(self.rows)]
        keys.sort()
        begin, end = self._next_sample, self._next_sample + len(keys)
        self._next_sample = end % POOL_SIZE
        samples: Iterable[int] = range(begin, end)
        if end > POOL_SIZE:
            samples = [number % POOL_SIZE for number in samples]
        # zip asks the cars first, so that no version is lost where they end.
        return list(zip(keys, samples, self._versions, strict=False))
