"""SQL of the race: the statements of the demo, with telemon's column `version` added."""

from __future__ import annotations

UPSERT_HEAD = b"INSERT INTO cars(car_id,rpm,water_temp,oil_temp,oil_pressure,version) VALUES "
UPSERT_TAIL = (
    b" ON DUPLICATE KEY UPDATE rpm=VALUES(rpm),water_temp=VALUES(water_temp),"
    b"oil_temp=VALUES(oil_temp),oil_pressure=VALUES(oil_pressure),version=VALUES(version)"
)
"""Uses VALUES(col), which MySQL 8 and MariaDB both accept; the newer row alias is a syntax error in MariaDB."""

SELECT = (
    b"SELECT avg(rpm) rpm, avg(water_temp) water_temp, avg(oil_temp) oil_temp, "
    b"avg(oil_pressure) oil_pressure, max(version) version FROM cars WHERE car_id = %d"
)
"""To be formatted with a car id."""
