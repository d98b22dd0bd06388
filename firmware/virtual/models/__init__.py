"""Models of sensors. An I2C model has write(bytes), read(count) -> bytes, fault() -> text; OSError: no acknowledge."""
