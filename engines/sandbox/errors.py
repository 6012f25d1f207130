"""Errors that prevent the sandbox from starting, each with a one-line message for the user."""

from __future__ import annotations

NEXT_STEP = "`telemon doctor` checks what the sandbox needs"
"""Hint that ends a message when telemon cannot tell the cause."""


class SandboxError(Exception):
    """The sandbox cannot do what was requested. The one-line message gives the value at fault and the next step."""


class MissingBinary(SandboxError):  # noqa: N818 - the name states the error
    """A server program is not installed. The message ends with the command that installs it."""


class PortInUse(SandboxError):  # noqa: N818 - the name states the error
    """A configured port is in use. The message names the setting, its value and the port."""


class UnusableDirectory(SandboxError):  # noqa: N818 - the name states the error
    """The directory from the settings or TMPDIR cannot hold a sandbox. The message names the setting and its value."""
