"""A port on this machine that leads to another one, over a link on which everything is late or drips.

It runs in one thread, whatever the number of connections.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

HOST = "127.0.0.1"


class FarLink:
    """The link; `port` leads to `to_port`.

    A round trip takes `rtt_s`, that of connecting included. With `drip_every_s`, a byte of what comes back passes in
    that time. Both may be changed at any moment.
    """

    def __init__(self, to_port: int, rtt_s: float, drip_every_s: float | None) -> None:
        self.port = 0
        self.rtt_s = rtt_s
        self.drip_every_s = drip_every_s
        self._to_port = to_port
        self._writers: list[asyncio.StreamWriter] = []
        self._ended = asyncio.Event()

    async def serve(self, ready: Event) -> None:
        """Let connections pass until `end` is called in the loop."""
        server = await asyncio.start_server(self._connected, HOST, 0, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._ended.wait()
        server.close()
        for writer in self._writers:
            writer.transport.abort()

    def end(self) -> None:
        self._ended.set()

    async def _connected(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            # The client believes to be connected before that: it waits for the greeting, or its answer.
            await asyncio.sleep(self.rtt_s)
            far, on = await asyncio.open_connection(HOST, self._to_port)
        except OSError:
            back.close()
            return
        self._writers += (back, on)
        await asyncio.gather(self._carry(near, on), self._carry(far, back, dripping=True))

    async def _carry(
        self,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        *,
        dripping: bool = False,
    ) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while data := await source.read(65_536):
                while data and dripping and self.drip_every_s:
                    await asyncio.sleep(self.drip_every_s)
                    target.write(data[:1])
                    data = data[1:]
                loop.call_later(self.rtt_s / 2, target.write, data)
        loop.call_later(self.rtt_s / 2, target.close)


@contextmanager
def far_link(
    to_port: int, rtt_s: float = 0.0, drip_every_s: float | None = None
) -> Iterator[FarLink]:
    """A link that leads to `to_port` for as long as the context lasts."""
    loop, ready = asyncio.new_event_loop(), Event()
    link = FarLink(to_port, rtt_s, drip_every_s)

    def run() -> None:
        loop.run_until_complete(link.serve(ready))
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.05))
        loop.close()

    thread = Thread(target=run, daemon=True)
    thread.start()
    try:
        assert ready.wait(10)
        yield link
    finally:
        loop.call_soon_threadsafe(link.end)
        thread.join(10)
