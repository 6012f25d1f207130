"""`python -m tui` works as `telemon` does."""

from __future__ import annotations

import subprocess
import sys


def test_python_m_tui_is_telemon() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "tui", "--version"], capture_output=True, text=True, timeout=30
    )
    assert shown.returncode == 0
    assert shown.stdout.startswith("telemon ")


def test_python_m_tui_returns_the_exit_code_of_an_error_of_use() -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "tui", "--no-such-option"], capture_output=True, timeout=30
    )
    assert refused.returncode == 2
