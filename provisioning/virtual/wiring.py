"""What hangs on the pins of a virtual board: the part of `virtual.json` that follows from a design."""

from hardware import catalog


def wiring(design: str) -> dict[str, object]:
    """Return the keys i2c, uart, i2s and pins of virtual.json for a design; see firmware/README.md."""
    i2c: dict[str, dict[str, str]] = {}
    uart: dict[str, str] = {}
    pins: dict[str, str] = {}
    i2s: dict[str, str] = {}
    for mounted in catalog.designs()[design].sensors:
        name = mounted.sensor.driver
        if mounted.bus is None:
            pins |= {str(pin): f"footfall_{signal}" for signal, pin in mounted.pins.items()}
        elif mounted.bus.kind == "i2c":
            i2c.setdefault(str(mounted.bus.controller), {})[str(mounted.address)] = name
        elif mounted.bus.kind == "uart":
            uart[str(mounted.bus.controller)] = name
        else:
            i2s[str(mounted.bus.controller)] = name
    return {"i2c": i2c, "uart": uart, "i2s": i2s, "pins": pins}
