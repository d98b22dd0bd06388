"""Models of sensors. An I2C model has write(bytes), read(count) -> bytes and fault() -> text; OSError is no acknowledge."""
