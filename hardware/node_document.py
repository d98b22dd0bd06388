"""What a design says in a node's configuration: rows of `sensors` and `buses` of node.json (firmware/README.md).

>>> sensor_rows(designs()["gate"])
[{'name': 'people', 'driver': 'vl53l1x', 'bus': 0}]

A driver that serves several sensors is told which one by "model". Pure.
"""

from __future__ import annotations

from hardware.design import Design, Mounted

Row = dict[str, object]


def sensor_rows(design: Design) -> list[Row]:
    """Return a row for each sensor, in the design's order, which is the order of the frame."""
    return [_sensor_row(mounted) for mounted in design.sensors]


def bus_rows(design: Design) -> list[Row]:
    """Return a row for each I2C bus: its pins and speed. Other buses have their pins in the sensors' rows."""
    return [
        {"bus": bus.controller, **bus.pins, **({"hz": bus.hz} if bus.hz else {})}
        for bus in design.buses.values()
        if bus.kind == "i2c"
    ]


def _sensor_row(mounted: Mounted) -> Row:
    sensor, bus = mounted.sensor, mounted.bus
    row: Row = {"name": mounted.name, "driver": sensor.driver}
    if sensor.driver != sensor.name:
        row["model"] = sensor.name
    if bus is None:
        row.update({f"{signal}_pin": pin for signal, pin in mounted.pins.items()})
    elif bus.kind == "i2c":
        row["bus"] = bus.controller
        if mounted.address != sensor.addresses[0]:
            row["address"] = mounted.address
    elif bus.kind == "uart":
        row.update({"uart": bus.controller, **bus.pins})
    else:
        row.update({"bus": bus.controller, **bus.pins})
    return {**row, **mounted.options}
