"""The header of a GGUF file: what a model says of itself, read without an engine.

Why: llama.cpp answers "Failed to init server" to a picture renamed to .gguf, and whether two runs can be equal
depends on how the weights are stored (see embedded.py). Both must be known before anything is loaded.

1. Magic ``GGUF``, version, number of tensors, number of metadata entries.
2. Metadata: key, type, value. Arrays (the vocabulary) are stepped over.
3. Tensors: name, shape, type, offset. Only the types of those with more than one dimension are kept.

A file is somebody else's: every read stays inside the file, every count inside sane bounds.
Reference: ggml's docs/gguf.md, versions 2 and 3, little-endian.
"""

from __future__ import annotations

import hashlib
import mmap
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from branchwise.orchestrator.core.errors import ConfigError

MAGIC = b"GGUF"
VERSIONS = (2, 3)
_STRING, _ARRAY = 8, 9
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_MOST_ENTRIES = 1_000_000
_MOST_DEPTH = 4
_VECTOR = -1

Value = int | float | bool | str


@dataclass(frozen=True, slots=True)
class Header:
    """What a GGUF file says of itself; ``matrix_types`` are ggml's numbers of the ways weights are stored."""

    metadata: dict[str, Value]
    matrix_types: frozenset[int]

    def text(self, key: str) -> str:
        """A metadata entry as text, empty if there is none."""
        return str(self.metadata.get(key, ""))

    @property
    def context_tokens(self) -> int:
        """The context that the model was trained for; 0 if it doesn't say."""
        value = self.metadata.get(f"{self.text('general.architecture')}.context_length", 0)
        return int(value)


def read_header(path: Path) -> Header:
    """The header of a file; ConfigError if it isn't a whole GGUF header."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if data[:4] != MAGIC:
                raise ConfigError(f"{path} is not a GGUF file: it begins with {data[:4]!r}")
            return _Reader(data).header()
    except (struct.error, IndexError, UnicodeDecodeError, OverflowError) as error:
        raise ConfigError(f"{path} is damaged: its GGUF header can't be read ({error})") from error
    except ValueError as error:  # an empty file can't be mapped; a ConfigError is a ValueError too
        if isinstance(error, ConfigError):
            raise ConfigError(str(error) if str(path) in str(error) else f"{path}: {error}") from error
        raise ConfigError(f"{path} is not a GGUF file: it is empty") from error
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror or error}") from error


class _Reader:
    """A place in the file that moves on."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 4

    def header(self) -> Header:
        version = self._number("I")
        if version not in VERSIONS:
            raise ConfigError(f"GGUF version {version} is not supported, only {VERSIONS}")
        tensors, entries = self._count(), self._count()
        metadata: dict[str, Value] = {}
        for _ in range(entries):
            key = self._string()
            value = self._value(self._number("I"), 0)
            if value is not None:
                metadata[key] = value
        return Header(metadata, frozenset(self._matrix_type() for _ in range(tensors)) - {_VECTOR})

    def _number(self, letter: str) -> int:
        (value,) = struct.unpack_from("<" + letter, self._data, self._at)
        self._at += struct.calcsize("<" + letter)
        return value  # type: ignore[no-any-return]

    def _count(self) -> int:
        count = self._number("Q")
        if count > _MOST_ENTRIES:
            raise ConfigError(f"the GGUF header is damaged: it announces {count} entries")
        return count

    def _skip(self, size: int) -> int:
        start, self._at = self._at, self._at + size
        if self._at > len(self._data):
            raise ConfigError("the GGUF header is damaged: it ends too early")
        return start

    def _string(self) -> str:
        size = self._number("Q")
        start = self._skip(size)
        return self._data[start : self._at].decode("utf-8", "replace")

    def _value(self, kind: int, depth: int) -> Value | None:
        """A value, or None for an array, which is stepped over."""
        if kind == _STRING:
            return self._string()
        if kind in _SCALARS:
            return self._number(_SCALARS[kind])
        if kind != _ARRAY or depth > _MOST_DEPTH:
            raise ConfigError(f"the GGUF header is damaged: unknown type {kind}")
        inner, count = self._number("I"), self._count()
        if inner in _SCALARS:
            self._skip(count * struct.calcsize("<" + _SCALARS[inner]))
        else:
            for _ in range(count):
                self._skip(self._number("Q")) if inner == _STRING else self._value(inner, depth + 1)
        return None

    def _matrix_type(self) -> int:
        """The type of the next tensor, if it is a matrix."""
        self._string()
        dimensions = self._number("I")
        self._skip(8 * dimensions)
        kind = self._number("I")
        self._skip(8)
        return kind if dimensions > 1 else _VECTOR


def weights_hash(path: Path) -> str:
    """A hash of the whole file; worked out once for a path, size and time of change."""
    status = path.stat()
    return _weights_hash(path.resolve(), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=64)
def _weights_hash(path: Path, size_bytes: int, changed_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
