"""How a setting that cannot be taken is refused: in one line, with no secret in it."""

from __future__ import annotations

from engines.config.settings import MASK, SERVER_TABLES, Setting
from engines.text import quote_value


class ConfigError(ValueError):
    """A setting cannot be taken. One line: where it stands, its key and value, and what is allowed."""


def cite_setting(setting: Setting, source: str, value: str) -> str:
    """Where a value stands and what it is, as an error begins."""
    if source == setting.flag:
        return f"{source} {value}"
    if source == setting.env:
        return f"{source}={value} (environment)"
    return f"{source}: {setting.key} = {value}"


def invalid_value_error(setting: Setting, source: str, value: object) -> ConfigError:
    """The error for a value that is not of the setting's kind."""
    said = quote_value(value)
    # A password is not quoted, nor what may hold one: a URL in the place of a host.
    if setting.secret or (setting.table in SERVER_TABLES and "@" in said):
        said = MASK
    return ConfigError(f"{cite_setting(setting, source, said)}: must be {setting.kind.allowed}")
