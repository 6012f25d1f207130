"""SQL of the race: the statements of the demo, with telemon's column `version` added.

Performance: each is built once per table, not once per operation.
"""

from __future__ import annotations

UPSERT_TAIL = (
    b" ON DUPLICATE KEY UPDATE rpm=VALUES(rpm),water_temp=VALUES(water_temp),"
    b"oil_temp=VALUES(oil_temp),oil_pressure=VALUES(oil_pressure),version=VALUES(version)"
)
"""Uses VALUES(col), which MySQL 8 and MariaDB both accept; the newer row alias is a syntax error in MariaDB."""


def upsert_head(table: str) -> bytes:
    """Return the beginning of an upsert, up to its rows."""
    return (
        b"INSERT INTO %b(car_id,rpm,water_temp,oil_temp,oil_pressure,version) VALUES "
        % table.encode()
    )


def select(table: str) -> bytes:
    """Return the SELECT of a row, to be formatted with a car id.

    The sum over one row is the row's own id, by which the answer shows whose row it is. Unlike MAX of the primary key,
    it costs the server no further look into the index.
    """
    return (
        b"SELECT avg(rpm) rpm, avg(water_temp) water_temp, avg(oil_temp) oil_temp, "
        b"avg(oil_pressure) oil_pressure, max(version) version, sum(car_id) car_id "
        b"FROM %b WHERE car_id = %%d" % table.encode()
    )
