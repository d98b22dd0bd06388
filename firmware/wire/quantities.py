"""What can be measured: generated from hardware/quantities.toml; do not edit.

Written by `python -m hardware.generate`.

QUANTITIES: name -> (UCUM unit, denominator, kind, least, most). Value on the wire = reading * denominator, as an
integer; `least` and `most` are what it can be on the wire at all, None where nothing is impossible.
"""

QUANTITIES = {
    "pm1": ("ug/m3", 10, "mean", 0, 65530),
    "pm2_5": ("ug/m3", 10, "mean", 0, 65530),
    "pm2_5_max": ("ug/m3", 10, "max", 0, 65530),
    "pm4": ("ug/m3", 10, "mean", 0, 65530),
    "pm10": ("ug/m3", 10, "mean", 0, 65530),
    "pm10_max": ("ug/m3", 10, "max", 0, 65530),
    "temperature": ("Cel", 10, "mean", -600, 900),
    "relative_humidity": ("%", 10, "mean", 0, 1000),
    "temperature_min": ("Cel", 10, "min", -600, 900),
    "temperature_max": ("Cel", 10, "max", -600, 900),
    "pressure": ("hPa", 10, "mean", 3000, 11000),
    "voc_index": ("1", 10, "mean", 0, 5000),
    "nox_index": ("1", 10, "mean", 0, 5000),
    "co2": ("[ppm]", 1, "mean", 0, 40000),
    "co2_max": ("[ppm]", 1, "max", 0, 40000),
    "laeq": ("dB", 10, "level", 0, 1400),
    "lafmax": ("dB", 10, "max", 0, 1400),
    "lafmin": ("dB", 10, "min", 0, 1400),
    "lamax": ("dB", 10, "max", 0, 1400),
    "la10": ("dB", 10, "percentile", 0, 1400),
    "la50": ("dB", 10, "percentile", 0, 1400),
    "la90": ("dB", 10, "percentile", 0, 1400),
    "la99": ("dB", 10, "percentile", 0, 1400),
    "footfall_in": ("{count}", 1, "total", None, None),
    "footfall_out": ("{count}", 1, "total", None, None),
}
