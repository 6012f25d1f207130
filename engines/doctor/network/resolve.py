"""From a name to addresses."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from queue import Empty, SimpleQueue
from threading import Thread

from engines.doctor.check import CheckRunner, Checks

NAME = "name resolution"

RESOLVE_WAIT_S = 5.0
"""The system's resolver may take half a minute over a name server that does not answer, and cannot be interrupted."""


def resolve(runner: CheckRunner, host: str) -> Checks[list[str]]:
    """The addresses of `host`, in the order in which they are tried."""
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
    """The addresses, or why there are none."""
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
