"""`/metrics` for Prometheus: text format or OpenMetrics, whichever is asked for. To clients on this machine only.

It names nodes and sites, so it is no open interface: Prometheus runs beside the manager or comes through a tunnel.
"""

import time
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from device_manager.fleet_metrics import read_families
from device_manager.monitoring.metrics import Family
from device_manager.settings import Settings

_HERE = ("127.0.0.1", "::1", "localhost")


def routes(settings: Settings) -> list[Route]:
    """Return the route, for whichever application mounts it."""

    def answer(request: Request) -> Response:
        if not _from_here(request):
            return PlainTextResponse("metrics are for clients on this machine; come through a tunnel\n", 403)
        return exposed(lambda: read_families(settings, int(time.time() * 1000)), request.headers.get("accept", ""))

    return [Route("/metrics", answer)]


def _from_here(request: Request) -> bool:
    """True for a program on this machine; not for a page in a browser here (Origin), nor under another name (Host)."""
    near = request.client is not None and request.client.host in _HERE
    return near and "origin" not in request.headers and request.url.hostname in _HERE


def exposed(read: Callable[[], Iterable[Family]], accept: str) -> Response:
    """Return the families in the format that `accept` asks for."""
    registry = CollectorRegistry()
    registry.register(_Collector(read))
    encode, content_type = choose_encoder(accept)
    return Response(encode(registry), media_type=content_type)


class _Collector(Collector):
    def __init__(self, read: Callable[[], Iterable[Family]]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        for family in self._read():
            made = (CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily)(
                family.name, family.help, labels=family.labels
            )
            for labels, value in family.samples:
                made.add_metric(labels, value)
            yield made

    def describe(self) -> list[Metric]:
        return []  # nothing is read before somebody asks
