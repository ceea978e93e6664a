"""Settlement in the background: a thread that moves what was counted into the
store, about once a second. `python -m metering.settler STORE` is the same as a
process of its own."""
from __future__ import annotations

import argparse
import atexit
import logging
import os
import signal
import threading
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Any

from . import _native
from .errors import MeteringError, invalid
from .store import Path, Store
from .store import open as open_store

LOG = logging.getLogger("metering")


class Settler:
    """Settles a store every `interval` seconds until it is stopped.

    It opens the store by itself, in the process that starts it. `also` is
    called after each settlement; without `settle` only that. What fails is
    logged, once until it works again, and tried again; nothing that was
    counted is lost by it."""

    def __init__(self, path: Path, interval: float = 1.0,
                 also: Callable[[], object] | None = None,
                 settle: bool = True) -> None:
        if interval <= 0:
            raise invalid("interval", "must be above 0")
        self.path = path
        self.interval = interval
        self.also = also
        self.settle = settle
        self.rounds = 0
        self._failing = ""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> "Settler":
        self._stop.clear()
        self._thread = threading.Thread(target=self.run, daemon=True,
                                        name="metering-settler")
        self._thread.start()
        return self

    def stop(self) -> None:
        """After a last settlement."""
        self.stop_soon()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def stop_soon(self) -> None:
        """Without waiting for it: for a signal handler."""
        self._stop.set()

    def run(self) -> None:
        """The loop itself, for a thread or a process of one's own."""
        store: Store | None = None
        try:
            while True:
                is_last = self._stop.wait(self.interval)
                store = self._step(store)
                if is_last:
                    return
        finally:
            if store is not None:
                store.close()

    def _step(self, store: Store | None) -> Store | None:
        try:
            store = store or open_store(self.path)
            if self.settle:
                store.settle()
            if self.also is not None:
                self.also()
            self.rounds += 1
            self._failing = ""
        except MeteringError as error:
            if self._failing != error.name:
                LOG.error("settlement: %s", error)
            self._failing = error.name
            if store is not None and error.name in ("MET_E_IO",
                                                    "MET_E_CORRUPT"):
                store.close()  # the next step opens it anew
                return None
        return store

    def __enter__(self) -> "Settler":
        return self.start()

    def __exit__(self, kind: type[BaseException] | None,
                 error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.stop()


class Host:
    """The gateway of this process, for the middlewares: opened by whoever asks
    first, and anew in a forked child, with a thread for the housekeeping."""

    def __init__(self, path: Path, settle: bool, interval: float,
                 **options: Any) -> None:
        self.path = path
        self.settle = settle
        self.interval = interval
        self.options = options
        self.forget()
        HOSTS.add(self)

    def forget(self) -> None:
        """In a forked child: what the parent opened is the parent's."""
        self.lock = threading.Lock()
        self.store: Store | None = None
        self.opened: _native.Gateway | None = None
        self.ticker: _native.Gateway | None = None
        self.settler: Settler | None = None

    def gateway(self) -> _native.Gateway:
        return self.opened or self.open()

    def open(self) -> _native.Gateway:
        with self.lock:
            if self.opened is None:
                self.store = open_store(self.path)
                self.ticker = self.store.gateway(**self.options)
                of_requests: dict[str, Any] = {**self.options,
                                               "never_compile": True}
                self.opened = self.store.gateway(**of_requests)
                self.settler = Settler(self.path, self.interval, self.tick,
                                       self.settle).start()
                atexit.register(self.close)
            return self.opened

    def tick(self) -> None:
        """A handle of its own compiles what has changed, so that requests
        never wait for it."""
        if self.ticker is not None and self.opened is not None:
            self.ticker.tick()
            self.opened.tick()

    def close(self) -> None:
        """What was counted stays, settled or not."""
        with self.lock:
            atexit.unregister(self.close)
            if self.settler is not None:
                self.settler.stop()
            for handle in (self.opened, self.ticker, self.store):
                if handle is not None:
                    handle.close()
            self.store = self.opened = self.ticker = self.settler = None


HOSTS: weakref.WeakSet[Host] = weakref.WeakSet()


def forget_all() -> None:
    for host in HOSTS:
        host.forget()


os.register_at_fork(after_in_child=forget_all)


def main() -> None:
    reader = argparse.ArgumentParser(
        prog="python -m metering.settler",
        description="Settle a store until SIGTERM or SIGINT.")
    reader.add_argument("store")
    reader.add_argument("--interval", type=float, default=1.0,
                        help="seconds, 1 when it is missing")
    asked = reader.parse_args()
    logging.basicConfig(level=logging.INFO)
    settler = Settler(asked.store, asked.interval)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: settler.stop_soon())
    settler.run()


if __name__ == "__main__":
    main()
