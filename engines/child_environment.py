"""Environment variables that telemon's child processes receive: the only allow list of them.

A user's environment holds secrets that no child needs (passwords of servers, keys of cloud accounts), and every process
of the user can read them in /proc. So a child never inherits the environment: it gets the variables that its kind of
program needs, by name. `tests/unit/house/test_children.py` checks that no process is started in another way.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

OWN_PREFIX = "TELEMON_"
"""Start of the name of every variable that sets something of telemon, passwords included. No child needs one: the
settings reach it in its first message."""

PROGRAM_NAMES = (
    "PATH",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "DYLD_FALLBACK_LIBRARY_PATH",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
)
"""What any program needs to find its libraries, its tools and the place of its temporary files."""

PYTHON_NAMES = (
    # Python looks for packages of the user below HOME, and PyMySQL asks for the user's name when it is imported.
    "HOME",
    "LOGNAME",
    "USER",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONFAULTHANDLER",
    "PYTHONHASHSEED",
    "PYTHONHOME",
    "PYTHONMALLOC",
    "PYTHONNOUSERSITE",
    "PYTHONPYCACHEPREFIX",
    "PYTHONUSERBASE",
    "PYTHONUTF8",
    "__PYVENV_LAUNCHER__",
)
"""What an interpreter needs to find its modules and to run as the one that starts it."""

TLS_NAMES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "OPENSSL_CONF", "OPENSSL_MODULES")
"""What OpenSSL reads to verify a certificate as in the process that starts it."""

DIRECTORY_NAMES = ("XDG_RUNTIME_DIR",)
"""What the sandbox supervisor needs to find a short directory for sockets."""

AWS_NAMES = (
    "HOME",
    "BOTO_CONFIG",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "REQUESTS_CA_BUNDLE",
)
"""What botocore reads besides the variables that begin with `AWS_PREFIX`: profiles below HOME, and the way to AWS."""

AWS_PREFIX = "AWS_"


def of_names(*names: Iterable[str]) -> dict[str, str]:
    """Return the variables with these names that are set in this process."""
    return {name: os.environ[name] for several in names for name in several if name in os.environ}


def program_environment() -> dict[str, str]:
    """Return the environment of a program that is not telemon's own."""
    return of_names(PROGRAM_NAMES)


def python_environment(search_path: str) -> dict[str, str]:
    """Return the environment of a Python process of telemon that imports from `search_path` (a PYTHONPATH)."""
    return {**of_names(PROGRAM_NAMES, PYTHON_NAMES), "PYTHONPATH": search_path}


def aws_environment() -> dict[str, str]:
    """Return the variables in which botocore looks for credentials, and for the way to AWS."""
    of_aws = (name for name in os.environ if name.startswith(AWS_PREFIX))
    return of_names(of_aws, AWS_NAMES)


def user_environment() -> dict[str, str]:
    """Return the environment of a command that the user names, which may read any variable of the user's.

    Variables of telemon itself are left out: they hold passwords of servers and settings, which no such command reads.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith(OWN_PREFIX)}
