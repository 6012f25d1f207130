"""Certificates that a server made itself, by the names that are in them."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from engines.doctor.check import CheckRunner
from engines.doctor.network import tls
from engines.doctor.network.certificate import Certificate
from engines.endpoints.endpoint import TlsOptions

MYSQL = Certificate(
    "MySQL_Server_9.7.4_Auto_Generated_Server_Certificate",
    "MySQL_Server_9.7.4_Auto_Generated_CA_Certificate",
    (),
    4e9,
)
MARIADB = Certificate("MariaDB Server", "MariaDB Server", (), 4e9)
RDS = Certificate(
    "db.abc.eu-west-1.rds.amazonaws.com",
    "Amazon RDS eu-west-1 Subordinate CA RSA2048 G1.A.1",
    ("db.abc.eu-west-1.rds.amazonaws.com",),
    4e9,
)


def step(seen: Certificate | None, code: int) -> str:
    error: Any = ssl.SSLCertVerificationError()
    error.verify_code = code
    check = tls._check_untrusted(CheckRunner("MySQL"), error, seen, TlsOptions(), "db.example")
    assert check.problem == ("wrong_host_name" if code in tls.WRONG_NAME else "unknown_authority")
    return check.next_step


@pytest.mark.parametrize("code", [18, 19, 20])
def test_the_step_for_an_unknown_authority_is_that_of_who_made_the_certificate(code: int) -> None:
    assert "copy ca.pem from its data directory" in step(MYSQL, code)
    assert 'tls_verify = "chain"' in step(MYSQL, code)
    assert "From 11.4 on MariaDB makes one at each start" in step(MARIADB, code)
    assert "global-bundle.pem" in step(RDS, code)
    assert "global-bundle.pem" in step(None, code)


def test_a_certificate_for_no_name_cannot_be_compared_with_one() -> None:
    assert 'tls_verify = "chain"' in step(MYSQL, 62)
    assert "set host to the name" in step(RDS, 62)
    assert "set host to the name" in step(None, 62)
