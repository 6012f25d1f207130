"""Textual's driver for a real terminal, hardened: fewer bytes, and no end without an end when the terminal is gone."""

from __future__ import annotations

import queue
import select
import sys
import threading
from contextlib import suppress

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

from tui.terminal.sgr import minimize
from tui.terminal.writer import TerminalWriter

WATCH_S = 0.5
"""How often it is looked whether the terminal is still there."""

FINAL_OUTPUT_S = 1.0
"""How long the last output may take at the end. A terminal that has stopped reading does not keep telemon alive."""


class TerminalDriver(LinuxDriver):
    """Says colours once, counts what waits to be written, and notices a terminal that has gone.

    Today's Textual spins on a full core when its terminal vanishes without SIGHUP: it reads nothing, for ever. Here the
    app is told (`terminal_gone`), and what is still written goes nowhere.
    """

    def __init__(
        self,
        app: App[object],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        if sys.__stderr__ is not None:
            self._file = TerminalWriter(sys.__stderr__)  # type: ignore[assignment]
        self._gone = threading.Event()
        self._closing = threading.Event()
        self._watcher: threading.Thread | None = None

    @property
    def backlog(self) -> int:
        """How many pieces of output wait for the terminal."""
        thread = self._writer_thread
        return thread._queue.qsize() if thread is not None else 0

    def write(self, data: str) -> None:
        if not self._gone.is_set():
            super().write(minimize(data))

    def start_application_mode(self) -> None:
        super().start_application_mode()  # type: ignore[no-untyped-call]
        if self._watcher is None and self.input_tty:
            self._watcher = threading.Thread(target=self._watch, name="terminal-watch", daemon=True)
            self._watcher.start()

    def close(self) -> None:
        self._closing.set()
        thread = self._writer_thread
        if thread is None:
            return
        if self._gone.is_set():
            self._empty_queue()
        with suppress(queue.Full):
            thread._queue.put_nowait(None)
        thread.join(FINAL_OUTPUT_S)

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self.fileno, 0)
        while not self._closing.wait(WATCH_S):
            if any(
                event & (select.POLLHUP | select.POLLERR | select.POLLNVAL)
                for _, event in poll.poll(0)
            ):
                self._gone.set()
                # Ends the thread that reads keys, which would spin from here on.
                self.exit_event.set()
                gone = getattr(self._app, "terminal_gone", None)
                if gone is not None:
                    gone()
                # The event loop may be waiting for room in a queue that nobody empties any more.
                while not self._closing.wait(0.05):
                    self._empty_queue()
                return

    def _empty_queue(self) -> None:
        thread = self._writer_thread
        with suppress(queue.Empty):
            while thread is not None:
                thread._queue.get_nowait()

    def _run_input_thread(self) -> None:
        """Read keys. Bytes that are no UTF-8 are dropped: a terminal session that was detached and attached again
        reports the mouse in an older form, which would end the program."""
        while True:
            try:
                self.run_input_thread()
            except UnicodeDecodeError:
                continue
            except OSError:
                # The terminal went away while it was read; the watcher says so.
                return
            return
