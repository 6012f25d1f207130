"""Verification of certificates, and the error for a file without authorities."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from engines.endpoints.endpoint import TlsOptions
from engines.endpoints.tls import ssl_context
from tests.support.certificates import Authority


def test_certificate_and_host_name_are_verified_unless_somebody_says_otherwise() -> None:
    for verify, checks_name, mode in (
        ("full", True, ssl.CERT_REQUIRED),
        ("chain", False, ssl.CERT_REQUIRED),
        ("none", False, ssl.CERT_NONE),
    ):
        made = ssl_context(TlsOptions(verify=verify))  # type: ignore[arg-type]
        assert (made.check_hostname, made.verify_mode) == (checks_name, mode)
        assert made.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert ssl_context(TlsOptions()).check_hostname


def test_the_authorities_of_a_file_are_trusted_instead_of_the_system_s(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "mine")
    (known,) = ssl_context(TlsOptions(authority.file)).get_ca_certs()
    assert known["subject"] == ((("commonName", "mine"),),)


def test_a_file_without_a_certificate_is_named(tmp_path: Path) -> None:
    file = tmp_path / "empty.pem"
    file.write_text("nothing\n")
    with pytest.raises(OSError, match=r"empty\.pem \(tls_ca\) holds no certificate in PEM"):
        ssl_context(TlsOptions(file))
