"""Real places in Kempten (Allgäu) for the demo's sites.

The names are real (ZUM is the central bus station, Zentrale Umsteigestelle). The positions are approximate (about
100 m, set by hand, WGS 84): nothing hangs there.
"""

from typing import NamedTuple


class Place(NamedTuple):
    """A public place; `name` is the site's name in lists and files, position in degrees."""

    name: str
    title: str
    latitude: float
    longitude: float


PLACES = (
    Place("residenzplatz", "Residenzplatz", 47.7283, 10.3136),
    Place("hildegardplatz", "Hildegardplatz", 47.7287, 10.3122),
    Place("hofgarten", "Hofgarten", 47.7298, 10.3133),
    Place("rathausplatz", "Rathausplatz", 47.7259, 10.3177),
    Place("st-mang-platz", "St.-Mang-Platz", 47.7249, 10.3185),
    Place("gerberstrasse", "Gerberstraße", 47.7266, 10.3166),
    Place("stadtpark", "Stadtpark", 47.7257, 10.3127),
    Place("koenigsplatz", "Königsplatz", 47.7247, 10.3121),
    Place("zum", "ZUM", 47.7241, 10.3134),
    Place("forum-allgaeu", "Forum Allgäu", 47.7222, 10.3137),
    Place("hauptbahnhof", "Hauptbahnhof", 47.7128, 10.3167),
    Place("bigbox", "bigBOX Allgäu", 47.7206, 10.3170),
    Place("burghalde", "Burghalde", 47.7232, 10.3197),
    Place("st-mang-bruecke", "St.-Mang-Brücke", 47.7244, 10.3211),
    Place("engelhaldepark", "Engelhaldepark", 47.7322, 10.3238),
    Place("cambodunum", "Archäologischer Park Cambodunum", 47.7261, 10.3256),
)


def choose(count: int) -> list[Place]:
    """Return `count` places; after the last one the list starts again with numbered names."""
    chosen = []
    for index in range(count):
        place, turn = PLACES[index % len(PLACES)], index // len(PLACES) + 1
        if turn > 1:
            place = place._replace(name=f"{place.name}-{turn}", title=f"{place.title} {turn}")
        chosen.append(place)
    return chosen
