"""One of a lane's connections in the sense of its user: it does one operation at a time, over one or more links."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeAlias

from engines.driver.link import Link
from engines.driver.outcome import Done, Failed

Request: TypeAlias = tuple[Link, bytes, int]
"""What to send, over which link, and how many replies are due."""

Onward: TypeAlias = tuple[Link, bytes, int, Done]
"""The first request of an operation, with how the one before it ended. For operations that are made up in no time: it
saves resuming the program once more. After `Done` alone the sockets are looked at before the next is made up."""

Step: TypeAlias = Request | list[Request] | Onward | Done | Failed
"""What a lane yields: a request, several at once for different links, or how the operation ended."""

Program: TypeAlias = Generator[Step, Any, None]
"""A lane's operations, one after the other without end. It is resumed with the reply to a request (with a list of
replies where several are due), with the list of the answers to several requests, and with None after an outcome that
no request came with."""


class Links(dict[str, Link]):
    """A session's links by address, each opened when it is first needed.

    Where that is felt `get` comes first: subscripting a subclass of dict costs 300 instructions more (callgrind).
    """

    def __init__(self, make: Callable[[str], Link]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, address: str) -> Link:
        link = self[address] = self._make(address)
        return link


class Session:
    """A program, its links, and where it stands in the operation that it is in."""

    __slots__ = (
        "answers",
        "began_ns",
        "due_ns",
        "failures",
        "first",
        "in_operation",
        "links",
        "program",
        "resume",
        "waiting",
    )

    def __init__(self) -> None:
        self.links: Links
        self.program: Callable[[Session], Program]
        """Makes what `resume` resumes."""
        self.resume: Callable[[Any], Step]
        self.first: Step | None = None
        """The first step of the next operation, built already and waiting to begin."""
        self.began_ns = 0
        """When the first request of the operation was sent."""
        self.due_ns = 0
        """When the operation was due; 0 in a closed loop."""
        self.in_operation = False
        self.waiting = 0
        """How many requests of the step have no answer yet."""
        self.answers: list[Any] | None = None
        """The answers to a step of several requests, in their order; None for a step of one."""
        self.failures = 0
        """Failed operations in a row."""
