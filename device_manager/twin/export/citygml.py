"""Datastreams as CityGML 3.0 Dynamizers: a reference from a city object to where its values are (OGC 20-010, 7.14).

For each Datastream of a site with a `gml:id`: a Dynamizer whose SensorConnection names the service, the Datastream and
the observed property. `attributeRef` points to the city object, as an XPath. Not yet opened in 3DCityDB.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterable

from device_manager.twin.catalogue import Catalogue

CORE, DYN, GML = (
    "http://www.opengis.net/citygml/3.0",
    "http://www.opengis.net/citygml/dynamizer/3.0",
    "http://www.opengis.net/gml/3.2",
)
SENSORTHINGS = "SensorThings"


def dynamizers(catalogue: Catalogue, stream_ids: Iterable[int], base: str) -> str:
    """Return a CityModel with the Dynamizers of Datastreams; `base` is the service, as `http://host/v1.1`."""
    for prefix, space in (("core", CORE), ("dyn", DYN), ("gml", GML)):
        ET.register_namespace(prefix, space)
    model = ET.Element(f"{{{CORE}}}CityModel")
    for stream_id in sorted(stream_ids):
        city_object = catalogue.entities["Datastream"][stream_id]["properties"]["cityObject"]
        if city_object:
            _add(model, catalogue, stream_id, str(city_object), base)
    ET.indent(model)
    return ET.tostring(model, "unicode", xml_declaration=True) + "\n"


def _add(model: ET.Element, catalogue: Catalogue, stream_id: int, city_object: str, base: str) -> None:
    stream, entity = catalogue.streams[stream_id], catalogue.entities["Datastream"][stream_id]
    member = ET.SubElement(model, f"{{{CORE}}}featureMember")
    dynamizer = ET.SubElement(member, f"{{{DYN}}}Dynamizer", {f"{{{GML}}}id": f"citynode_datastream_{stream_id}"})
    reference = f"//*[@gml:id='{city_object}']/{stream.quantity}"
    ET.SubElement(dynamizer, f"{{{DYN}}}attributeRef").text = reference
    holder = ET.SubElement(dynamizer, f"{{{DYN}}}sensorConnection")
    connection = ET.SubElement(holder, f"{{{DYN}}}SensorConnection")
    said = {
        "connectionType": SENSORTHINGS,
        "observationProperty": stream.quantity,
        "uom": entity["unitOfMeasurement"]["symbol"],
        "datastreamID": str(stream_id),
        "baseURL": base,
        "linkToObservation": f"{base}/Datastreams({stream_id})/Observations",
    }
    for name, value in said.items():
        ET.SubElement(connection, f"{{{DYN}}}{name}").text = value
