"""Errors of settings: one line each, with no secret in it."""

from __future__ import annotations

from engines.config.settings import MASK, SERVER_TABLES, Setting
from engines.text import quote_value


class ConfigError(ValueError):
    """A configuration error in one line: source, key and value of the setting, and what is allowed."""


def cite_setting(setting: Setting, source: str, value: str) -> str:
    """Return the source and the value of a setting, as an error message begins."""
    if source == setting.flag:
        return f"{source} {value}"
    if source == setting.env:
        return f"{source}={value} (environment)"
    return f"{source}: {setting.key} = {value}"


def invalid_value_error(setting: Setting, source: str, value: object) -> ConfigError:
    """Return the error for a value that the setting's type does not take."""
    said = quote_value(value)
    # A password is not quoted, nor what may hold one: a URL in the place of a host.
    if setting.secret or (setting.table in SERVER_TABLES and "@" in said):
        said = MASK
    return ConfigError(
        f"{cite_setting(setting, source, said)}: must be {setting.value_type.allowed}"
    )
