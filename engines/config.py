"""A race's settings: typed, checked, and each value knows where it came from.

A flag goes before the environment, that before the file, that before the default. The file is the one that
`--config` names, else the one that TELEMON_CONFIG names, else telemon/config.toml under $XDG_CONFIG_HOME (by default
~/.config) when there is one. The current directory is never searched: on a shared host it is anybody's.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from engines.frame import LANES
from engines.kind import RejectedError, one_line, shown
from engines.setting import BY_KEY, CONFIG_ENV, DEBUG_ENV, ENV_PREFIX, SETTINGS, Setting

HEADLESS_DURATION_S = 30.0
"""How long a race without a screen lasts when nobody says."""

FILE_LIMIT_BYTES = 1 << 20
"""No configuration is larger; a device that is named by mistake never ends."""


class ConfigError(ValueError):
    """A setting cannot be taken. One line: where it stands, its key and value, and what is allowed."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Where the private servers live. None: telemon picks a directory, the system picks the ports."""

    directory: Path | None = None
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Race:
    """Everything that makes a race this race. `writers` and `readers` are connections per lane; `duration_s` is the
    measured part, without the warm-up, and None means until somebody quits.

    `sources` holds (key, source) for each setting that has not its default. Raises ConfigError when two settings
    contradict each other.
    """

    preset: str = "fair"
    lanes: tuple[str, ...] = LANES
    writers: int = 4
    readers: int = 8
    processes: int = 1
    batch: int = 100
    ttl_s: float = 120.0
    seed: int = 1
    warmup_s: float = 2.0
    duration_s: float | None = None
    sandbox: Sandbox = field(default_factory=Sandbox)
    sources: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        if not self.writers and not self.readers:
            raise ConfigError(
                f"{self._given('writers')} and {self._given('readers')}: "
                "at least one of the two must be more than 0"
            )
        for role in ("writers", "readers"):
            connections = getattr(self, role)
            if connections and self.processes > connections:
                raise ConfigError(
                    f"{self._given('processes')}: must not be more than the connections "
                    f"that they share, {self._given(role)}"
                )

    def items(self) -> Iterator[tuple[str, object, str]]:
        """(key, value, source) of every setting, in the order of the table."""
        sources = dict(self.sources)
        for setting in SETTINGS:
            value = self.value(setting)
            unnamed = "default" if value == setting.default else "set by the program"
            yield setting.key, value, sources.get(setting.key, unnamed)

    def value(self, setting: Setting) -> object:
        """The value of one setting."""
        holder = self.sandbox if setting.in_sandbox else self
        value: object = getattr(holder, setting.field)
        return value

    def headless(self) -> Race:
        """The same race with an end."""
        if self.duration_s is not None:
            return self
        return replace(
            self,
            duration_s=HEADLESS_DURATION_S,
            sources=(*self.sources, ("duration", "default without a screen")),
        )

    def to_json(self) -> dict[str, object]:
        """The settings as a result holds them: names with units, paths as text."""
        own: dict[str, object] = {}
        sandbox: dict[str, object] = {}
        for setting in SETTINGS:
            value = self.value(setting)
            if isinstance(value, tuple):
                value = list(value)
            elif isinstance(value, Path):
                value = str(value)
            (sandbox if setting.in_sandbox else own)[setting.field] = value
        return {**own, "sandbox": sandbox}

    def _given(self, key: str) -> str:
        source = dict(self.sources).get(key, "default")
        return _place(BY_KEY[key], source, str(self.value(BY_KEY[key])))


def load(flags: Mapping[str, str], environ: Mapping[str, str], file: str | None = None) -> Race:
    """The race that the command line, the environment and the configuration file ask for.

    `flags` maps keys of settings to what was given for them as text; `file` is what `--config` names. Raises
    ConfigError.
    """
    values: dict[str, object] = {}
    sources: dict[str, str] = {}
    path = _find(file, environ)
    if path is not None:
        name = one_line(str(path))
        for key, value in _flat(_toml(path, name), name):
            setting = BY_KEY[key]
            try:
                values[key] = setting.kind.read(value)
            except RejectedError as error:
                raise _rejected(setting, name, shown(value)) from error
            if isinstance(values[key], Path):
                # So that a file means the same wherever telemon is started.
                values[key] = path.parent / str(values[key])
            sources[key] = name
    _check_names(environ)
    for setting in SETTINGS:
        for source, text in (
            (setting.env, environ.get(setting.env) or None),
            (setting.flag, flags.get(setting.key)),
        ):
            if text is None:
                continue
            try:
                values[setting.key] = setting.kind.parse(text)
            except RejectedError as error:
                raise _rejected(setting, source, shown(text)) from error
            sources[setting.key] = source
    return _race(values, sources)


def _race(values: Mapping[str, object], sources: Mapping[str, str]) -> Race:
    own: dict[str, Any] = {}
    sandbox: dict[str, Any] = {}
    for key, value in values.items():
        setting = BY_KEY[key]
        (sandbox if setting.in_sandbox else own)[setting.field] = value
    return Race(**own, sandbox=Sandbox(**sandbox), sources=tuple(sources.items()))


def _find(file: str | None, environ: Mapping[str, str]) -> Path | None:
    named = file if file is not None else environ.get(CONFIG_ENV) or None
    if named is not None:
        if not named.strip() or "\0" in named:
            source = "--config" if file is not None else CONFIG_ENV
            raise ConfigError(f"{source} {shown(named)}: must be the path of a file")
        return Path(named)
    try:
        # A relative XDG_CONFIG_HOME is to be ignored, says the XDG base directory specification.
        home = Path(environ.get("XDG_CONFIG_HOME", ""))
        if not home.is_absolute():
            home = Path(environ.get("HOME", "")) / ".config"
        usual = home / "telemon" / "config.toml"
        return usual if usual.is_absolute() and usual.exists() else None
    except (OSError, ValueError):  # no way into it, no path at all
        return None


def _toml(path: Path, name: str) -> dict[str, object]:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_LIMIT_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{name}: cannot be read: {error.strerror or error}") from error
    if len(content) > FILE_LIMIT_BYTES:
        raise ConfigError(f"{name}: not a configuration: larger than {FILE_LIMIT_BYTES} bytes")
    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name}: not TOML: byte {error.start} is not UTF-8") from error
    except RecursionError as error:
        raise ConfigError(f"{name}: not a configuration: nested too deeply") from error
    except ValueError as error:
        # Not only TOMLDecodeError: Python has limits of its own for numbers and dates.
        raise ConfigError(f"{name}: not TOML: {one_line(str(error))}") from error


def _flat(tables: Mapping[str, object], name: str) -> Iterator[tuple[str, object]]:
    """(key, value) of every setting in the file."""
    for key, value in tables.items():
        # Quoted, a key may hold dots of its own: "sandbox.port" = 1 is not [sandbox] port = 1.
        if key in BY_KEY and not BY_KEY[key].in_sandbox:
            yield key, value
        elif key in BY_KEY:
            raise ConfigError(f'{name}: "{key}": unknown key; write {key}, without the quotes')
        elif key != "sandbox":
            raise _unknown(key, name)
        elif not isinstance(value, dict):
            raise ConfigError(f"{name}: sandbox = {shown(value)}: must be a table, [sandbox]")
        else:
            for below, inner in value.items():
                if f"sandbox.{below}" not in BY_KEY:
                    raise _unknown(f"sandbox.{below}", name)
                yield f"sandbox.{below}", inner


def _unknown(key: str, name: str) -> ConfigError:
    near = get_close_matches(key[:100], BY_KEY, n=1)
    hint = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(BY_KEY)}"
    plain = key if re.fullmatch(r"(sandbox\.)?[\w-]{1,60}", key, re.ASCII) else shown(key)
    return ConfigError(f"{name}: {plain}: unknown key; {hint}")


def _check_names(environ: Mapping[str, str]) -> None:
    """Raise for a variable that is almost one of telemon's: its value would be ignored in silence."""
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


def _place(setting: Setting, source: str, value: str) -> str:
    """Where a value stands and what it is, as an error begins."""
    if source == setting.flag:
        return f"{source} {value}"
    if source == setting.env:
        return f"{source}={value} (environment)"
    return f"{source}: {setting.key} = {value}"


def _rejected(setting: Setting, source: str, value: str) -> ConfigError:
    return ConfigError(f"{_place(setting, source, value)}: must be {setting.kind.allowed}")
