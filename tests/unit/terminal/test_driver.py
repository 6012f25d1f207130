"""What the driver makes of the bytes that a terminal sends."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from textual.events import Key, Paste
from textual.message import Message

from tui.terminal.driver import TerminalDriver
from tui.terminal.paste import PasteSplitter


class ReadingDriver(TerminalDriver):
    """A driver that only reads, from a pipe, and keeps what it has read."""

    def __init__(self, descriptor: int) -> None:
        self.fileno = descriptor
        self.exit_event = threading.Event()
        self._debug = False
        self.input_tty = True
        self._gone = threading.Event()
        self._closing = threading.Event()
        self._watcher = None
        self._writer_thread = None
        self._app = None  # type: ignore[assignment]
        self._pastes = PasteSplitter()
        self._raw_attributes = None
        self._background = False
        self.messages: list[Message] = []

    def process_message(self, message: Message) -> None:
        self.messages.append(message)


@contextmanager
def reading() -> Iterator[tuple[ReadingDriver, int]]:
    """A driver at work, and where to write what its terminal sends."""
    source, sink = os.pipe()
    driver = ReadingDriver(source)
    thread = threading.Thread(target=driver._run_input_thread)
    thread.start()
    try:
        yield driver, sink
    finally:
        driver.exit_event.set()
        thread.join(5)
        os.close(source)
        os.close(sink)


def keys_until(driver: ReadingDriver, last: str) -> list[str]:
    """The keys that the driver has read, once `last` is one of them."""
    until_s = time.monotonic() + 5
    while True:
        keys = [message.key for message in driver.messages if isinstance(message, Key)]
        if last in keys:
            return keys
        assert time.monotonic() < until_s, f"{last} was not read; read were {keys}"
        time.sleep(0.01)


def test_a_paste_with_escapes_in_it_opens_no_connection() -> None:
    with reading() as (driver, sink):
        os.write(sink, b"w\x1b[200~" + b"r\x1b[31mr\x1br" * 100 + b"\x1b[201~q")
        assert keys_until(driver, "q") == ["w", "q"]
        assert len([message for message in driver.messages if isinstance(message, Paste)]) == 1


def test_a_paste_that_is_not_utf_8_reaches_no_key() -> None:
    with reading() as (driver, sink):
        os.write(sink, b"\x1b[200~r\xe9r")
        time.sleep(0.1)
        os.write(sink, b"r\x1b[201~q")
        assert keys_until(driver, "q") == ["q"]


def test_arrow_and_escape_keys_still_work() -> None:
    with reading() as (driver, sink):
        os.write(sink, b"\x1b[A\x1b")
        assert keys_until(driver, "escape") == ["up", "escape"]


def test_a_terminal_that_vanishes_after_a_suspend_is_noticed() -> None:
    master, slave = pty.openpty()
    driver = ReadingDriver(slave)
    driver._start_watching()
    driver.close()  # as a suspend does
    driver._start_watching()
    os.close(master)
    assert driver._gone.wait(5)
    driver.close()
    os.close(slave)


@pytest.mark.parametrize("variable", ["COLUMNS", "LINES"])
def test_the_environment_does_not_freeze_the_size(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "33")
    master, slave = pty.openpty()
    driver = ReadingDriver(slave)
    try:
        for columns, lines in ((120, 40), (90, 30)):
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
            assert driver._get_terminal_size() == (columns, lines)
    finally:
        os.close(master)
        os.close(slave)
