"""Textual's driver for a real terminal, made robust: fewer bytes, and an exit when the terminal has gone."""

from __future__ import annotations

import os
import queue
import select
import signal
import sys
import termios
import threading
import time
from codecs import getincrementaldecoder
from contextlib import suppress
from typing import Any

from textual._xterm_parser import XTermParser
from textual.app import App
from textual.drivers.linux_driver import (
    KITTY_DISAMBIGUATE_ESCAPE_CODES,
    KITTY_REPORT_ALL_KEYS,
    KITTY_REPORT_ASSOCIATED_TEXT,
    LinuxDriver,
)
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

KITTY_FLAGS = KITTY_DISAMBIGUATE_ESCAPE_CODES | KITTY_REPORT_ALL_KEYS | KITTY_REPORT_ASSOCIATED_TEXT
"""Flags of the kitty keyboard protocol that Textual sets."""

SCREEN_MODES = (
    # The alternate screen, no cursor, focus events, the keyboard protocol's flags, bracketed paste, no line wrap.
    f"\x1b[?1049h\x1b[?25l\x1b[?1004h\x1b[={KITTY_FLAGS}u\x1b[?2004h\x1b[?7l"
)
"""What sets the terminal's modes again, after somebody else had the terminal."""


class TerminalDriver(LinuxDriver):
    """A driver that sends fewer colour sequences, counts waiting output, and notices a terminal that has gone.

    Textual's own driver uses a full core without end if its terminal vanishes without SIGHUP: reads return nothing.
    This one calls the app's `terminal_gone`, and discards all further output.

    It does not suspend: the engine processes would go on without the process that drives them. SIGTSTP calls the app's
    `action_suspend_process`. After SIGCONT, and when its job comes to the foreground, it calls the app's
    `terminal_returned`.
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
        self._raw_attributes: list[Any] | None = None
        self._background = False
        """Whether the terminal belongs to another job, so that nothing may be drawn."""

    @property
    def backlog(self) -> int:
        """Return how many pieces of output wait for the terminal."""
        thread = self._writer_thread
        return thread._queue.qsize() if thread is not None else 0

    def write(self, data: str) -> None:
        """Queue output for the terminal with the fewest colour sequences; discard it if the terminal is not ours."""
        if not self._gone.is_set() and not self._background:
            super().write(minimize(data))

    def start_application_mode(self) -> None:
        """Prepare the terminal, and start the thread that watches it."""
        super().start_application_mode()  # type: ignore[no-untyped-call]
        with suppress(termios.error):
            self._raw_attributes = termios.tcgetattr(self.fileno)
        # Both would stop this process and leave the load without it. A read in the background then fails instead.
        for number in (signal.SIGTTOU, signal.SIGTTIN):
            with suppress(ValueError):  # not the main thread
                signal.signal(number, signal.SIG_IGN)
        self._start_watching()

    def stop_application_mode(self) -> None:
        """Restore the terminal's modes, also if another job has the terminal: this one has changed them."""
        self._background = False
        super().stop_application_mode()

    def restore_modes(self) -> None:
        """Set the terminal's modes again after another process had the terminal; do nothing in the background."""
        self._background = not self._in_foreground()
        if self._writer_thread is None or self._background or self._gone.is_set():
            return
        if self._raw_attributes is not None:
            with suppress(termios.error):
                termios.tcsetattr(self.fileno, termios.TCSANOW, self._raw_attributes)
        self.write(SCREEN_MODES)
        if self._in_band_window_resize:
            self._enable_in_band_window_resize()
        self._enable_mouse_support()

    def _in_foreground(self) -> bool:
        """Return whether this process may use the terminal; True if the terminal has no foreground job to compare."""
        try:
            return os.tcgetpgrp(self.fileno) in (os.getpgrp(), 0)
        except OSError:
            return True

    def _sigtstp_application(self, *_: object) -> None:
        """Go on, and let the app tell the user."""
        self._call_app("action_suspend_process")

    def _sigcont_application(self, *_: object) -> None:
        """Let the app draw everything again; prepare the terminal if it could not be prepared before."""
        if self._writer_thread is None:
            super()._sigcont_application()
        else:
            self._call_app("terminal_returned")

    def _call_app(self, name: str) -> None:
        """Call a method of the app without arguments in its event loop, if it has the method and the loop runs."""
        method = getattr(self._app, name, None)
        loop = getattr(self._app, "_loop", None)
        if method is not None and loop is not None:
            with suppress(RuntimeError):  # closed
                loop.call_soon_threadsafe(method)

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
            # A shell sends no signal to a job that runs when it brings it to the foreground.
            if self._background != (not self._in_foreground()):
                self._background = not self._background
                if not self._background:
                    self._call_app("terminal_returned")

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
                if not self._in_foreground():
                    continue
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
            if not self._in_foreground():
                # What is typed is for another job.
                self.exit_event.wait(INPUT_WAIT_MS / 1000)
                continue
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
