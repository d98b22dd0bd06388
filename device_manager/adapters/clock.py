"""The clock of the machine, behind the `Clock` port."""

import time


class SystemClock:
    """The `Clock` port."""

    def now_ms(self) -> int:
        """Return Unix time in milliseconds."""
        return time.time_ns() // 1_000_000
