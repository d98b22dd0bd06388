"""What can be measured: generated from hardware/quantities.toml; do not edit.

Written by `python -m hardware.generate`.

QUANTITIES: name -> (UCUM unit, denominator, kind). Value on the wire = reading * denominator, as an integer.
"""

QUANTITIES = {
    "pm1": ("ug/m3", 10, "mean"),
    "pm2_5": ("ug/m3", 10, "mean"),
    "pm4": ("ug/m3", 10, "mean"),
    "pm10": ("ug/m3", 10, "mean"),
    "temperature": ("Cel", 10, "mean"),
    "relative_humidity": ("%", 10, "mean"),
    "pressure": ("hPa", 10, "mean"),
    "voc_index": ("1", 10, "mean"),
    "nox_index": ("1", 10, "mean"),
    "co2": ("[ppm]", 1, "mean"),
    "laeq": ("dB", 10, "level"),
    "lafmax": ("dB", 10, "max"),
    "lafmin": ("dB", 10, "min"),
    "la10": ("dB", 10, "percentile"),
    "la50": ("dB", 10, "percentile"),
    "la90": ("dB", 10, "percentile"),
    "la99": ("dB", 10, "percentile"),
    "footfall_in": ("{count}", 1, "total"),
    "footfall_out": ("{count}", 1, "total"),
}
