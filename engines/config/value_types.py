"""Types of setting values: each reads a value from a TOML file or from text, and describes what it takes."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol

from engines.endpoints.address import split
from engines.text import duration_text


class InvalidValueError(ValueError):
    """The type does not take this value. `allowed` of the type says what it takes."""


class ValueType(Protocol):
    """A type of setting values. `read` and `parse` raise InvalidValueError."""

    @property
    def metavar(self) -> str:
        """Return the placeholder of the value in the help."""

    @property
    def allowed(self) -> str:
        """Return the values that it takes, in words that fit after "must be"."""

    def read(self, value: object) -> object:
        """Return the setting's value for a value of a TOML file."""

    def parse(self, text: str) -> object:
        """Return the setting's value for the text of a flag or an environment variable."""


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number from `low` to `high`, both included."""

    low: int
    high: int

    metavar = "N"

    @property
    def allowed(self) -> str:
        return f"a whole number from {self.low} to {self.high}"

    def read(self, value: object) -> int:
        # True is an int in Python; in a file it is a mistake.
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidValueError
        if not self.low <= value <= self.high:
            raise InvalidValueError
        return value

    def parse(self, text: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]{1,20}", text.strip(), re.ASCII):
            raise InvalidValueError
        return self.read(int(text))


UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
DURATION = re.compile(r"([0-9]{1,20}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})\s*(ms|s|m|h)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Duration:
    """A duration in seconds, from `low_s` to `high_s`, both included, rounded to whole milliseconds."""

    low_s: float
    high_s: float

    metavar = "TIME"

    @property
    def allowed(self) -> str:
        return (
            f'a duration like "500ms", "30s", "2m" or 1.5 (seconds), '
            f"from {duration_text(self.low_s)} to {duration_text(self.high_s)}"
        )

    def read(self, value: object) -> float:
        if isinstance(value, str):
            return self.parse(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidValueError
        return self._bounded(value)

    def parse(self, text: str) -> float:
        match = DURATION.fullmatch(text.strip())
        if match is None:
            raise InvalidValueError
        return self._bounded(float(match[1]) * UNITS_S[match[2] or "s"])

    def _bounded(self, seconds: float) -> float:
        # Bounds first: an int from a file can be too large for a float. Not-a-number fails every comparison.
        if not 0 <= seconds <= self.high_s:
            raise InvalidValueError
        rounded = round(seconds * 1000) / 1000
        if rounded < self.low_s:
            raise InvalidValueError
        return rounded


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    options: tuple[str, ...]

    @property
    def metavar(self) -> str:
        return "|".join(self.options)

    @property
    def allowed(self) -> str:
        return " or ".join(f'"{option}"' for option in self.options)

    def read(self, value: object) -> str:
        if not isinstance(value, str) or value not in self.options:
            raise InvalidValueError
        return value

    def parse(self, text: str) -> str:
        return self.read(text.strip())


@dataclass(frozen=True, slots=True)
class ChoiceList:
    """One or more of a few words, each once; kept in the order of `options`, whatever order they come in."""

    options: tuple[str, ...]

    @property
    def metavar(self) -> str:
        return ",".join(self.options)

    @property
    def allowed(self) -> str:
        return f"one or more of {', '.join(self.options)}, each at most once"

    def read(self, value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not value:
            raise InvalidValueError
        if any(not isinstance(word, str) or word not in self.options for word in value):
            raise InvalidValueError
        if len(set(value)) < len(value):
            raise InvalidValueError
        return tuple(option for option in self.options if option in value)

    def parse(self, text: str) -> tuple[str, ...]:
        return self.read([word.strip() for word in text.split(",")])


@dataclass(frozen=True, slots=True)
class Float:
    """A number from `low` to `high`, both included."""

    low: float
    high: float

    metavar = "X"

    @property
    def allowed(self) -> str:
        return f"a number from {self.low:g} to {self.high:g}"

    def read(self, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidValueError
        # Not-a-number fails every comparison.
        if not self.low <= value <= self.high:
            raise InvalidValueError
        return float(value)

    def parse(self, text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{0,12})?|\.[0-9]{1,12}", text.strip(), re.ASCII):
            raise InvalidValueError
        return self.read(float(text))


@dataclass(frozen=True, slots=True)
class Boolean:
    """On or off."""

    metavar = "true|false"
    allowed = "true or false"

    def read(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise InvalidValueError
        return value

    def parse(self, text: str) -> bool:
        try:
            return {"true": True, "false": False}[text.strip().lower()]
        except KeyError as error:
            raise InvalidValueError from error


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text that `pattern` matches whole; `allowed` says in words what that is."""

    pattern: re.Pattern[str]
    allowed: str
    metavar: str = "TEXT"

    def read(self, value: object) -> str:
        if not isinstance(value, str) or not value.isprintable():
            raise InvalidValueError
        if not self.pattern.fullmatch(value):
            raise InvalidValueError
        return value

    def parse(self, text: str) -> str:
        return self.read(text)


@dataclass(frozen=True, slots=True)
class Command:
    """A program and its arguments: a list of words, or one text that is split as a shell would. No shell runs it."""

    metavar = "COMMAND"
    allowed = 'a program and its arguments, as a list of words or in one text ("vault read ...")'

    def read(self, value: object) -> tuple[str, ...]:
        if isinstance(value, str):
            return self.parse(value)
        if not isinstance(value, list) or not value or not value[0]:
            raise InvalidValueError
        if any(not isinstance(word, str) or "\0" in word for word in value):
            raise InvalidValueError
        return tuple(value)

    def parse(self, text: str) -> tuple[str, ...]:
        try:
            return self.read(shlex.split(text))
        except ValueError as error:  # a quotation that does not end
            raise InvalidValueError from error


@dataclass(frozen=True, slots=True)
class FilePath:
    """A path, of what `allowed` says; it need not exist yet. `~` stands for the home directory."""

    allowed: str
    metavar: str

    def read(self, value: object) -> Path:
        if not isinstance(value, str) or not value.strip() or "\0" in value:
            raise InvalidValueError
        try:
            return Path(value).expanduser()
        except RuntimeError as error:  # "~name" of a user who is not known here
            raise InvalidValueError from error

    def parse(self, text: str) -> Path:
        return self.read(text)


_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"


HOST_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*\.?", re.ASCII)
"""Labels of 1 to 63 characters (RFC 1035, section 2.3.4); a dot at the end is the root's."""


@dataclass(frozen=True, slots=True)
class HostName:
    """A host name or an IP address."""

    metavar = "HOST"
    allowed = "a host name or an IP address; the port has a key of its own"

    def read(self, value: object) -> str:
        if not isinstance(value, str):
            raise InvalidValueError
        if HOST_NAME.fullmatch(value):
            return value
        try:
            return str(ip_address(value))
        except ValueError as error:
            raise InvalidValueError from error

    def parse(self, text: str) -> str:
        return self.read(text.strip())


@dataclass(frozen=True, slots=True)
class AddressMapType:
    """A table from addresses as the servers name them to those where they are reached."""

    metavar = "MAP"
    allowed = 'a table like { "node-1:6379" = "127.0.0.1:7001" }, each side a host and a port'

    def read(self, value: object) -> tuple[tuple[str, str], ...]:
        if not isinstance(value, dict) or not value:
            raise InvalidValueError
        return tuple((_address(real), _address(here)) for real, here in value.items())

    def parse(self, text: str) -> tuple[tuple[str, str], ...]:
        """Return the map for text like "node-1:6379=127.0.0.1:7001,node-2:6379=127.0.0.1:7002"."""
        pairs = [pair.partition("=") for pair in text.split(",")]
        return self.read({real.strip(): here.strip() for real, _, here in pairs})


def _address(value: object) -> str:
    if not isinstance(value, str) or not re.search(r":[0-9]{1,5}$", value, re.ASCII):
        raise InvalidValueError
    host, port = split(value)
    if not 1 <= port <= 65_535:
        raise InvalidValueError
    return f"{HostName().read(host)}:{port}"
