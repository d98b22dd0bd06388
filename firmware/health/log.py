"""The node's log: what it prints, and the newest lines of it for whoever asks from afar."""

KEPT = 12
LINE_BYTES = 100  # a sentence; the ring stays below 2 kB


class Log:
    """A ring of the newest lines, each with the uptime at which it was said."""

    def __init__(self, clock) -> None:
        self._clock = clock
        self._lines: list = []

    def say(self, text: str) -> None:
        """Print a line and keep it."""
        print("citynode:", text)
        self._lines.append("%d s: %s" % (self._clock.uptime_s(), text[:LINE_BYTES]))
        if len(self._lines) > KEPT:
            self._lines.pop(0)

    def lines(self, _: dict) -> list:
        """The kept lines, the oldest first."""
        return list(self._lines)


def describe_sensors(sensors: list, values: list, flags: list) -> list:
    """A line for each sensor: its faults, and what it has just read, as integers of the contract ("-": missing)."""
    lines = []
    for sensor in sensors:
        readings = []
        for at, name in enumerate(sensor.driver.inputs, sensor.first):
            value = "-" if values[at] is None else str(values[at])
            readings.append("%s=%s%s" % (name, value, "!%d" % flags[at] if flags[at] else ""))
        state = "fails" if sensor.failing else "works"
        lines.append(("%s %s, %d faults: %s" % (sensor.name, state, sensor.faults, " ".join(readings)))[:250])
    return lines
