"""The entry point of an engine process."""

from __future__ import annotations

import signal
import socket
import sys

from engines.driver.poller import set_timer_slack
from engines.ipc.channel import Channel
from engines.ipc.messages import EngineSpec
from engines.process.engine import Engine

SWITCH_INTERVAL_S = 0.0002
"""Python's default lets a connecting thread keep the loop from the interpreter for 5 ms at a time."""


def main(descriptor: int) -> None:
    """Run the engine whose channel is the inherited socket `descriptor`."""
    # The terminal's Ctrl-C is for the race, which then stops its engines in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    set_timer_slack()
    sock = socket.socket(fileno=descriptor)
    sock.setblocking(True)
    channel = Channel(sock)
    messages = _first_messages(channel)
    if messages:
        spec, *early = messages
        assert isinstance(spec, EngineSpec)
        Engine(channel, spec, early).run()


def _first_messages(channel: Channel) -> list[object]:
    """The spec, waited for, and what came with it; none when the race went away first."""
    import select

    while not channel.closed:
        select.select([channel.fileno()], [], [])
        messages = channel.receive()
        if messages:
            return messages
    return []


if __name__ == "__main__":
    main(int(sys.argv[1]))
