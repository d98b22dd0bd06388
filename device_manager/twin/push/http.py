"""One HTTP exchange as a port, so that pushes are tested without a network, and what can go wrong."""

from typing import Any, NamedTuple, Protocol

from device_manager.errors import CitynodeError


class PushError(CitynodeError):
    """The other side did not do what was asked; nothing was counted as done."""

    exit_code = 1


class Reply(NamedTuple):
    """What came back: status, parsed JSON (None without), and the Location header ("" without)."""

    status: int
    body: Any
    location: str = ""


class NoAnswer(Exception):
    """No answer in time, or a broken connection: whether it was done is not known."""


class Exchange(Protocol):
    """Sends a request below the other side's base address."""

    def __call__(self, method: str, path: str, body: Any = None) -> Reply:
        """Return the reply; NoAnswer when there is none."""
        ...


def failed(what: str, reply: Reply) -> PushError:
    """Return the error for a reply that refuses."""
    return PushError(expected=f"the server to take {what}", got=f"{reply.status} {str(reply.body)[:200]}",
                     todo="read its log; the next push goes on from here")  # fmt: skip
