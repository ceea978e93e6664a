"""libmetering for Python: rate limits, usage, entitlements and invoices in the
process of the application. docs/python.md tells the whole story."""
import os as _os

from . import _native
from ._native import (Admission, Clock, Decision, Gateway, Policy, Prepared,
                      Recorder, WindowState, guard_faults, version)
from .errors import (BugError, BusyError, ClosedError, ConflictError,
                     CorruptError, DecimalOverflowError, DiskFullError,
                     ExistsError, ForeignError, ForkedError, InvalidError,
                     LayoutError, LimitError, MapFullError, MeteringError,
                     NotFoundError, OutOfMemoryError, StorageError,
                     TableFullError, TallyFullError, UnsupportedError)
from .limiter import (TICKET_SIZE, Algorithm, Headers, Limiter, Reason, Window,
                      address_key, limiter_key)
from .rating import (Price, check_price, rate, render_invoice,
                     simulate_entitlement)
from .store import Failure, Store, metrics, open
from .usage import Cursor, Ingest, UsageRow, UsageRows
from .values import datetime_of

# What was opened before a fork answers ForkedError in the child.
_os.register_at_fork(after_in_child=_native._forked)

__version__ = version()
__all__ = [
    "Admission", "Algorithm", "BugError", "BusyError", "Clock", "ClosedError",
    "ConflictError", "CorruptError", "Cursor", "DecimalOverflowError",
    "Decision", "DiskFullError", "ExistsError", "Failure", "ForeignError",
    "ForkedError", "Gateway", "Headers", "Ingest", "InvalidError",
    "LayoutError", "LimitError", "Limiter", "MapFullError", "MeteringError",
    "NotFoundError", "OutOfMemoryError", "Policy", "Prepared", "Price",
    "Reason", "Recorder", "StorageError", "Store", "TICKET_SIZE",
    "TableFullError", "TallyFullError", "UnsupportedError", "UsageRow",
    "UsageRows", "Window", "WindowState", "address_key", "check_price",
    "datetime_of", "guard_faults", "limiter_key", "metrics", "open", "rate",
    "render_invoice", "simulate_entitlement", "version"]
