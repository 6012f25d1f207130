"""What a supervisor says of an error that kept its servers from starting."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from engines.sandbox.binaries import Binaries
from engines.sandbox.spec import SandboxSpec
from engines.sandbox.supervisor import _error_json

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/x/y")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FULL, "No space left on device"),
        (shutil.Error([("/a", "/b", str(FULL)), ("/c", "/d", "x")]), "No space left on device: '/x/y'"),
        (OSError("made up"), "made up"),
        (OSError(), "OSError"),
    ],
)  # fmt: skip
def test_the_reason_of_an_error_is_named(error: OSError, reason: str) -> None:
    spec = SandboxSpec(("mysql",), Path("/base"), None, 1, Binaries(None, None))
    said = _error_json(error, spec)
    assert said.startswith(f"the sandbox could not be made in /base: {reason}; make room there")
