"""German and English. English sentences stand in templates and pages; `german.toml` has each of them in German.

Sentences that other rooms make with figures, errors among them, are known by their form: `german_sentences.toml` and
`german_errors.toml`.

>>> Words("de")("{count} nodes", count=3), Words("de").sentence("heard 4 s ago")
('3 Knoten', 'vor 4 s gehört')
"""

import re
import tomllib
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from firmware.wire.quantities import QUANTITIES

_ENGLISH = {
    "span 6h": "6 hours",
    "span 24h": "24 hours",
    "span 7d": "7 days",
    "span 30d": "30 days",
    "waiting_for_approval": "waiting for approval",
    "rolled_back": "rolled back",
    "timed_out": "timed out",
    "gate good": "Nothing is worse",
    "gate bad": "Surely worse",
    "gate unknown": "Too early to say",
    "of 100": "of 100 points",
}
LANGUAGES = ("de", "en")
ZONE = ZoneInfo("Europe/Berlin")
_UNITS = {"ug/m3": "µg/m³", "Cel": "°C", "[ppm]": "ppm", "{count}": "", "1": ""}  # UCUM code -> as people write it


@cache
def german() -> dict[str, str]:
    """Return the German of every English text."""
    found: dict[str, str] = tomllib.loads((Path(__file__).parent / "german.toml").read_text("utf-8"))
    return found


@cache
def german_sentences() -> list[tuple[re.Pattern[str], str]]:
    """Return (form of an English sentence, its German with the same pieces), in the order of the files."""
    found: dict[str, str] = {}
    for name in ("german_sentences.toml", "german_errors.toml"):
        found |= tomllib.loads((Path(__file__).parent / name).read_text("utf-8"))
    return [(re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+?)", re.escape(english))), said)
            for english, said in found.items()]  # fmt: skip


def choose(header: str, asked: str = "") -> str:
    """Return the language: the one asked for, else the browser's favourite of ours (RFC 9110, 12.5.4), else English."""
    if asked in LANGUAGES:
        return asked
    ranked = []
    for place, part in enumerate(header.lower().split(",")[:20]):
        tag, _, quality = part.strip().partition(";q=")
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            continue
        ranked.append((-weight, place, tag.split("-")[0]))
    return next((tag for weight, _, tag in sorted(ranked) if tag in LANGUAGES and weight < 0), "en")


class Words:
    """Texts, numbers and times of one language."""

    def __init__(self, language: str) -> None:
        self.language = language

    def __call__(self, text: str, **values: object) -> str:
        """Return a text in this language with its values."""
        said = german().get(text, text) if self.language == "de" else _ENGLISH.get(text, text)
        return said.format(**values) if values else said

    def sentence(self, text: str) -> str:
        """Return a sentence that another room made, in this language where its form is known, else as it is."""
        if self.language != "de" or text in german():
            return self(text)
        for form, said in german_sentences():
            if found := form.fullmatch(text):
                return said.format(**{name: self.sentence(piece) for name, piece in found.groupdict().items()})
        return text

    def reading(self, value: float | None, quantity: str) -> str:
        """Return a value with as many digits as its quantity has (`hardware/quantities.toml`)."""
        denominator = int(str(QUANTITIES[quantity][1])) if quantity in QUANTITIES else 1
        return self.number(value, len(str(denominator)) - 1, whole=False)

    def number(self, value: float | None, digits: int = 1, *, whole: bool = True) -> str:
        """Return a number as this language writes it; None is a dash; `whole` ones have no digits behind the point."""
        if value is None:
            return "–"
        text = f"{value:,.{digits}f}" if value % 1 or not whole else f"{value:,.0f}"
        return text.translate(str.maketrans(",.", ".,")) if self.language == "de" else text

    def unit(self, ucum: str) -> str:
        """Return a unit as people write it."""
        return _UNITS.get(ucum, ucum)

    def time(self, time_s: float | None) -> str:
        """Return a Unix time as local date and time."""
        if time_s is None:
            return "–"
        form = "%d.%m.%Y %H:%M" if self.language == "de" else "%Y-%m-%d %H:%M"
        return datetime.fromtimestamp(time_s, ZONE).strftime(form)

    def tick(self, time_s: int, span_s: int) -> str:
        """Return a label for a time axis: the day where it begins or on long axes, else the time of day."""
        at = datetime.fromtimestamp(time_s, ZONE)
        if span_s > 3 * 86_400 or (at.hour, at.minute) == (0, 0):
            return at.strftime("%d.%m." if self.language == "de" else "%b %d")
        return at.strftime("%H:%M")

    def age(self, seconds: int | None) -> str:
        """Return how long ago something was, in the largest unit that keeps it short."""
        if seconds is None:
            return "–"
        for limit, size, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
            if seconds < limit:
                return self("{n} " + unit + " ago", n=seconds // size)
        return self("{n} days ago", n=seconds // 86_400)


def offset_s(time_s: float) -> int:
    """Return how far local time is ahead of UTC at that moment."""
    return int((datetime.fromtimestamp(time_s, UTC).astimezone(ZONE).utcoffset() or timedelta()).total_seconds())
