"""The three approaches, each as a generator of steps: what an application would do, top to bottom.

`mysql` and `cached` write with upserts into MySQL; `cached` reads by lazy loading; `durable` keeps everything in a
Redis Cluster. Two presets: `fair` gives every lane one unit of work per batch; `deck` does what the demo's slides do,
one statement or SET at a time.
"""

from __future__ import annotations

from collections.abc import Callable

from engines.driver.session import Program, Session
from engines.lanes.cached import read_cached, read_cached_deck
from engines.lanes.context import MYSQL as MYSQL
from engines.lanes.context import LaneContext as Context
from engines.lanes.durable import read_durable, write_durable, write_durable_deck
from engines.lanes.mysql import read_mysql, read_mysql_deck, write_mysql, write_mysql_deck
from engines.workload.streams import BatchStream

Writer = Callable[[Session, BatchStream, Context], Program]
Reader = Callable[[Session, Callable[[], int], Context], Program]

WRITERS: dict[tuple[str, str], Writer] = {
    ("mysql", "fair"): write_mysql,
    ("cached", "fair"): write_mysql,
    ("durable", "fair"): write_durable,
    ("mysql", "deck"): write_mysql_deck,
    ("cached", "deck"): write_mysql_deck,
    ("durable", "deck"): write_durable_deck,
}
"""By lane and preset."""

READERS: dict[tuple[str, str], Reader] = {
    ("mysql", "fair"): read_mysql,
    ("cached", "fair"): read_cached,
    ("durable", "fair"): read_durable,
    ("mysql", "deck"): read_mysql_deck,
    ("cached", "deck"): read_cached_deck,
    ("durable", "deck"): read_durable,
}
"""By lane and preset."""
