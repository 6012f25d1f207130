"""Entry point of an engine process."""

from __future__ import annotations

import signal
import socket
import sys

from engines.driver.poller import set_timer_slack
from engines.endpoints.redaction import install_excepthooks
from engines.ipc.channel import Channel
from engines.ipc.messages import EngineSpec
from engines.process.engine import Engine

SWITCH_INTERVAL_S = 0.0002
"""Longest time that another thread holds the interpreter lock while the loop wants it. With Python's default, a thread
that opens a connection delays the loop by 5 ms at a time."""


def main(descriptor: int) -> None:
    """Run the engine process whose channel is the inherited socket `descriptor`; blocks until its run ends."""
    # Ctrl-C in the terminal is handled by the race, which then stops its engine processes in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    install_excepthooks()
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
    """Wait for the spec and return it with the messages that came with it; empty if the race has ended."""
    import select

    while not channel.closed:
        select.select([channel.fileno()], [], [])
        messages = channel.receive()
        if messages:
            return messages
    return []


if __name__ == "__main__":
    main(int(sys.argv[1]))
