"""Servers that know or show little beside what a race asks for."""

from __future__ import annotations

import re
import select
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

import redis

from engines.endpoints.endpoint import RedisEndpoint
from engines.sandbox import binaries, ports
from tests.support.hostile_servers import HOST, Answer

START_WAIT_S = 15.0


@contextmanager
def redis_without(commands: Sequence[str], directory: Path) -> Iterator[RedisEndpoint]:
    """A Redis that does not know `commands`."""
    binary = binaries.find_redis()
    assert binary is not None
    port = ports.choose(["cache"], None)["cache"]
    program = directory / binary.run_as
    program.symlink_to(binary.server)
    renamed = "".join(f'rename-command {name} ""\n' for name in commands)
    configuration = directory / "redis.conf"
    configuration.write_text(f"bind {HOST}\nport {port}\ndir {directory}\nsave ''\n{renamed}")
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([str(program), str(configuration)], stdout=log, stderr=log)
        try:
            until_s = time.monotonic() + START_WAIT_S
            while True:
                node = redis.Redis(HOST, port, protocol=2, driver_info=None)
                try:
                    node.get("telemon")
                    break
                except redis.ConnectionError:
                    assert process.poll() is None
                    assert time.monotonic() < until_s
                    time.sleep(0.05)
                finally:
                    node.close()
            yield RedisEndpoint(HOST, port, "")
        finally:
            process.kill()
            process.wait()


def info_without(port: int, fields: Sequence[str]) -> Answer:
    """Pass everything on to the Redis at `port`, and take lines out of what it says to INFO, as other products do."""

    def answer(sock: socket.socket) -> None:
        with socket.create_connection((HOST, port)) as far:
            while True:
                readable, _, _ = select.select([sock, far], [], [])
                if far in readable:
                    replies = far.recv(1_000_000)
                    if not replies:
                        return
                    sock.sendall(replies)
                    continue
                data = sock.recv(1_000_000)
                if not data:
                    return
                far.sendall(data)
                sections = data.upper().count(b"\r\nINFO\r\n")
                if not sections:
                    continue
                with far.makefile("rb") as lines:
                    for _ in range(sections):
                        size = int(lines.readline()[1:])
                        text = lines.read(size + 2)[:-2].decode()
                        kept = [
                            line
                            for line in text.split("\r\n")
                            if line.partition(":")[0] not in fields
                        ]
                        short = "\r\n".join(kept).encode()
                        sock.sendall(b"$%d\r\n%b\r\n" % (len(short), short))

    return answer


def redis_hanging_up_on(port: int, command: bytes) -> Answer:
    """Pass everything on to the Redis at `port`, and hang up on whoever sends `command`, as some proxies do."""

    def answer(sock: socket.socket) -> None:
        with socket.create_connection((HOST, port)) as far:

            def back() -> None:
                with suppress(OSError):
                    while data := far.recv(1_000_000):
                        sock.sendall(data)
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

            Thread(target=back, daemon=True).start()
            while data := sock.recv(1_000_000):
                if b"\r\n%b\r\n" % command in data.upper():
                    return
                far.sendall(data)

    return answer


def mysql_refusing(port: int, pattern: str) -> Answer:
    """Pass everything on to the MySQL server at `port`, and refuse the statements that match `pattern`."""
    refused = re.compile(pattern.encode(), re.IGNORECASE)
    message = b"\xff" + (1227).to_bytes(2, "little") + b"#42000Access denied; you need a privilege"

    def answer(sock: socket.socket) -> None:
        with socket.create_connection((HOST, port)) as far:

            def back() -> None:
                with suppress(OSError):
                    while data := far.recv(65_536):
                        sock.sendall(data)
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

            Thread(target=back, daemon=True).start()
            while data := sock.recv(1_000_000):
                if data[3:5] == b"\x00\x03" and refused.search(data):
                    sock.sendall(len(message).to_bytes(3, "little") + b"\x01" + message)
                else:
                    far.sendall(data)

    return answer
