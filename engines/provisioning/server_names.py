"""Texts that name a server of the user in messages."""

from __future__ import annotations

from engines.endpoints.endpoint import MySQLEndpoint, RedisEndpoint


def mysql_name(endpoint: MySQLEndpoint) -> str:
    """Return the text that names a MySQL server and its database in messages."""
    return f"MySQL {endpoint.host}:{endpoint.port}/{endpoint.database}"


def redis_name(endpoint: RedisEndpoint) -> str:
    """Return the text that names a Redis server in messages."""
    return f"{endpoint.product} {endpoint.host}:{endpoint.port}"
