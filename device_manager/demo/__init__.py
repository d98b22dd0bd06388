"""The demo: a whole fleet on this machine for as long as somebody looks at it."""
