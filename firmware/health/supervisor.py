"""Who is alive: every task has a sign of life that must move within a limit, else the watchdog gets no food.

    supervisor = Supervisor(clock)
    supervisor.watch("sampler", lambda: sampler.seconds, 120000)
    supervisor.look()        # every few seconds: "" or the name of the task that is silent
    supervisor.lateness()    # [[task, longest silence in ms]...]

Pure: it reads probes and ticks, and resets nothing itself. A silence is measured between two looks, so it is as exact
as the looks are frequent.
"""


class Supervisor:
    """`clock` has ticks_ms and ticks_diff; limits must stay below the wrap of ticks (6 days)."""

    def __init__(self, clock) -> None:
        self._clock = clock
        self._rows: list = []  # [name, probe, limit in ms, last sign, since when, longest silence]

    def watch(self, name: str, probe, limit_ms: int) -> None:
        """Watch a task from now on: `probe()` must return another value than before within `limit_ms`."""
        self._rows.append([name, probe, limit_ms, probe(), self._clock.ticks_ms(), 0])

    def look(self) -> str:
        """Look at every task; return the name of one that is over its limit, or ''."""
        now = self._clock.ticks_ms()
        late = ""
        for row in self._rows:
            silence_ms = self._clock.ticks_diff(now, row[4])
            row[5] = max(row[5], silence_ms)
            sign = row[1]()
            if sign != row[3]:
                row[3], row[4] = sign, now
            elif silence_ms > row[2]:
                late = row[0]
        return late

    def lateness(self) -> list:
        """[[task, longest silence in ms]...] since the start."""
        return [[row[0], row[5]] for row in self._rows]
