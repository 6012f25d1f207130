"""Location of telemon's own packages, for the processes that it starts."""

from __future__ import annotations

import os
import sys
from pathlib import Path

PACKAGE_ROOT = Path(__file__).resolve().parents[1]
"""The directory that holds `engines`. A child process needs it on its search path."""


def search_path() -> str:
    """Return this process's module search path as a value for PYTHONPATH.

    The entry "" (the current directory) is left out: a user's folder named "engines" must not be taken for telemon's.
    """
    entries = [str(Path(entry).absolute()) for entry in sys.path if entry]
    return os.pathsep.join(dict.fromkeys([*entries, str(PACKAGE_ROOT)]))
