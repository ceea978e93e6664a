"""Applications that the servers of the tests run."""
import os

from metering.asgi import Metering as AsgiMetering
from metering.wsgi import Metering as WsgiMetering

STORE = os.environ.get("STORE", "")


def hello(environ, start_response):
    """Answers with the consumer; /anything/stream in pieces, /anything/fail
    not at all."""
    path = environ["PATH_INFO"]
    body = environ["metering.admission"].consumer.encode()
    if path.endswith("/fail"):
        raise RuntimeError("on purpose")
    if path.endswith("/stream"):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return iter([body] * 3)
    if path.endswith("/environ"):
        body = repr({name: environ.get(name) for name in (
            "HTTP_APIKEY", "HTTP_X_CONSUMER_USERNAME",
            "QUERY_STRING")}).encode()
    start_response("200 OK", [("Content-Length", str(len(body))),
                              ("X-Process", str(os.getpid()))])
    return [body]


async def ahello(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if scope["path"].endswith("/fail"):
        raise RuntimeError("on purpose")
    body = scope["metering.admission"].consumer.encode()
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-type", b"text/plain")]})
    for _ in range(3 if scope["path"].endswith("/stream") else 1):
        await send({"type": "http.response.body", "body": body,
                    "more_body": True})
    await send({"type": "http.response.body", "body": b""})


wsgi = WsgiMetering(hello, STORE, interval=0.2) if STORE else None
asgi = AsgiMetering(ahello, STORE, interval=0.2) if STORE else None
