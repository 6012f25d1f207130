"""Connection protocols without I/O: bytes out, replies in."""
