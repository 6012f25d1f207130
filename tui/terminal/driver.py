"""Textual's driver for a real terminal, made robust: fewer bytes, and an exit when the terminal has gone."""

from __future__ import annotations

import os
import queue
import select
import sys
import threading
import time
from codecs import getincrementaldecoder
from contextlib import suppress

from textual._xterm_parser import XTermParser
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Paste

from tui.terminal.paste import PasteSplitter
from tui.terminal.sgr import minimize
from tui.terminal.writer import TerminalWriter

WATCH_S = 0.5
"""Interval in seconds at which the driver checks whether the terminal still exists."""

FINAL_OUTPUT_S = 1.0
"""Maximum time in seconds for the final output. Without it, a terminal that does not read would keep telemon alive."""

STDERR = 2
"""File descriptor of the stream that the screen is drawn on."""

READ_BYTES = 4096
"""Maximum number of bytes of input that are read at once."""

INPUT_WAIT_MS = 50
"""How long to wait for input before what was held back is taken for keys, in milliseconds."""


class TerminalDriver(LinuxDriver):
    """A driver that sends fewer colour sequences, counts waiting output, and notices a terminal that has gone.

    Textual's own driver uses a full core without end if its terminal vanishes without SIGHUP: reads return nothing.
    This one calls the app's `terminal_gone`, and discards all further output.
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
        self._pastes = PasteSplitter()

    @property
    def backlog(self) -> int:
        """Return how many pieces of output wait for the terminal."""
        thread = self._writer_thread
        return thread._queue.qsize() if thread is not None else 0

    def write(self, data: str) -> None:
        """Queue output for the terminal with the fewest colour sequences; discard it if the terminal has gone."""
        if not self._gone.is_set():
            super().write(minimize(data))

    def start_application_mode(self) -> None:
        """Prepare the terminal, and start the thread that watches it."""
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self._start_watching()

    def _start_watching(self) -> None:
        """Start a thread that watches the terminal, unless one does; a suspend has ended the last one."""
        if not self.input_tty or (self._watcher is not None and not self._closing.is_set()):
            return
        self._closing = threading.Event()
        self._watcher = threading.Thread(
            target=self._watch, args=(self._closing,), name="terminal-watch", daemon=True
        )
        self._watcher.start()

    def _get_terminal_size(self) -> tuple[int, int]:
        """Return the terminal's own size in columns and lines, whatever COLUMNS and LINES say.

        Those name the size at the start of the shell, and would keep the layout from following the window.
        """
        for descriptor in (self.fileno, STDERR):
            with suppress(OSError):
                size = os.get_terminal_size(descriptor)
                if size.columns and size.lines:
                    return size.columns, size.lines
        return super()._get_terminal_size()

    def close(self) -> None:
        """Write the remaining output and end the writer thread. Blocks for at most `FINAL_OUTPUT_S` seconds."""
        self._closing.set()
        thread = self._writer_thread
        if thread is None:
            return
        if self._gone.is_set():
            self._empty_queue()
        with suppress(queue.Full):
            thread._queue.put_nowait(None)
        thread.join(FINAL_OUTPUT_S)

    def _watch(self, closing: threading.Event) -> None:
        """Poll the terminal until `closing`; after a hang-up end the input thread and tell the app."""
        poll = select.poll()
        poll.register(self.fileno, 0)
        while not closing.wait(WATCH_S):
            if any(
                event & (select.POLLHUP | select.POLLERR | select.POLLNVAL)
                for _, event in poll.poll(0)
            ):
                self._gone.set()
                # End the thread that reads keys, which would use a full core from here on.
                self.exit_event.set()
                gone = getattr(self._app, "terminal_gone", None)
                if gone is not None:
                    gone()
                # The event loop may be blocked on a full queue, which the writer thread no longer empties.
                while not closing.wait(0.05):
                    self._empty_queue()
                return

    def _empty_queue(self) -> None:
        """Discard all waiting output."""
        thread = self._writer_thread
        with suppress(queue.Empty):
            while thread is not None:
                thread._queue.get_nowait()

    def _run_input_thread(self) -> None:
        """Read keys until the driver ends. Bytes that are not UTF-8 are dropped.

        A terminal session that was detached and attached again reports the mouse in an older form, which is not UTF-8
        and would end the program.
        """
        while True:
            try:
                self.run_input_thread()
            except UnicodeDecodeError:
                continue
            except OSError:
                # The terminal vanished during a read; the watching thread reports it.
                return
            return

    def run_input_thread(self) -> None:
        """Read keys and pasted text until the driver ends. Raises UnicodeDecodeError for keys that are not UTF-8.

        Textual's own parser takes an escape sequence within a paste for keys, and so would change the load.
        """
        poll = select.poll()
        poll.register(self.fileno, select.POLLIN)
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")().decode
        while not self.exit_event.is_set():
            ready = poll.poll(INPUT_WAIT_MS)
            data = os.read(self.fileno, READ_BYTES) if ready else b""
            if ready and not data:
                # The end of a piped input, or a terminal that has gone: each read would return at once.
                self.exit_event.wait(INPUT_WAIT_MS / 1000)
            keys, texts = self._pastes.feed(data, time.monotonic())
            for text in texts:
                self.process_message(Paste(text))
            # The parser takes empty text for the end of all input.
            if decoded := decode(keys):
                for event in parser.feed(decoded):
                    self.process_message(event)
            for event in parser.tick():
                self.process_message(event)
