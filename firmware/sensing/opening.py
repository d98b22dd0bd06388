"""Opens the driver that a row of the configuration names; wanted at the start only."""

AIR = ("sen55", "sen66", "sps30", "scd41", "sht45", "bme280", "pms5003", "pms5003t", "sds011")
NAMES = AIR + ("microphone", "dnms", "pulse_counter", "vl53l1x", "ld2450")


def open_driver(row: dict, buses):
    """Return the driver for one row of the configuration's sensors; ValueError for an unknown name.

    `buses` opens hardware: i2c(bus), counter(pin). Only modules of configured sensors are loaded.
    """
    name = row["driver"]
    if name not in NAMES:
        raise ValueError("expected a driver of %s, got %s: correct it" % (", ".join(NAMES), name))
    module = __import__("firmware.sensing.drivers." + name, None, None, ("open",))
    return module.open(row, buses)
