"""Check of name resolution."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from queue import Empty, SimpleQueue
from threading import Thread

from engines.doctor.check import CheckRunner, Checks

NAME = "name resolution"
"""Name of the check."""

RESOLVE_WAIT_S = 5.0
"""Timeout in seconds.

With a name server that does not answer, the system's resolver may take half a minute and cannot be interrupted.
"""


def resolve(runner: CheckRunner, host: str) -> Checks[list[str]]:
    """Check name resolution of `host`. Return its addresses in the order in which they are tried."""
    try:
        ip_address(host)
    except ValueError:
        pass
    else:
        yield runner.ok(NAME, f"{host} is an address")
        return [host]
    answer = _look_up(host)
    if isinstance(answer, list):
        yield runner.ok(NAME, f"{host} is {', '.join(answer)}")
        return answer
    yield runner.fail(
        NAME,
        "unresolved",
        f"{host}: {answer}",
        "check the spelling of host; the private name of an AWS endpoint is known only inside its VPC, so run telemon "
        "on a bastion there, or go through a tunnel and say so in address_map",
    )
    return None


def _look_up(host: str) -> list[str] | str:
    """Return the addresses, or the reason why there are none. Blocks for at most `RESOLVE_WAIT_S`."""
    answers: SimpleQueue[list[str] | str] = SimpleQueue()

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            answers.put(reason or str(error))
        else:
            answers.put(list(dict.fromkeys(str(info[4][0]) for info in found)))

    Thread(target=look_up, name="resolve", daemon=True).start()
    try:
        return answers.get(timeout=RESOLVE_WAIT_S)
    except Empty:
        return f"no name server answered within {RESOLVE_WAIT_S:.0f} s"
