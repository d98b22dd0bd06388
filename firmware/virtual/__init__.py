"""A node on a PC: the same firmware on MicroPython's unix port, with shims for machine, network, esp32 and time, and
models of the sensors at byte and pulse level that replay real measurements.

The shims are found because this directory stands in MICROPYPATH (see firmware/README.md); nothing in the firmware knows
of it. `board` is the wiring: it reads `virtual.json` in the node's directory.
"""
