"""Read the settings of a race from flags, environment and file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from engines.config.errors import ConfigError, invalid_value_error
from engines.config.race_config import UNSET, RaceConfig
from engines.config.settings import (
    BY_KEY,
    CONFIG_ENV,
    DEBUG_ENV,
    ENV_PREFIX,
    SERVER_TABLES,
    SETTINGS,
)
from engines.config.toml_file import find_file, open_to_others, read_settings
from engines.config.value_types import InvalidValueError
from engines.text import one_line


def load_config(
    flags: Mapping[str, str], environ: Mapping[str, str], file: str | None = None
) -> RaceConfig:
    """Return the settings that the command line, the environment and the configuration file ask for.

    `flags` maps keys of settings to the text of their flags. `file` is the path that `--config` names. Raises
    ConfigError.
    """
    values: dict[str, object] = {}
    sources: dict[str, str] = {}
    warnings: list[str] = []
    path = find_file(file, environ, warnings.append)
    if path is not None:
        name = one_line(str(path))
        for key, value in read_settings(path):
            setting = BY_KEY[key]
            try:
                values[key] = setting.value_type.read(value)
            except InvalidValueError as error:
                raise invalid_value_error(setting, name, value) from error
            if isinstance(values[key], Path):
                # So that a file means the same wherever telemon is started.
                values[key] = path.parent / str(values[key])
            sources[key] = name
            if setting.field == "password" and open_to_others(path):
                warnings.append(
                    f"{name}: holds {key}, and others can read it; chmod 600 it, or use password_env, password_file "
                    "or password_command"
                )
    _check_names(environ)
    for setting in SETTINGS:
        for source, text in (
            (setting.env, environ.get(setting.env) or None),
            (setting.flag, flags.get(setting.key) if setting.flag else None),
        ):
            if text is None or source is None:
                continue
            try:
                values[setting.key] = setting.value_type.parse(text)
            except InvalidValueError as error:
                raise invalid_value_error(setting, source, text) from error
            sources[setting.key] = source
    for key, value in values.items():
        if isinstance(value, Path) and key.endswith(".password_file") and open_to_others(value):
            warnings.append(f"{one_line(str(value))}: others can read it ({key}); chmod 600 it")
    race = _race(values, sources, warnings)
    _check_files(race)
    return race


def _race(
    values: Mapping[str, object], sources: Mapping[str, str], warnings: Iterable[str]
) -> RaceConfig:
    tables: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        setting = BY_KEY[key]
        tables.setdefault(setting.table, {})[setting.field] = value
    own = tables.pop("", {})
    for table, fields in tables.items():
        own[table.replace(".", "_")] = replace(UNSET[table], **fields)
    return RaceConfig(**own, sources=tuple(sources.items()), warnings=tuple(warnings))


def _check_files(race: RaceConfig) -> None:
    """Raise ConfigError for a file that a setting names and that cannot be read."""
    for setting in SETTINGS:
        path = race.value(setting)
        racing = setting.table.partition(".")[0] in race.lanes
        if setting.table in SERVER_TABLES and racing and isinstance(path, Path):
            try:
                # Opening a pipe would wait for somebody who writes into it, and use it up. A password is read once, and
                # not waited for without end.
                if not path.is_fifo():
                    path.open("rb").close()
                elif setting.field != "password_file":
                    raise ValueError("it is a pipe, which can be read only once")
            except (OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) else error
                raise ConfigError(f"{race.cite(setting.key)}: cannot be read: {reason}") from error


def _check_names(environ: Mapping[str, str]) -> None:
    """Raise ConfigError for a variable whose name is nearly one of telemon's: it would be ignored silently."""
    names = (CONFIG_ENV, DEBUG_ENV, *(setting.env for setting in SETTINGS))
    known = [name.removeprefix(ENV_PREFIX) for name in names]
    for name in environ:
        own = name.removeprefix(ENV_PREFIX)
        if name == own or own in known or len(own) > 100:
            continue
        near = get_close_matches(own, known, n=1, cutoff=0.8)
        if near:
            raise ConfigError(
                f"{one_line(name)} (environment): unknown; did you mean {ENV_PREFIX}{near[0]}?"
            )
