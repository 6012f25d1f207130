"""The program that tests run in a pseudo-terminal: `--result FD`, of which it makes nothing, a directory, code, and
the arguments of what the code starts, as `python -c` would run it there."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the code."""
    _, _, directory, code, *argv = sys.argv[1:]
    os.chdir(directory)
    sys.argv = ["-c", *argv]
    exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})


if __name__ == "__main__":
    main()
