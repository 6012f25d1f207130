"""A file system that is soon full."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def in_small_file_system(
    directory: Path, size: str, command: list[str], meanwhile: str = "true"
) -> list[str]:
    """The command that runs `command` with a file system of `size` on `directory`, which nobody else sees.

    The shell command `meanwhile` runs beside it, where it sees the same.
    """
    unshare = shutil.which("unshare")
    mount = f"mount -t tmpfs -o size={size} tmpfs '{directory}' && {{ ({meanwhile}) >/dev/null 2>&1 & exec \"$@\"; }}"
    words = [unshare or "unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh"]
    if (
        unshare is None
        or subprocess.run([*words, "true"], check=False, capture_output=True).returncode
    ):
        pytest.skip("needs a mount namespace (unshare --user --mount)")
    return [*words, *command]
