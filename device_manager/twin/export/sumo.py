"""Counts of people for SUMO, to calibrate a simulation of pedestrians with: as edgeData, or as detector counts.

A gate of a site stands on an edge of the network: one for each direction (`Edges("in", "out")`, the edges on which
people walk so), or one for both when their edges are the same. `entered` is who passed it (`edgeData` of meandata
output, which `routeSampler.py` takes). As detectors gates are in a file of definitions and one of counts, which
`edgeDataFromFlow.py` and `flowrouter.py` take: `Detector;Time;qPKW`, the time in minutes. Times count from the export's
begin. A count that is missing or was kept back is left out, and so is a sum that misses one direction: no number is
better than a wrong one.
"""

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from device_manager.twin.catalogue import Catalogue
from device_manager.twin.observations import Rows

COUNTS = ("footfall_in", "footfall_out")


class Edges(NamedTuple):
    """Ids of the edges that people walk on inwards and outwards at a site."""

    inwards: str
    outwards: str


class Gate(NamedTuple):
    """A place in the network where people are counted: the sum of the site's `quantities`."""

    name: str
    edge: str
    site_id: int
    quantities: tuple[str, ...]


class Passed(NamedTuple):
    """How many passed a gate in [start_s, end_s)."""

    start_s: int
    end_s: int
    gate: Gate
    people: int


def gates(catalogue: Catalogue, edges: Mapping[int, Edges]) -> list[Gate]:
    """Return the gates of sites, by site."""
    found = []
    for site_id, (inwards, outwards) in sorted(edges.items()):
        name = str(catalogue.entities["Thing"][site_id]["properties"]["site"])
        if inwards == outwards:
            found.append(Gate(name, inwards, site_id, COUNTS))
        else:
            found.append(Gate(f"{name}_in", inwards, site_id, COUNTS[:1]))
            found.append(Gate(f"{name}_out", outwards, site_id, COUNTS[1:]))
    return found


def passed(catalogue: Catalogue, rows: Rows, at: Sequence[Gate]) -> list[Passed]:
    """Return the counts at gates by time; `rows` are of one aggregate."""
    known: dict[tuple[int, int], dict[tuple[int, str], int]] = {}
    for row in np.flatnonzero(~np.isnan(rows.value)).tolist():
        stream = catalogue.streams[int(rows.stream[row])]
        interval = known.setdefault((int(rows.start_s[row]), int(rows.end_s[row])), {})
        interval[stream.site_id, stream.quantity] = int(rows.value[row])
    found = []
    for (start_s, end_s), counts in sorted(known.items()):
        for gate in at:
            parts = [counts.get((gate.site_id, quantity)) for quantity in gate.quantities]
            present = [part for part in parts if part is not None]
            if len(present) == len(parts):
                found.append(Passed(start_s, end_s, gate, sum(present)))
    return found


def edge_data(found: Sequence[Passed], since_s: int) -> str:
    """Return counts as edgeData."""
    data = ET.Element("data")
    intervals: dict[tuple[int, int], ET.Element] = {}
    for start_s, end_s, gate, people in found:
        if (start_s, end_s) not in intervals:
            times = {"id": "citynode", "begin": str(start_s - since_s), "end": str(end_s - since_s)}
            intervals[start_s, end_s] = ET.SubElement(data, "interval", times)
        ET.SubElement(intervals[start_s, end_s], "edge", {"id": gate.edge, "entered": str(people)})
    return _xml(data)


def detectors(at: Sequence[Gate]) -> str:
    """Return the definitions of gates as detectors, on lane 0 of their edges, which is the sidewalk's."""
    made = ET.Element("detectors")
    for gate in at:
        ET.SubElement(made, "detectorDefinition", {"id": gate.name, "lane": f"{gate.edge}_0", "pos": "0"})
    return _xml(made)


def detector_counts(found: Sequence[Passed], since_s: int) -> str:
    """Return counts as a line each."""
    lines = (f"{one.gate.name};{(one.start_s - since_s) // 60};{one.people}\n" for one in found)
    return "Detector;Time;qPKW\n" + "".join(lines)


def _xml(element: ET.Element) -> str:
    ET.indent(element)
    return ET.tostring(element, "unicode", xml_declaration=True) + "\n"
