"""The words of the public page in German and English: what a value means, and how it was measured."""

from typing import NamedTuple

LANGUAGES = ("de", "en")


class Words(NamedTuple):
    """A quantity for people: name, what it means, how it was measured."""

    title: str
    meaning: str
    how: str


_LASER_DE = "Ein Laser zählt Teilchen in angesaugter Luft. Bei hoher Feuchte zeigt er mehr an. Nicht amtlich."
_LASER_EN = "A laser counts particles in air that a fan draws in. In damp air it shows more. Not for regulatory use."
_SOUND_DE = "Ein Mikrofon; der Schall wird sofort zu einem Pegel gerechnet. Nichts wird aufgenommen."
_SOUND_EN = "A microphone; sound becomes a level at once. Nothing is recorded."
_COUNT_DE = "Ein Sensor zählt, wie oft jemand vorbeigeht. Er erkennt niemanden: keine Kamera, keine Handydaten."
_COUNT_EN = "A sensor counts how often somebody passes. It recognises nobody: no camera, no data of phones."
_AIR_DE, _AIR_EN = "Fühler in belüftetem Gehäuse; Sonne kann ihn wärmen.", "Sensor in a vented case; sun may warm it."

QUANTITIES = {
    "de": {
        "air_quality_index": Words("Luftqualitätsindex", "1 gut, 2 ordentlich, 3 mäßig, 4 schlecht, 5 sehr schlecht,"
                                   " 6 extrem schlecht. Europäischer Index, nur aus Feinstaub.", _LASER_DE),
        "lden": Words("Lärmindex Lden", "Pegel eines Tages; Abend und Nacht zählen mit 5 und 10 dB mehr.", _SOUND_DE),
        "pm2_5": Words("Feinstaub PM2,5", "Teilchen unter 2,5 µm. Empfehlung der WHO: im Tagesmittel bis 15 µg/m³.",
                       _LASER_DE),
        "pm10": Words("Feinstaub PM10", "Teilchen unter 10 µm. Empfehlung der WHO: im Tagesmittel bis 45 µg/m³.",
                      _LASER_DE),
        "co2": Words("Kohlendioxid", "Im Freien etwa 420 bis 450 ppm.", "Photoakustischer Sensor."),
        "laeq": Words("Lautstärke", "Mittelungspegel. 40 dB: ruhig. 60 dB: Gespräch. 70 dB: Straße.", _SOUND_DE),
        "footfall_in": Words("Personen hinein", "Durchgänge in einer Richtung. Kleine Zahlen zeigen wir nicht.",
                             _COUNT_DE),
        "footfall_out": Words("Personen hinaus", "Durchgänge in der anderen Richtung. Kleine Zahlen zeigen wir nicht.",
                              _COUNT_DE),
        "temperature": Words("Lufttemperatur", "Temperatur der Luft an der Messstelle.", _AIR_DE),
        "relative_humidity": Words("Luftfeuchte", "Relative Feuchte der Luft.", _AIR_DE),
    },
    "en": {
        "air_quality_index": Words("Air quality index", "1 good, 2 fair, 3 moderate, 4 poor, 5 very poor, 6 extremely"
                                   " poor. European index, from particles only.", _LASER_EN),
        "lden": Words("Noise index Lden", "Level of a day; evening and night count 5 and 10 dB more.", _SOUND_EN),
        "pm2_5": Words("Fine dust PM2.5", "Particles below 2.5 µm. WHO advises at most 15 µg/m³ as mean of a day.",
                       _LASER_EN),
        "pm10": Words("Dust PM10", "Particles below 10 µm. WHO advises at most 45 µg/m³ as mean of a day.", _LASER_EN),
        "co2": Words("Carbon dioxide", "Outdoors about 420 to 450 ppm.", "Photoacoustic sensor."),
        "laeq": Words("Sound level", "Mean level. 40 dB: quiet. 60 dB: talk. 70 dB: a street.", _SOUND_EN),
        "footfall_in": Words("People in", "Passages in one direction. We do not show small numbers.", _COUNT_EN),
        "footfall_out": Words("People out", "Passages the other way. We do not show small numbers.", _COUNT_EN),
        "temperature": Words("Air temperature", "Temperature of the air at the site.", _AIR_EN),
        "relative_humidity": Words("Humidity", "Relative humidity of the air.", _AIR_EN),
    },
}  # fmt: skip

UNITS = {"ug/m3": "µg/m³", "Cel": "°C", "[ppm]": "ppm", "{count}": "", "hPa": "hPa", "dB": "dB", "%": "%", "1": ""}

LASTING = {"de": ("{} Min.", "1 Stunde", "1 Tag"), "en": ("{} min", "1 hour", "1 day")}

TEXTS = {
    "de": {
        "title": "Stadtsensoren",
        "intro": "Luft, Lärm und Passanten, gemessen von Sensoren der Stadt.",
        "map": "Lage der Messstellen",
        "north": "N",
        "none": "Noch keine Messwerte.",
        "missing": "kein Wert",
        "until": "bis",
        "curve": "letzte 3 Tage",
        "from_to": "von {low} bis {high}",
        "how": "Was ist das, und wie wird gemessen?",
        "data": "Offene Daten",
        "download": "Letzte 7 Tage als CSV",
        "download_parquet": "als Parquet",
        "api": "Alle Werte: SensorThings-Schnittstelle",
        "licence": "Lizenz",
        "privacy": "Wir zeigen nur Mittelwerte und Summen über mindestens {minutes} Minuten, und keine Zählung unter"
        " {least}. Diese Seite setzt keine Cookies und lädt nichts von anderen.",
        "privacy_all": "Diese Sensoren sind simuliert. Diese Seite setzt keine Cookies und lädt nichts von anderen.",
        "other": "English",
    },
    "en": {
        "title": "City sensors",
        "intro": "Air, noise and passers-by, measured by the city's sensors.",
        "map": "Where the sensors are",
        "north": "N",
        "none": "No values yet.",
        "missing": "no value",
        "until": "until",
        "curve": "last 3 days",
        "from_to": "from {low} to {high}",
        "how": "What is it, and how is it measured?",
        "data": "Open data",
        "download": "Last 7 days as CSV",
        "download_parquet": "as Parquet",
        "api": "All values: SensorThings API",
        "licence": "Licence",
        "privacy": "We show means and sums over at least {minutes} minutes only, and no count below {least}. This page"
        " sets no cookies and loads nothing from others.",
        "privacy_all": "These sensors are simulated. This page sets no cookies and loads nothing from others.",
        "other": "Deutsch",
    },
}


def language(asked: str | None, accepted: str) -> str:
    """Return the language that was asked for, else the first that a browser accepts, else German.

    >>> language(None, "fr, en;q=0.8, de;q=0.5")
    'en'
    """
    if asked in LANGUAGES:
        return asked
    preferred = [part.split(";")[0].strip()[:2].lower() for part in accepted.split(",")]
    return next((name for name in preferred if name in LANGUAGES), LANGUAGES[0])


def lasting(minutes: int, tongue: str) -> str:
    """Return over how long a value was made, as people say it.

    >>> lasting(15, "de"), lasting(60, "de"), lasting(1440, "en")
    ('15 Min.', '1 Stunde', '1 day')
    """
    few, hour, day = LASTING[tongue]
    return {60: hour, 1440: day}.get(minutes, few.format(minutes))


def number(value: float, unit: str, tongue: str) -> str:
    """Return a value with its unit as people write it.

    >>> number(8.31, "ug/m3", "de"), number(47.0, "{count}", "en")
    ('8,3 µg/m³', '47')
    """
    text = f"{value:.0f}" if unit in ("{count}", "[ppm]", "1") else f"{value:.1f}"
    return f"{text.replace('.', ',') if tongue == 'de' else text} {UNITS.get(unit, unit)}".strip()
