"""What can keep the sandbox from standing, each in one line for the user."""

from __future__ import annotations

NEXT_STEP = "`telemon doctor` checks what the sandbox needs"
"""Where the cause lies outside of what telemon can tell."""


class SandboxError(Exception):
    """The sandbox cannot do what was asked of it. The message is one line: what, which value, and the next step."""


class MissingBinary(SandboxError):  # noqa: N818 - it reads as what it says
    """A server's program is not on this machine. The message ends with the command that installs it."""


class PortInUse(SandboxError):  # noqa: N818 - it reads as what it says
    """A port that the settings ask for is taken. The message names the key, its value and the port."""


class UnusableDirectory(SandboxError):  # noqa: N818 - it reads as what it says
    """The directory that settings or TMPDIR ask for cannot hold a sandbox. The message names the key and its value."""
