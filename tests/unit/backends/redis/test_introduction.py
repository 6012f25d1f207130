"""What a Redis server is told of telemon when a connection is opened, and that no answer to it matters."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence

import pytest
from redis.exceptions import AuthenticationError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

from engines import __version__
from engines.backends.redis.client import address_of, client
from engines.backends.redis.connection import open_socket
from engines.endpoints.endpoint import RedisEndpoint
from tests.support.hostile_servers import HOST, Answer, hostile_server

NAME = f"CLIENT SETNAME telemon-{__version__}"
LIBRARY = ["CLIENT SETINFO LIB-NAME telemon", f"CLIENT SETINFO LIB-VER {__version__}"]
WHOLE = [NAME, *LIBRARY]

Reply = Callable[[str], bytes]


def words_of(packet: bytes) -> list[str]:
    """The commands in a packet, each as one text."""
    lines = packet.split(b"\r\n")
    found, at = [], 0
    while lines[at][:1] == b"*":
        count = int(lines[at][1:])
        words = lines[at + 2 : at + 2 * count + 1 : 2]
        found.append(b" ".join(words).decode())
        at += 1 + 2 * count
    return found


def answering(reply: Reply, heard: list[list[str]]) -> Answer:
    """Answer each packet at once. `heard` gets the commands of each; an empty reply hangs up."""

    def answer(sock: socket.socket) -> None:
        while data := sock.recv(65_536):
            commands = words_of(data)
            heard.append(commands)
            for command in commands:
                said = reply(command)
                if not said:
                    return
                sock.sendall(said)

    return answer


def well(_: str) -> bytes:
    return b"+OK\r\n"


def refusing(error: bytes, *refused: str) -> Reply:
    def reply(command: str) -> bytes:
        return error if any(word in command for word in refused) else b"+OK\r\n"

    return reply


def opened(reply: Reply, times: int = 1, password: str = "secret") -> list[list[str]]:
    """Open connections; the packets that the server got."""
    heard: list[list[str]] = []
    with hostile_server(answering(reply, heard)) as server:
        at = RedisEndpoint(HOST, server.port, password, cluster=False)
        for _ in range(times):
            open_socket(address_of(at), at).close()
    return heard


def test_it_comes_in_one_packet_with_the_sign_in() -> None:
    assert opened(well) == [["AUTH secret", *WHOLE]]


def test_it_comes_alone_where_nothing_is_to_be_signed_in_with() -> None:
    assert opened(well, password="") == [WHOLE]


@pytest.mark.parametrize(
    ("error", "refused", "kept"),
    [
        (b"-ERR unknown subcommand 'SETINFO'. Try CLIENT HELP.\r\n", ["SETINFO"], [NAME]),
        (b"-ERR unknown command 'CLIENT', with args beginning with: \r\n", ["CLIENT"], []),
        (b"-NOPERM User x has no permissions to run the 'client|setname' command\r\n",
         ["SETNAME"], LIBRARY),
    ],
    ids=["before 7.2", "renamed", "no rights"],
)  # fmt: skip
def test_what_is_refused_is_not_sent_again(
    error: bytes, refused: Sequence[str], kept: Sequence[str]
) -> None:
    first, second = opened(refusing(error, *refused), times=2)
    assert first == ["AUTH secret", *WHOLE]
    assert second == ["AUTH secret", *kept]


def test_an_error_about_something_else_is_no_refusal() -> None:
    error = b"-LOADING Redis is loading the dataset in memory\r\n"
    assert opened(refusing(error, "CLIENT"), times=2) == [["AUTH secret", *WHOLE]] * 2


def test_who_hangs_up_on_it_is_told_nothing() -> None:
    heard = opened(lambda command: b"" if "CLIENT" in command else b"+OK\r\n", times=2)
    assert heard == [["AUTH secret", *WHOLE], ["AUTH secret"], ["AUTH secret"]]


def test_a_wrong_password_is_still_one() -> None:
    def reply(command: str) -> bytes:
        wrong = b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"
        return wrong if "AUTH" in command else b"-NOAUTH Authentication required.\r\n"

    with pytest.raises(AuthenticationError, match="WRONGPASS"):
        opened(reply)


def test_a_missing_password_is_said_by_the_first_command() -> None:
    heard: list[list[str]] = []
    with hostile_server(
        answering(lambda _: b"-NOAUTH Authentication required.\r\n", heard)
    ) as server:
        at = RedisEndpoint(HOST, server.port, "", cluster=False)
        with client(address_of(at), at) as node, pytest.raises(AuthenticationError, match="NOAUTH"):
            node.get("x")
    assert heard == [WHOLE, ["GET x"]]


def test_a_server_without_users_is_signed_in_to_by_the_password_alone() -> None:
    heard: list[list[str]] = []

    def reply(command: str) -> bytes:
        if command == "AUTH someone secret":
            return b"-ERR wrong number of arguments for 'auth' command\r\n"
        if "CLIENT" in command:
            return b"-NOAUTH Authentication required.\r\n"
        return b"+OK\r\n"

    with hostile_server(answering(reply, heard)) as server:
        at = RedisEndpoint(HOST, server.port, "secret", user="someone", cluster=False)
        open_socket(address_of(at), at).close()
    assert heard == [["AUTH someone secret", *WHOLE], ["AUTH secret"]]


def test_why_a_server_has_no_room_is_said() -> None:
    def answer(sock: socket.socket) -> None:
        sock.sendall(b"-ERR max number of clients reached\r\n")
        sock.shutdown(socket.SHUT_WR)
        sock.recv(65_536)

    with hostile_server(answer) as server:
        at = RedisEndpoint(HOST, server.port, "", cluster=False)
        for _ in range(2):
            with pytest.raises(
                (RedisConnectionError, ResponseError), match="max number of clients"
            ):
                open_socket(address_of(at), at)
