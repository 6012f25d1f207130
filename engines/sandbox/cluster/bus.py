"""Encryption of the cluster bus, over which the nodes of the private cluster talk to each other.

The bus has no passwords: whoever reaches its port can join the cluster and take slots over. So the nodes talk over TLS
and present a certificate that is made at every start; its key never leaves the sandbox's directory. One self-signed
certificate serves all nodes and is their only authority, so nobody without the key is let in.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engines.model.caveats import OpenBusReason
from engines.sandbox.directory import write
from engines.sandbox.errors import SandboxError
from engines.sandbox.process import SYSTEM_PATH, ServerProcess

OPENSSL = "openssl"
"""Program that makes the certificate. Python's ssl module cannot make any."""

STEP_WAIT_S = 10.0
"""Seconds that the certificate, and the trial of the server program, may take. Both take some 10 ms."""

REQUEST = """\
[req]
distinguished_name = name
x509_extensions = authority
prompt = no
[name]
CN = telemon sandbox
[authority]
basicConstraints = critical, CA:TRUE
subjectKeyIdentifier = hash
"""
"""Configuration of `openssl req`. The system's own may be missing, or may ask for other extensions."""

VALID_DAYS = 3650
"""Days that the certificate is valid: longer than any sandbox runs."""

NO_LISTENER = "not listen anywhere"
"""Part of the line with which Redis and Valkey end if no port is configured. TLS is configured before that."""


@dataclass(frozen=True, slots=True)
class BusCertificate:
    """Certificate of the nodes, which is its own authority, and its key. PEM files in the sandbox's directory."""

    certificate: Path
    key: Path

    def directives(self) -> str:
        """Return the lines of a node's configuration that make its bus TLS, with a certificate from each node."""
        return (
            "tls-cluster yes\n"
            "tls-auth-clients yes\n"
            f"tls-cert-file {quoted(self.certificate)}\n"
            f"tls-key-file {quoted(self.key)}\n"
            f"tls-ca-cert-file {quoted(self.certificate)}\n"
        )


def find_openssl() -> str | None:
    """Return the path of the openssl program, None if it is not installed."""
    return shutil.which(OPENSSL, path=os.pathsep.join((os.environ.get("PATH", ""), SYSTEM_PATH)))


async def secure(program: Path, root: Path, carried: int | None) -> BusCertificate | OpenBusReason:
    """Make the certificate for the cluster in the sandbox `root`, and try it with the Redis server `program`.

    Return the certificate, or the reason why the bus must stay open. The trial starts the server without a port, so no
    other process has an influence on its result. Processes inherit `carried`, see `SandboxDirectory`.
    """
    openssl = find_openssl()
    if openssl is None:
        return OpenBusReason.NO_OPENSSL
    directory = root / "bus"
    directory.mkdir(mode=0o700)
    made = BusCertificate(directory / "node.crt", directory / "node.key")
    request = directory / "openssl.cnf"
    write(request, REQUEST)
    # The file exists before openssl writes to it, so that the key is never readable by others.
    write(made.key, "")
    options = (
        *("req", "-x509", "-config", str(request), "-days", str(VALID_DAYS), "-sha256", "-nodes"),
        *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-keyout", str(made.key), "-out", str(made.certificate)),
    )
    status, _ = await _run((openssl, *options), directory, "openssl", carried)
    if status != 0 or not made.certificate.exists():
        return OpenBusReason.OPENSSL_FAILED
    trial = directory / "trial.conf"
    write(trial, f'port 0\nsave ""\ndir {quoted(directory)}\n{made.directives()}')
    _, log = await _run((str(program), str(trial)), directory, "trial", carried)
    return made if NO_LISTENER in log else OpenBusReason.NO_TLS


def quoted(path: Path) -> str:
    """Return `path` as a quoted argument of a directive in a Redis configuration file: printable ASCII."""
    plain = (
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\' else f"\\x{byte:02x}"
        for byte in os.fsencode(path)
    )
    return f'"{"".join(plain)}"'


async def _run(
    command: Sequence[str], directory: Path, name: str, carried: int | None
) -> tuple[int | None, str]:
    """Run a program to its end. Return its exit status, None if it failed to start or was too slow, and its output."""
    log = directory / f"{name}.log"
    try:
        process = ServerProcess(name, command, directory, log, carried=carried)
    except SandboxError:
        return None, ""
    status = None
    try:
        async with asyncio.timeout(STEP_WAIT_S):
            status = await process.wait_for_exit()
    except TimeoutError:
        pass
    finally:
        if process.alive:
            process.kill()
            process.wait(1.0)
    return status, log.read_text(encoding="utf-8", errors="replace")
