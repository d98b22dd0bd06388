"""The service root: the eight collections, and what of the standard is true here (OGC 18-088, clause 2).

Left out because it is not there: creating, updating and deleting, batches, MultiDatastreams, tasking, MQTT create.
"""

from typing import Any

from device_manager.twin.model import KINDS

_REQ = "http://www.opengis.net/spec/iot_sensing/1.1/req/"
CONFORMANCE = (
    _REQ + "datamodel",
    *(
        f"{_REQ}datamodel/{name}"
        for name in (
            "thing",
            "location",
            "historical-location",
            "datastream",
            "sensor",
            "observed-property",
            "observation",
            "feature-of-interest",
        )
    ),
    _REQ + "resource-path/resource-path-to-entities",
    _REQ + "request-data",
    _REQ + "data-array/data-array",
    "https://fraunhoferiosb.github.io/FROST-Server/extensions/GeoJSON-ResultFormat.html",
)


def root(base: str) -> dict[str, Any]:
    """Return the service root at `base`, as `http://host/v1.1`."""
    return {
        "value": [{"name": kind.collection, "url": f"{base}/{kind.collection}"} for kind in KINDS],
        "serverSettings": {"conformance": list(CONFORMANCE)},
    }
