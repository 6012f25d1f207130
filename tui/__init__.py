"""telemon's screen and command line: everything that shows."""
