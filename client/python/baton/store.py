"""What keeps a client's position over a restart of the program."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote


@dataclass(frozen=True)
class Position:
    """Where a client's stream stands: everything up to seq was handled."""

    epoch: str
    seq: int


class Store(Protocol):
    """Keeps a text under a key. Both are called on the event loop, and must be quick."""

    def load(self, key: str) -> str | None: ...

    def save(self, key: str, value: str) -> None: ...


class MemoryStore:
    """A store that lives as long as the program. Share one to go on in another client."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def load(self, key: str) -> str | None:
        return self._values.get(key)

    def save(self, key: str, value: str) -> None:
        self._values[key] = value


class FileStore:
    """A store of small files in a directory."""

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self._directory = Path(directory)
        self._directory.mkdir(parents=True, exist_ok=True)

    def load(self, key: str) -> str | None:
        try:
            return self._path(key).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def save(self, key: str, value: str) -> None:
        # Moved into place whole: a program that dies leaves the old one.
        handle, name = tempfile.mkstemp(dir=self._directory)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(value)
        os.replace(name, self._path(key))

    def _path(self, key: str) -> Path:
        return self._directory / (quote(key, safe="") + ".json")


def store_key(tenant: str, client_id: str, device_id: str) -> str:
    """The key of a device's position."""
    return "/".join(["baton", *(quote(part, safe="") for part in (tenant, client_id, device_id))])


def parse_position(text: str | None) -> Position | None:
    """Reads a position; what is not one is none: the node knows the device's cursor."""
    try:
        value = json.loads(text or "null")
        return Position(str(value["epoch"]), int(value["seq"]))
    except (ValueError, TypeError, KeyError):
        return None
