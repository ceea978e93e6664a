"""What can go wrong. Every exception of the library is a MeteringError with
the error's number and name, and where there is one the field and the reason.
A denied request is data, never an exception."""
from __future__ import annotations


class MeteringError(Exception):
    """Any error of the library.

    code    the number, which never changes (metering/error.h); 0 when the
            binding refused the call itself
    name    "MET_E_INVALID"
    field   the path of what is wrong, "plans[0].phases[1].key", or ""
    reason  what is wrong with it, or ""
    """

    code: int = 0
    name: str = ""
    field: str = ""
    reason: str = ""


class InvalidError(MeteringError, ValueError):
    """An argument or a document is not valid."""


class OutOfMemoryError(MeteringError, MemoryError):
    """There is no memory; nothing has changed."""


class DecimalOverflowError(MeteringError, OverflowError):
    """A number needs more digits than are kept."""


class NotFoundError(MeteringError, LookupError):
    """There is no such object."""


class ExistsError(MeteringError):
    """The object exists already."""


class ConflictError(MeteringError):
    """The object is in use or in another state."""


class UnsupportedError(MeteringError):
    """Not served by this version."""


class ForkedError(MeteringError):
    """The handle was opened before a fork: open one in this process."""


class LimitError(MeteringError, ValueError):
    """A documented bound is exceeded."""


class BusyError(MeteringError):
    """Somebody else holds what is needed."""


class StorageError(MeteringError, OSError):
    """A file operation failed: what was to be stored may be stored."""


class DiskFullError(StorageError):
    """No space is left on the disk."""


class MapFullError(StorageError):
    """The store's address space is used up."""


class ForeignError(MeteringError):
    """The file belongs to another store or program."""


class LayoutError(MeteringError):
    """The file has another layout or version."""


class TableFullError(MeteringError):
    """The limiter's table is full."""


class TallyFullError(MeteringError):
    """Unsettled usage fills the recorder: settle."""


class CorruptError(MeteringError):
    """Stored data is damaged."""


class BugError(MeteringError):
    """An internal check failed: the handle may only be closed."""


class ClosedError(MeteringError, ValueError):
    """The handle is closed."""


CLASSES: dict[str, type[MeteringError]] = {
    "MET_E_INVALID": InvalidError,
    "MET_E_NO_MEMORY": OutOfMemoryError,
    "MET_E_OVERFLOW": DecimalOverflowError,
    "MET_E_NOT_FOUND": NotFoundError,
    "MET_E_EXISTS": ExistsError,
    "MET_E_CONFLICT": ConflictError,
    "MET_E_UNSUPPORTED": UnsupportedError,
    "MET_E_FORKED": ForkedError,
    "MET_E_LIMIT": LimitError,
    "MET_E_BUSY": BusyError,
    "MET_E_IO": StorageError,
    "MET_E_DISK_FULL": DiskFullError,
    "MET_E_MAP_FULL": MapFullError,
    "MET_E_FOREIGN": ForeignError,
    "MET_E_LAYOUT": LayoutError,
    "MET_E_TABLE_FULL": TableFullError,
    "MET_E_TALLY_FULL": TallyFullError,
    "MET_E_CORRUPT": CorruptError,
    "MET_E_BUG": BugError,
}


def invalid(field: str, reason: str) -> InvalidError:
    """What the binding refuses by itself."""
    made = InvalidError(f"{field}: {reason}")
    made.field = field
    made.reason = reason
    return made


def error_of(code: int, name: str, message: str, field: bytes,
             reason: bytes) -> MeteringError:
    """The exception of an error of the library; texts may be cut anywhere."""
    where = field.decode("utf-8", "replace")
    why = reason.decode("utf-8", "replace")
    kind: type[MeteringError] = CLASSES.get(name, MeteringError)
    if code == 0:
        kind = ClosedError
    text = why or message
    made = kind(f"{where}: {text}" if where else text)
    made.code = code
    made.name = name if code else ""
    made.field = where
    made.reason = why
    return made
