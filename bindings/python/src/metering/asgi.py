"""ASGI: every request and every web socket is decided by the gateway before
the application sees it, and counted when it is answered. No call waits: what
could, the housekeeping thread does."""
from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ._native import Admission
from .answer import Answer, counted_length, normalised, refusal_headers
from .settler import Host
from .store import Path

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def remote_address(scope: Scope) -> str:
    """The peer's. Behind a proxy that is trusted, give another function."""
    client = scope.get("client")
    return str(client[0]) if client else ""


class Metering:
    """Wraps an application:  app = Metering(app, "store").

    `scope["metering.admission"]` tells the application who asks
    (`.consumer`). The arguments are those of metering.wsgi.Metering, with the
    scope in place of the environ."""

    def __init__(self, app: Application, path: Path, *,
                 client_ip: Callable[[Scope], str] = remote_address,
                 attributes: Callable[[Scope], dict[str, str]] | None = None,
                 more: Callable[[Scope], dict[str, Any]] | None = None,
                 settle: bool = True, interval: float = 1.0,
                 **options: Any) -> None:
        self.app = app
        self.client_ip = client_ip
        self.attributes = attributes
        self.more = more
        self.host = Host(path, settle, interval, **options)

    def close(self) -> None:
        self.host.close()

    async def __call__(self, scope: Scope, receive: Receive,
                       send: Send) -> None:
        if scope["type"] == "lifespan":
            self.host.gateway()
            await self.app(scope, receive, send)
            return
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        admission = self.admit(scope)
        if not admission:
            await refuse(scope, receive, send, admission)
            return
        answer = Answer(admission, request_size(scope))
        try:
            await self.app(upstream(scope, admission), receive,
                           sender(answer, send))
        finally:
            answer.end()

    def admit(self, scope: Scope) -> Admission:
        headers = scope["headers"]
        host = agent = b""
        for name, value in headers:
            if name == b"host":
                host = value
            elif name == b"user-agent":
                agent = value
        return self.host.gateway().admit(
            scope.get("method", "GET"), normalised(scope["path"] or "/"),
            headers if isinstance(headers, list) else list(headers),
            self.client_ip(scope), host=host,
            query=scope.get("query_string", b""), user_agent=agent,
            attributes=self.attributes(scope) if self.attributes else None,
            **(self.more(scope) if self.more else {}))


def request_size(scope: Scope) -> int:
    return max(0, counted_length(scope["headers"]))


def upstream(scope: Scope, admission: Admission) -> Scope:
    """What the application sees: headers and query as the gateway sends
    them on."""
    dropped = {name.lower() for name in admission.drop_headers}
    kept = [pair for pair in scope["headers"]
            if pair[0].lower() not in dropped]
    kept += [(name.lower(), value)
             for name, value in admission.upstream_headers]
    return {**scope, "headers": kept, "metering.admission": admission,
            "query_string": admission.upstream_query}


def sender(answer: Answer, send: Send) -> Send:
    """Notes the status, adds the headers of the decision, and counts before
    the last of the answer goes out."""
    async def counting(message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            headers = list(message.get("headers", ()))
            answer.begin(message["status"], headers)
            message = {**message, "headers": headers
                       + answer.admission.response_headers}
        elif kind == "http.response.body":
            answer.send(len(message.get("body", b"")))
            if not message.get("more_body", False):
                answer.end()
        elif kind == "websocket.accept":
            answer.begin(101, [])
        elif kind == "websocket.close":
            if answer.status == 500:
                answer.begin(403, [])
            answer.end()
        elif kind == "websocket.send":
            answer.send(len(message.get("bytes") or
                            (message.get("text") or "").encode()))
        await send(message)
    return counting


async def refuse(scope: Scope, receive: Receive, send: Send,
                 admission: Admission) -> None:
    """A web socket that is not accepted is answered 403 by the server."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(name.lower(), value)
               for name, value in refusal_headers(admission)]
    await send({"type": "http.response.start", "status": admission.status,
                "headers": headers})
    await send({"type": "http.response.body", "body": admission.body})
