"""What the LED says to the person on the ladder: so many short flashes, then a pause.

TABLE is the whole language, the worst that is true is shown. Pure; `firmware/README.md` has the same table.
"""

POWER, WIFI, BROKER, COMMITTED, FAULT, MAINTENANCE = "power", "wifi", "broker", "committed", "fault", "maintenance"

# code: flashes, ms of light of each, ms of dark between them, ms of dark after the last
TABLE = {
    POWER: (1, 100, 0, 900),
    WIFI: (2, 100, 200, 1600),
    BROKER: (3, 100, 200, 1600),
    COMMITTED: (1, 50, 0, 4950),
    FAULT: (1, 100, 0, 100),
    MAINTENANCE: (1, 1500, 0, 500),
}
STEP_MS = 50  # how often to look


def code(joined: bool, connected: bool, committed: bool, fault: bool, maintenance: bool) -> str:
    """What to show: power is there, Wi-Fi is joined, the broker is connected, the manager has committed a record."""
    if maintenance:
        return MAINTENANCE
    if fault:
        return FAULT
    if not joined:
        return POWER
    if not connected:
        return WIFI
    return COMMITTED if committed else BROKER


def is_lit(name: str, now_ms: int) -> bool:
    """True when the LED is lit `now_ms` after the code began."""
    flashes, light, dark, pause = TABLE[name]
    step = light + dark
    at = now_ms % (flashes * step - dark + pause)
    return at // step < flashes and at % step < light
