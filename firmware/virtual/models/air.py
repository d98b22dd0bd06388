"""The air at a site, for all models that measure it: one trace, one set of offsets, so that its sensors agree.

Replays the trace `air`: PM2.5, PM10, temperature, humidity and pressure are measured; between two measurements (150 s)
it draws a straight line. PM1, PM4, CO2, VOC and NOx index are made from them, see traces/SOURCE.md. Each model adds the
noise of its own chip: real ones are never still.
"""

from firmware.virtual.models import Draws
from firmware.virtual.trace import Trace

PM1, PM2_5, PM4, PM10, TEMPERATURE, HUMIDITY, PRESSURE, CO2, VOC = range(9)


class Air:
    """`now()` gives the tuple that the names above index."""

    def __init__(self, board: object) -> None:
        self._board = board
        self._trace = Trace("air")
        draws = Draws(board.seed, 1)
        self._pm_gain = draws.between(0.8, 1.25)
        self._warmer = int(draws.between(-150, 150))  # 0.01 K

    def now(self) -> tuple:
        """Particulate matter in 0.1 ug/m3, 0.01 degree, 0.01 %, 0.1 hPa, ppm, 0.1 VOC."""
        pm2_5, pm10, temperature, humidity, pressure = self._trace.at(self._board.trace_ms())
        pm2_5, pm10 = int(pm2_5 * self._pm_gain), int(pm10 * self._pm_gain)
        pm4 = pm2_5 + (pm10 - pm2_5) // 3
        co2 = min(600, 415 + pm2_5 // 8)
        voc = min(5000, 800 + 2 * pm2_5)
        return pm2_5 * 4 // 5, pm2_5, pm4, pm10, temperature + self._warmer, humidity, pressure, co2, voc
