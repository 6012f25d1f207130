"""Blocking work on daemon threads.

The pools of `concurrent.futures` join their threads when a block, or the interpreter, ends: one thread that waits for
a server that hangs would keep the whole program. These threads are left behind instead, and whoever waits for them can
be interrupted by a signal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import TypeVar

from engines.endpoints.deadline import left_s

LOOK_EVERY_S = 0.1
"""Seconds between two looks at whether the work was ended from outside."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_thread(work: Callable[[], Result], within_s: float, late: str) -> Result:
    """Return the result of `work`, which runs on a thread. Blocks for at most `within_s`.

    Raises what `work` raises, TimeoutError with the text `late`, and the errors of `engines.endpoints.deadline.left_s`.
    """
    done: SimpleQueue[tuple[Result | None, BaseException | None]] = SimpleQueue()

    def run() -> None:
        try:
            done.put((work(), None))
        except BaseException as error:
            done.put((None, error))

    Thread(target=copy_context().run, args=(run,), name="blocking", daemon=True).start()
    until_s = monotonic() + within_s
    while True:
        remaining_s = until_s - monotonic()
        if remaining_s <= 0:
            raise TimeoutError(late)
        try:
            result, error = done.get(timeout=min(left_s(remaining_s), LOOK_EVERY_S))
        except Empty:
            continue
        if error is not None:
            raise error
        return result  # type: ignore[return-value]


def in_parallel(
    work: Callable[[Item], Result], items: Iterable[Item], at_once: int
) -> Iterator[Result]:
    """Yield the results of `work` for all `items`, in their order, from at most `at_once` threads. Blocks.

    The work begins with the first result that is asked for. The threads share the deadline of the caller. Raises what
    `work` raises for an item in place of its result.
    """
    waiting: SimpleQueue[tuple[int, Item]] = SimpleQueue()
    done: SimpleQueue[tuple[int, Result | None, BaseException | None]] = SimpleQueue()
    count = 0
    for index, item in enumerate(items):
        waiting.put((index, item))
        count += 1

    def run() -> None:
        while True:
            try:
                index, item = waiting.get_nowait()
            except Empty:
                return
            try:
                done.put((index, work(item), None))
            except BaseException as error:
                done.put((index, None, error))

    for _ in range(min(at_once, count)):
        Thread(target=copy_context().run, args=(run,), name="blocking", daemon=True).start()
    found: dict[int, tuple[Result | None, BaseException | None]] = {}
    for wanted in range(count):
        while wanted not in found:
            index, result, error = done.get()
            found[index] = (result, error)
        result, error = found.pop(wanted)
        if error is not None:
            raise error
        yield result  # type: ignore[misc]
