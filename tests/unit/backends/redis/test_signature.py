"""The value of marker and lease: who wrote it, and nothing of anybody else's passes for it."""

from __future__ import annotations

import pwd
import re

import pytest

from engines.backends.redis.signature import Purpose, Signature


@pytest.mark.parametrize("purpose", ["marker", "lease"])
def test_a_signature_is_read_as_it_was_written(purpose: Purpose) -> None:
    made = Signature.new(purpose)
    assert Signature.parse(purpose, made.to_bytes()) == made
    assert re.fullmatch(r"user \S+, pid \d+, since [\d-]{10} [\d:]{8} UTC", made.text)
    assert made.to_bytes() != Signature.new(purpose).to_bytes()


def test_one_is_not_taken_for_the_other() -> None:
    assert Signature.parse("lease", Signature.new("marker").to_bytes()) is None


@pytest.mark.parametrize("change", [b"x", b" ", b"\n", b"\x1b[31m"])
def test_anything_else_is_somebody_elses(change: bytes) -> None:
    value = Signature.new("lease").to_bytes()
    for at in (0, len(value) // 2, len(value)):
        assert Signature.parse("lease", value[:at] + change + value[at:]) is None
    assert Signature.parse("lease", value.decode()) is None
    assert Signature.parse("lease", None) is None


def test_the_name_of_a_user_cannot_break_the_form(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = pwd.struct_passwd(("DOM\\é, pid 1\n" * 9, "", 0, 0, "", "", ""))
    monkeypatch.setattr(pwd, "getpwuid", lambda _: odd)
    made = Signature.new("lease")
    assert Signature.parse("lease", made.to_bytes()) == made
    assert len(made.user) == 32

    def unknown(_: int) -> None:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert Signature.new("lease").user.isdigit()
