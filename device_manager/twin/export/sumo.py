"""Counts of people as SUMO edgeData, to calibrate a simulation of pedestrians with.

An interval for each count, in seconds since the export's begin; `entered` is who went in over the edge that stands for
the site, `left` who went out (SUMO, `edgeData` of meandata output, which `routeSampler.py` takes as counts). A count
that is missing or was kept back is left out: no number is better than a wrong one.
"""

import xml.etree.ElementTree as ET
from collections.abc import Mapping

import numpy as np

from device_manager.twin.catalogue import Catalogue
from device_manager.twin.observations import Rows

_ATTRIBUTES = {"footfall_in": "entered", "footfall_out": "left"}


def edge_data(catalogue: Catalogue, rows: Rows, edges: Mapping[int, str], since_s: int) -> str:
    """Return edgeData; `edges` are SUMO's edge ids by site."""
    counts: dict[tuple[int, int], dict[str, dict[str, int]]] = {}
    for at in np.flatnonzero(~np.isnan(rows.value)).tolist():
        stream = catalogue.streams[int(rows.stream[at])]
        if stream.quantity in _ATTRIBUTES and stream.site_id in edges:
            interval = counts.setdefault((int(rows.start_s[at]), int(rows.end_s[at])), {})
            edge = interval.setdefault(edges[stream.site_id], {})
            edge[_ATTRIBUTES[stream.quantity]] = edge.get(_ATTRIBUTES[stream.quantity], 0) + int(rows.value[at])
    data = ET.Element("data")
    for (start_s, end_s), found in sorted(counts.items()):
        times = {"id": "citynode", "begin": str(start_s - since_s), "end": str(end_s - since_s)}
        interval_element = ET.SubElement(data, "interval", times)
        for edge_id, attributes in sorted(found.items()):
            said = {name: str(count) for name, count in sorted(attributes.items())}
            ET.SubElement(interval_element, "edge", {"id": edge_id, **said})
    ET.indent(data)
    return ET.tostring(data, "unicode", xml_declaration=True) + "\n"
