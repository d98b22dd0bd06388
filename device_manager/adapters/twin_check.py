"""Reading the running open interfaces with somebody else's client: frost-sta-client from PyPI, unmodified."""

from collections.abc import Callable
from typing import Any, NamedTuple

from device_manager.errors import SetupError


class Checked(NamedTuple):
    """What was tried, whether it went well, and what came."""

    what: str
    ok: bool
    got: str


def check(url: str, token: str | None) -> list[Checked]:
    """Read Things, Datastreams and Observations at `url`; SetupError where the client is not installed."""
    try:
        import frost_sta_client as fsc
    except ImportError as error:
        todo = "pip install frost-sta-client"
        raise SetupError(expected="frost-sta-client, with which the service is read", got="none", todo=todo) from error
    auth = fsc.AuthHandler("token", token) if token else None
    service = fsc.SensorThingsService(url, auth_handler=auth) if auth else fsc.SensorThingsService(url)

    def listed(name: str, query: Any) -> int:
        return sum(1 for _ in query.top(100).list())

    def newest() -> str:
        query = service.datastreams().query().top(20).expand("Observations($top=1;$orderby=phenomenonTime desc)")
        results = [o.result for d in query.list() for o in (d.observations or [])]
        return f"{len(results)} newest results"

    tries: list[tuple[str, Callable[[], object]]] = [
        (f"every page of {name}", lambda name=name: listed(name, getattr(service, name)().query()))  # type: ignore[misc]
        for name in ("things", "locations", "datastreams", "sensors", "observed_properties")
    ]
    tries.append(("the newest observation of Datastreams", newest))
    return [_tried(what, do) for what, do in tries]


def _tried(what: str, do: Callable[[], object]) -> Checked:
    try:
        return Checked(what, True, str(do()))
    except Exception as error:  # whatever the client makes of an answer is a finding, not our failure
        return Checked(what, False, f"{type(error).__name__}: {error}")
