"""Exchanges of a push over HTTP with httpx."""

from typing import Any

import httpx

from device_manager.twin.push.http import NoAnswer, Reply

TIMEOUT_S = 60.0


class HttpExchange:
    """The `Exchange` port. JSON-LD is announced where the body has a context."""

    def __init__(self, base: str, authorization: str = "", transport: httpx.BaseTransport | None = None) -> None:
        """`base` is the address below which paths are; `transport` for tests."""
        headers = {"Authorization": authorization} if authorization else {}
        self._client = httpx.Client(
            base_url=base.rstrip("/") + "/", headers=headers, timeout=TIMEOUT_S, transport=transport
        )

    def __call__(self, method: str, path: str, body: Any = None) -> Reply:
        """See `Exchange`."""
        linked = isinstance(body, list) and body and isinstance(body[0], dict) and "@context" in body[0]
        headers = {"Content-Type": "application/ld+json" if linked else "application/json"}
        try:
            reply = self._client.request(method, path, json=body, headers=headers)
        except httpx.TransportError as error:  # time-outs are among them
            raise NoAnswer(f"{type(error).__name__} from {self._client.base_url}") from error
        try:
            parsed = reply.json() if reply.content else None
        except ValueError:
            parsed = reply.text
        return Reply(reply.status_code, parsed, reply.headers.get("Location", ""))

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
