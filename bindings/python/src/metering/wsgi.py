"""WSGI: every request is decided by the gateway before the application sees
it, and counted when it is answered."""
from __future__ import annotations

import http
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .answer import Answer, Headers, normalised, refusal_headers
from .settler import Host
from .store import Path

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]


def remote_address(environ: Environ) -> str:
    """The peer's. Behind a proxy that is trusted, give another function."""
    return str(environ.get("REMOTE_ADDR", ""))


class Metering:
    """Wraps an application:  app = Metering(app, "store").

    The store is opened by the first request of each process, so that a
    preloaded application may be forked. `environ["metering.admission"]` tells
    the application who asks (`.consumer`). client_ip: environ -> address;
    attributes: environ -> {name: text} of the usage event; more: environ ->
    what else Gateway.admit is told of a request: its key, subject, groups,
    feature, cost; settle: this process settles, too, every `interval` seconds.
    The rest goes to Store.gateway."""

    def __init__(self, app: Application, path: Path, *,
                 client_ip: Callable[[Environ], str] = remote_address,
                 attributes: Callable[[Environ], dict[str, str]] | None = None,
                 more: Callable[[Environ], dict[str, Any]] | None = None,
                 settle: bool = True, interval: float = 1.0,
                 **options: Any) -> None:
        self.app = app
        self.client_ip = client_ip
        self.attributes = attributes
        self.more = more
        self.host = Host(path, settle, interval, **options)

    def close(self) -> None:
        self.host.close()

    def __call__(self, environ: Environ,
                 start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        admission = self.host.gateway().admit(
            environ["REQUEST_METHOD"],
            normalised(path or "/").encode("latin-1"), received(environ),
            self.client_ip(environ), host=environ.get("HTTP_HOST", ""),
            query=environ.get("QUERY_STRING", "").encode("latin-1"),
            user_agent=environ.get("HTTP_USER_AGENT", "").encode("latin-1"),
            attributes=self.attributes(environ) if self.attributes else None,
            **(self.more(environ) if self.more else {}))
        if not admission:
            start_response(status_line(admission.status),
                           as_text(refusal_headers(admission)))
            return [admission.body]
        for name in admission.drop_headers:
            environ.pop(environ_name(name), None)
        for name, value in admission.upstream_headers:
            environ[environ_name(name)] = value.decode("latin-1")
        environ["QUERY_STRING"] = admission.upstream_query.decode("latin-1")
        environ["metering.admission"] = admission
        size = environ.get("CONTENT_LENGTH") or "0"
        answer = Answer(admission, int(size) if size.isdigit() else 0)
        try:
            return Body(self.app(environ, starter(answer, start_response)),
                        answer)
        except BaseException:
            answer.end()
            raise


def status_line(status: int) -> str:
    return f"{status} {http.HTTPStatus(status).phrase}"


def as_text(headers: Headers) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1"))
            for name, value in headers]


def environ_name(name: bytes) -> str:
    return "HTTP_" + name.decode("latin-1").upper().replace("-", "_")


def received(environ: Environ) -> Headers:
    """The request's headers. Servers give values as Latin-1."""
    found = [(name[5:].replace("_", "-").encode("latin-1"),
              value.encode("latin-1"))
             for name, value in environ.items() if name.startswith("HTTP_")]
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            found.append((name.replace("_", "-").encode(),
                          environ[name].encode("latin-1")))
    return found


def starter(answer: Answer,
            start_response: StartResponse) -> StartResponse:
    """Notes the status, and adds the headers of the decision."""
    def start(status: str, headers: list[tuple[str, str]],
              *error: Any) -> Any:
        answer.begin(int(status[:3]), [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in headers])
        write = start_response(status, headers + as_text(
            answer.admission.response_headers), *error)

        def counted(data: bytes) -> None:
            answer.send(len(data))
            write(data)
        return counted
    return start


class Body:
    """The answer, chunk by chunk."""

    def __init__(self, inner: Iterable[bytes], answer: Answer) -> None:
        self.inner = inner
        self.answer = answer
        self.chunks = iter(inner)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            chunk = next(self.chunks)
        except BaseException:  # the end, or the application's failure
            self.answer.end()
            raise
        self.answer.send(len(chunk))
        return chunk

    def close(self) -> None:
        self.answer.end()
        close = getattr(self.inner, "close", None)
        if close is not None:
            close()
