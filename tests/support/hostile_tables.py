"""A MySQL server whose table holds what no table of telemon's does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from socket import socket

from pymysql.constants import COMMAND, FIELD_TYPE

from engines.doctor.network.read import read_exactly
from tests.support.hostile_server import GREETING, OK, packet
from tests.support.hostile_servers import hostile_server

Row = Sequence[bytes | None]

EOF = b"\xfe\0\0\2\0"


def length(value: int) -> bytes:
    """A length-encoded number of up to 65,535."""
    return bytes([value]) if value < 251 else b"\xfc" + value.to_bytes(2, "little")


def text(value: bytes) -> bytes:
    return length(len(value)) + value


def column(name: bytes) -> bytes:
    """The definition of a column of whole numbers."""
    names = b"".join(map(text, (b"def", b"", b"", b"", name, b"")))
    return names + b"\x0c\x3f\0\x14\0\0\0" + bytes([FIELD_TYPE.LONGLONG]) + b"\x80\0\0\0\0"


def result_set(rows: Sequence[Row]) -> bytes:
    """Rows as a server sends them, all of them as wide as the first; a row without values is of one column, NULL."""
    rows = [row or (None,) for row in rows]
    columns = len(rows[0]) if rows else 6
    payloads = [length(columns), *(column(b"c%d" % n) for n in range(columns)), EOF]
    payloads += [b"".join(b"\xfb" if each is None else text(each) for each in row) for row in rows]
    return b"".join(packet(number, each) for number, each in enumerate([*payloads, EOF], 1))


@contextmanager
def mysql_with_rows(rows: Sequence[Row]) -> Iterator[int]:
    """A server that takes any password, and answers any statement that reads the table with `rows`. Yields the port."""

    def answer(sock: socket) -> None:
        with suppress(OSError):
            sock.sendall(GREETING)
            number = 2
            while True:
                header = read_exactly(sock, 4)
                said = read_exactly(sock, int.from_bytes(header[:3], "little"))
                asked = number == 1 and said[:1] == bytes([COMMAND.COM_QUERY])
                reads = asked and said[1:].startswith(b"SELECT car_id")
                sock.sendall(result_set(rows) if reads else packet(number, OK))
                number = 1

    with hostile_server(answer) as server:
        yield server.port
