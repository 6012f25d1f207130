"""Command `telemon config`."""

from __future__ import annotations

from engines.config.race_config import RaceConfig
from engines.config.settings import BY_KEY
from engines.text import to_toml


def show_settings(settings: RaceConfig) -> None:
    """Print the settings and their sources in the format of a configuration file that sets all but the secrets."""
    table = ""
    for key, value, source in settings.items():
        setting = BY_KEY[key]
        if setting.table != table:
            table = setting.table
            print(f"\n[{table}]")
        name = key.rpartition(".")[2]
        if value is None:
            print(f"# {name}: {setting.unset}")
        else:
            mark = "# " if setting.secret else ""
            print(f"{f'{mark}{name} = {to_toml(value)}':<46} # {source}")
