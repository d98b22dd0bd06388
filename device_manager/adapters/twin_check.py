"""Reading the running open interfaces with somebody else's client: frost-sta-client from PyPI, unmodified."""

import logging
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from device_manager.errors import CitynodeError, SetupError


class Unreachable(CitynodeError):
    """Nobody answers at the address."""

    exit_code = 1


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
    logging.getLogger().addFilter(lambda record: "Query failed" not in record.getMessage())  # it stands in the table

    def listed(name: str) -> int:
        return sum(1 for _ in getattr(service, name)().query().top(100).list())

    def newest() -> str:
        query = service.datastreams().query().top(20).expand("Observations($top=1;$orderby=phenomenonTime desc)")
        found = [datastream.observations for datastream in query.list().entities]  # of the first page
        with_one = sum(1 for observations in found if observations is not None and len(observations.entities) == 1)
        return f"of {with_one} of {len(found)}"

    tries: list[tuple[str, Callable[[], object]]] = [
        (f"every page of {name}", partial(listed, name))
        for name in ("things", "locations", "datastreams", "sensors", "observed_properties")
    ]
    tries.append(("the newest observation of the first Datastreams", newest))
    return [_tried(what, do, url) for what, do in tries]


def _tried(what: str, do: Callable[[], object], url: str) -> Checked:
    try:
        return Checked(what, True, str(do()))
    except OSError as error:  # the client's library, requests: without a response nobody answered
        if getattr(error, "response", None) is not None:
            return _wrong(what, error)
        todo = "start `citynode serve`, or name another address with --url"
        raise Unreachable(expected=f"an answer at {url}", got=type(error).__name__, todo=todo) from error
    except Exception as error:  # whatever the client makes of an answer is a finding, not our failure
        return _wrong(what, error)


def _wrong(what: str, error: Exception) -> Checked:
    return Checked(what, False, f"{type(error).__name__}: {error}")
