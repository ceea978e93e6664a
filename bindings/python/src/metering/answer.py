"""What both middlewares do with a request and its answer."""
from __future__ import annotations

from ._native import Admission
from .errors import MeteringError
from .settler import LOG

Headers = list[tuple[bytes, bytes]]


def normalised(path: str) -> str:
    """Without dot segments and doubled slashes, as routes are matched."""
    if "//" not in path and "/." not in path:
        return path
    kept: list[str] = []
    parts = path.split("/")
    for part in parts:
        if part == "..":
            kept = kept[:-1]
        elif part not in ("", "."):
            kept.append(part)
    is_folder = parts[-1] in ("", ".", "..")
    return "/" + "/".join(kept) + ("/" if is_folder and kept else "")


def counted_length(headers: Headers) -> int:
    """The Content-Length of an answer, or -1."""
    for name, value in headers:
        if name.lower() == b"content-length" and value.isdigit():
            return int(value)
    return -1


class Answer:
    """Counts an admitted request when its answer is about to end: before the
    last byte is handed to the server, so that a killed worker may leave a
    counted and unanswered request, never the other way round."""

    __slots__ = ("admission", "status", "size", "length", "request_size")

    def __init__(self, admission: Admission, request_size: int) -> None:
        self.admission = admission
        self.request_size = request_size
        self.status = 500
        self.size = 0
        self.length = -1

    def begin(self, status: int, headers: Headers) -> None:
        self.status = status
        self.length = counted_length(headers)

    def send(self, size: int) -> None:
        """So many bytes are about to be handed over."""
        self.size += size
        if 0 <= self.length <= self.size:
            self.end()

    def end(self) -> None:
        """Counts it, unless it is counted. Who is answered already cannot be
        told that it failed: the log is."""
        if self.admission.is_completed:
            return
        try:
            self.admission.complete(self.status, upstream_status=self.status,
                                    request_size=self.request_size,
                                    response_size=self.size)
        except MeteringError as error:
            LOG.error("a request is not counted: %s", error)


def refusal_headers(admission: Admission) -> Headers:
    return [(b"Content-Type", b"application/json; charset=utf-8"),
            (b"Content-Length", str(len(admission.body)).encode()),
            *admission.response_headers]
