"""What a node needs at its start only: settings, the floor of time, its sensors. `app` forgets it all afterwards.

On an ESP32 without PSRAM these few kB are room for TLS.
"""

import os

from firmware import VERSION, ConfigError, forget
from firmware.sensing.opening import open_driver
from firmware.sensing.sensor import Sensor
from firmware.wire.quantities import QUANTITIES

_UPDATE_FILES = ("slot.try", "slot.wait", "slot.bad", "update.offer")  # one is under way, see firmware.update


def read_settings() -> dict:
    """The checked configuration, with settings that are tried laid over it."""
    from firmware import config

    settings = config.read()
    if "order" in settings or _exists("trial.json"):
        from firmware import orderly

        settings = orderly.enter(settings, config.check)
        orderly.forget_all()
    forget("config")
    if any(_exists(name) for name in _UPDATE_FILES):
        settings["update"] = True
    return settings


def about(settings: dict) -> dict:
    """What the state message says of the code that runs: release, board, family."""
    from firmware.update import running

    found = running.about(settings["board"])
    forget("update.running", "update.slots", "update")
    return found


def raise_floor(clock, settings: dict, last_good_s: int) -> None:
    """No time is believed that lies before what is certain; see hal.clock."""
    from firmware import validity
    from firmware.hal import nvs

    tls = settings["tls"]
    begin_s = validity.valid_from(tls["certificate"]) if tls else 0
    for unix_s in (settings["provisioned"], last_good_s, 60 * nvs.read("minute"), begin_s):
        clock.raise_floor(unix_s)
    forget("validity", "hal.nvs")


def open_sensors(rows: list, buses, health) -> None:
    """Open what is configured into `health.sensors`; ConfigError names the row that cannot be."""
    inputs = 0
    for row in rows:
        sensor = _open_sensor(row, inputs, buses, health)
        health.sensors.append(sensor)
        inputs += len(sensor.driver.inputs)


def _open_sensor(row: dict, first: int, buses, health) -> Sensor:
    try:
        driver = open_driver(row, buses)
        return Sensor(row["name"], driver, first, health.note, row.get("extremes", ()))
    except KeyError as error:
        raise ConfigError("node.json: expected %s of sensor %s, got none: add it" % (error.args[0], row["name"]))
    except ValueError as error:
        raise ConfigError("node.json: sensor %s: %s" % (row["name"], error))


def describe(settings: dict, names: list, sensors: list) -> dict:
    """The fields of the channels record: what the columns of this boot's frames mean."""
    channels = [[name, QUANTITIES[name][0], QUANTITIES[name][1], sensor] for name, sensor in names]
    fields = {
        "firmware": VERSION,
        "configuration": settings["revision"],
        "interval_s": settings["record_s"],
        "channels": channels,
    }
    known = [(sensor.name, getattr(sensor.driver, "calibration", "")) for sensor in sensors]
    calibration = "; ".join(["%s: %s" % pair for pair in known if pair[1]])
    if calibration:
        fields["calibration"] = calibration
    return fields


def forget_all(sensors: list) -> None:
    """Give the memory of all this back, and what is known of quantities that this node does not measure."""
    used = [name for sensor in sensors for name in sensor.driver.inputs]
    used += [name for sensor in sensors for name, _ in sensor.channels]
    kept = {name: QUANTITIES[name] for name in used}
    QUANTITIES.clear()  # deleting one by one would leave the table as large as it was
    QUANTITIES.update(kept)
    forget("wire.quantities", "wire.records", "sensing.opening", "start")


def _exists(name: str) -> bool:
    try:
        os.stat(name)
        return True
    except OSError:
        return False
