"""Exceptions: one for each kind of error of the core, whose message they carry."""

from __future__ import annotations


class Error(Exception):
    """Something went wrong; the message says where, what was found, what was wanted and what to do."""


class InvalidArgumentError(Error, ValueError):
    """The caller's values are wrong: a shape, an element type, an option."""


class InvalidModelError(Error, ValueError):
    """The ONNX file breaks the specification."""


class UnsupportedError(Error, NotImplementedError):
    """The model or the call is fine, Tenon lacks something."""


class BadEngineError(Error, ValueError):
    """The engine is damaged or of another version."""


class NotFoundError(Error, LookupError):
    """There is no such file, tensor, weight, target or device."""


class FileError(Error, OSError):
    """Reading or writing failed."""


class OutOfMemoryError(Error, MemoryError):
    """There is not enough memory."""


class CancelledError(Error):
    """The progress function ended the build."""


class InternalError(Error):
    """A defect of Tenon."""


# Numbered as tenon_status of c.h numbers them.
_TYPES: tuple[type[Error], ...] = (
    Error,
    InvalidArgumentError,
    InvalidModelError,
    UnsupportedError,
    BadEngineError,
    NotFoundError,
    FileError,
    OutOfMemoryError,
    CancelledError,
    InternalError,
)


def error_type(status: int) -> type[Error]:
    """The exception of a status of the core."""
    return _TYPES[status] if 0 < status < len(_TYPES) else Error
