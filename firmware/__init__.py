"""What runs on a node: MicroPython on ESP32, and the same sources on a PC through `firmware.virtual`."""

VERSION = "0.1.0"
