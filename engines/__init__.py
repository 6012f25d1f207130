"""telemon's engines: everything that measures. Nothing below this package knows of a screen."""

__version__ = "0.1.0"
