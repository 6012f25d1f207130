"""Looks at this machine and at every server that a race would use, layer by layer, and says what to do next."""
