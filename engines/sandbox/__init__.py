"""Private MariaDB and Redis servers that a race starts for itself and takes away again."""
