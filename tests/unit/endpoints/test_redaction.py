"""Secrets are in no text that is shown, in whatever form a server or a library returns them."""

from __future__ import annotations

import base64
import html
import json
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

import pymysql
import pytest
import redis
from hypothesis import assume, given
from hypothesis import strategies as st

from engines.backends.mysql.client import error_text
from engines.driver.collector import StatsCollector
from engines.endpoints import redaction
from engines.endpoints.credential_sources import Credential, FromCommand
from engines.endpoints.endpoint import MySQLEndpoint, RedisEndpoint
from engines.endpoints.redaction import FOREIGN_LENGTH, MASK, foreign_text, redact, register
from engines.paths import PACKAGE_ROOT
from engines.race.event_log import EventBuffer
from engines.wire.error_kinds import error_kind
from engines.wire.resp import RedisErrorReply
from engines.workload.namespace import DEFAULT
from tui.draw.format import sanitize

SECRET = "s3cret/pass+word=%&'\"\\é"
TOKEN = (
    "db.example.com:3306/?Action=connect&DBUser=iam&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Security-Token="
    "IQoJb3JpZ2luX2VjEJr%2F%2F%2F&X-Amz-Signature=0123456789abcdef0123456789abcdef"
)


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Begin and end without secrets, so that those of one test are in no other's texts."""
    redaction._known.clear()
    yield
    redaction._known.clear()


def forms(secret: str) -> dict[str, str]:
    raw = secret.encode()
    return {
        "as it is": secret,
        "URL": quote(secret, safe=""),
        "form": quote_plus(secret),
        "hex": raw.hex(),
        "HEX": raw.hex().upper(),
        "base64": base64.b64encode(raw).decode(),
        "base64 of a URL": base64.urlsafe_b64encode(raw).decode(),
        "base64 with the user": base64.b64encode(b"user:" + raw).decode(),
        "base64 in the middle": base64.b64encode(b"ab" + raw + b"xyz").decode(),
        "repr": repr(secret)[1:-1],
        "repr of bytes": repr(raw)[2:-1],
        "JSON": json.dumps(secret)[1:-1],
        "SQL": secret.replace("'", "''"),
        "HTML": html.escape(secret),
        "lower-case URL": quote(secret, safe="").lower(),
        "other encoding": raw.decode("latin-1"),
        "C": "".join(f"\\x{byte:02x}" for byte in raw),
        "dump": raw.hex(" "),
        "repr of a repr": repr(repr(secret)),
    }


def shown_of(secret: str) -> set[str]:
    """What must not be seen of it: every form, and the base64 that does not depend on the neighbours."""
    raw = secret.encode()
    inner = {
        base64.b64encode(bytes(at) + raw).decode()[2 * (at > 0) + 2 * (at > 1) : -4]
        for at in range(3)
    }
    return set(forms(secret).values()) | {part for part in inner if len(part) >= 8}


@pytest.mark.parametrize("form", forms(SECRET))
@pytest.mark.parametrize("clean", [foreign_text, redact, sanitize])
def test_no_form_of_a_secret_is_shown(form: str, clean: object) -> None:
    register(SECRET)
    text = f"unknown command 'AUTH', with args beginning with: 'user' '{forms(SECRET)[form]}' "
    cleaned = clean(text)  # type: ignore[operator]
    assert MASK in cleaned
    assert "with args beginning with" in cleaned
    for seen in shown_of(SECRET):
        assert seen not in cleaned


@given(
    secret=st.text(
        st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=8, max_size=80
    ),
    before=st.text(max_size=10),
    after=st.text(max_size=10),
    form=st.sampled_from(sorted(forms(SECRET))),
)
def test_a_secret_goes_from_any_text(secret: str, before: str, after: str, form: str) -> None:
    assume(MASK not in secret)
    redaction._known.clear()
    register(secret)
    text = f"{before}{forms(secret)[form]}{after}"
    for clean in (redact, foreign_text):
        assert secret not in clean(text)
        assert secret.encode().hex() not in clean(text)


@given(st.integers(8, 40))
def test_the_beginning_of_a_secret_that_a_server_cut_off_goes_too(length: int) -> None:
    register(SECRET * 2)
    cleaned = foreign_text(f"args beginning with: '{(SECRET * 2)[:length]}")
    assert cleaned == f"args beginning with: '{MASK}"


@given(st.integers(0, 40), st.integers(10, 40), st.booleans())
def test_any_piece_of_a_secret_that_a_server_quotes_goes_too(
    begin: int, length: int, upper: bool
) -> None:
    secret = "correct-Horse2battery/staple+9Gx-Q7w"
    register(secret)
    piece = secret[begin : begin + length]
    assume(len(piece) >= 10)
    quoted = piece.upper() if upper else piece
    assert foreign_text(f"syntax error near '{quoted}'") == f"syntax error near '{MASK}'"


def test_a_text_of_many_megabytes_is_not_searched_to_its_end() -> None:
    register(SECRET)
    began_s = time.process_time()
    shown = foreign_text(f"error '{SECRET}' " * 500_000)
    assert time.process_time() - began_s < 1
    assert len(shown) == FOREIGN_LENGTH
    assert SECRET not in shown


def test_a_quoted_part_of_a_token_goes_too() -> None:
    register(TOKEN)
    signature = "0123456789abcdef0123456789abcdef"
    assert signature not in foreign_text(f"bad request: X-Amz-Signature={signature}")
    assert "IQoJb3JpZ2luX2VjEJr" not in foreign_text("token IQoJb3JpZ2luX2VjEJr%2F%2F%2F expired")
    # The host is no secret, and an error without it helps nobody.
    assert foreign_text("db.example.com does not answer") == "db.example.com does not answer"


@pytest.mark.parametrize("length", [8, 20, 60])
def test_a_piece_of_a_long_token_goes_from_every_offset(length: int) -> None:
    token = "".join(f"{number * 7919 % 9973:04}xQ" for number in range(1, 22))
    register(token)
    for at in range(len(token) - length + 1):
        piece = token[at : at + length]
        assert foreign_text(f"Access denied near '{piece}'") == f"Access denied near '{MASK}'"


def test_the_address_and_field_names_of_a_signed_url_stay() -> None:
    register(TOKEN)
    text = "db.example.com:3306 user iam: Action=connect X-Amz-Algorithm=AWS4-HMAC-SHA256"
    assert foreign_text(text) == redact(text) == text


def test_many_long_secrets_do_not_hold_the_process() -> None:
    for number in range(redaction.MAX_TOKENS):
        register("".join(f"{(number * 7919 + at) * 104729 % 99991:05x}" for at in range(300)))
    foreign_text("first")
    text = "".join(f"Zone {at} is away, " for at in range(300))[: redaction.READ_LENGTH]
    began_s = time.process_time()
    foreign_text(text)
    took_s = time.process_time() - began_s
    assert took_s < 5


def test_a_short_secret_goes_as_a_word_of_foreign_text_only() -> None:
    register("mysql")
    assert foreign_text("bad password 'mysql'") == f"bad password '{MASK}'"
    assert foreign_text("mysqld is down") == "mysqld is down"
    assert redact("lane mysql: racing") == "lane mysql: racing"


def test_a_common_word_is_not_taken_for_the_beginning_of_a_secret() -> None:
    register("password-of-ours")
    assert (
        foreign_text("Access denied (using password: YES)") == "Access denied (using password: YES)"
    )


def test_foreign_text_is_one_line_of_limited_length_without_control_characters() -> None:
    text = foreign_text("first\nsecond \x1b[31mred\x1b[0m \u202e " + "x" * 10_000)
    assert text.startswith("first second ")
    assert text.isprintable()
    assert len(text) == FOREIGN_LENGTH
    # The secret goes before the text is cut, or its beginning would stay.
    register("0123456789abcdef")
    assert "0123" not in foreign_text("y" * (FOREIGN_LENGTH - 6) + "0123456789abcdef")


def test_secrets_of_a_day_are_remembered_and_not_more() -> None:
    for number in range(redaction.MAX_SECRETS + 10):
        register(f"token-number-{number:06}")
    assert len(redaction._known) == redaction.MAX_SECRETS
    assert foreign_text("token-number-000265") == MASK


def test_tokens_that_have_run_out_make_room_and_no_password_does_for_them() -> None:
    register("correct-horse-battery")
    for number in range(redaction.MAX_TOKENS + 10):
        register(f"{number:06}" + "t" * redaction.TOKEN_LENGTH)
    assert sum(len(part) >= redaction.TOKEN_LENGTH for part in redaction._known) == 64
    assert foreign_text("correct-horse-battery") == MASK


WAYS_IN = {
    "a password of any source": lambda: Credential(SECRET),
    "a MySQL endpoint": lambda: MySQLEndpoint("h", 1, "u", SECRET, "d"),
    "a Redis endpoint": lambda: RedisEndpoint("h", 1, SECRET),
    "a password command's argument": lambda: FromCommand(("vault", f"--token={SECRET}")),
}

EXCEPTIONS = [
    redis.ResponseError(f"unknown command 'AUTH', with args beginning with: 'user' '{SECRET}'"),
    redis.ConnectionError(f"Error 111 connecting to redis://user:{quote(SECRET)}@h:6379"),
    redis.AuthenticationError(SECRET),
    pymysql.err.OperationalError(1045, f"Access denied for user 'u' with '{SECRET}'"),
    pymysql.err.ProgrammingError(f"('{SECRET}',)"),
    OSError(5, SECRET),
    ssl.SSLError(1, f"[SSL] {SECRET.encode().hex()}"),
    UnicodeEncodeError("latin-1", SECRET, 0, 1, "ordinal not in range"),
    ValueError(repr({"password": SECRET})),
    KeyError(SECRET),
    RuntimeError(f"a\nb\n{SECRET}\n"),
]


@pytest.mark.parametrize("way_in", WAYS_IN)
@pytest.mark.parametrize("error", EXCEPTIONS, ids=lambda error: type(error).__name__)
def test_the_text_of_no_exception_shows_a_secret(way_in: str, error: Exception) -> None:
    WAYS_IN[way_in]()  # type: ignore[no-untyped-call]
    secret = f"--token={SECRET}" if "argument" in way_in else SECRET
    planted = type(error)(
        *(arg.replace(SECRET, secret) if isinstance(arg, str) else arg for arg in error.args)
    )
    for seen in shown_of(secret):
        assert seen not in error_text(planted, DEFAULT)


def test_an_event_and_an_error_kind_show_no_secret() -> None:
    register(SECRET)
    events = EventBuffer()
    events.note("mysql", f"the server says {SECRET}")
    assert SECRET not in events.take()[0].text
    register("pass_word_1234")
    collector = StatsCollector()
    collector.count_failure(error_kind(RedisErrorReply.of("PASS_WORD_1234 is what you sent")))
    assert "1234" not in str(collector.take(1.0).work.errors)


THREADED = """
import asyncio, gc, threading
from engines.endpoints.redaction import install_excepthooks, register
register({secret!r})
install_excepthooks()
thread = threading.Thread(target=lambda: {{}}[{secret!r}])
thread.start(); thread.join()
class Destroyed:
    def __del__(self): raise OSError({secret!r})
Destroyed()
async def lost(): raise LookupError({secret!r})
async def lose():
    task = asyncio.ensure_future(lost())
    await asyncio.sleep(0)
asyncio.run(lose())
gc.collect()
raise ValueError({secret!r} + chr(27) + "]0;title" + chr(7))
"""


@pytest.mark.parametrize("secret", ["planted-in-a-traceback", "hunter2"])
def test_nothing_that_python_prints_by_itself_shows_a_secret(secret: str) -> None:
    code = THREADED.format(secret=secret)
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=PACKAGE_ROOT, capture_output=True, text=True, check=False
    )
    for kind in ("KeyError", "OSError", "LookupError", "ValueError"):
        assert kind in ran.stderr
    assert secret not in ran.stderr
    assert all(line.isprintable() for line in ran.stderr.splitlines())
    assert ran.returncode == 1
