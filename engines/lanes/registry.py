"""Table of the programs: the generator of each write path and read path, by preset.

A program is what an application would do, top to bottom. Preset `fair` gives every lane one unit of work per batch.
Preset `deck` does what the demo's slides do, one statement or SET at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from engines.driver.session import Program, Session
from engines.lanes.cached import read_cached, read_cached_deck
from engines.lanes.context import LaneContext as Context
from engines.lanes.durable import read_durable, write_durable, write_durable_deck
from engines.lanes.mysql import read_mysql, read_mysql_deck, write_mysql, write_mysql_deck
from engines.model.lanes import ReadPath, WritePath
from engines.workload.streams import BatchStream

Writer = Callable[[Session, BatchStream, Context], Program]
Reader = Callable[[Session, Callable[[], int], Context], Program]

WRITE: Mapping[tuple[WritePath, str], Writer] = {
    (WritePath.MYSQL, "fair"): write_mysql,
    (WritePath.MYSQL, "deck"): write_mysql_deck,
    (WritePath.REDIS, "fair"): write_durable,
    (WritePath.REDIS, "deck"): write_durable_deck,
}
"""The generator of a writer, by write path and preset."""

READ: Mapping[tuple[ReadPath, str], Reader] = {
    (ReadPath.SELECT, "fair"): read_mysql,
    (ReadPath.SELECT, "deck"): read_mysql_deck,
    (ReadPath.CACHE_ASIDE, "fair"): read_cached,
    (ReadPath.CACHE_ASIDE, "deck"): read_cached_deck,
    (ReadPath.GET, "fair"): read_durable,
    (ReadPath.GET, "deck"): read_durable,
}
"""The generator of a reader, by read path and preset."""
