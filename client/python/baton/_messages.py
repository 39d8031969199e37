"""Messages of the protocol: one JSON object each."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, Dict

from .errors import bad_request

Message = Dict[str, Any]

_NAME = re.compile(r"[A-Za-z0-9._-]{1,255}\Z")


def given(**fields: Any) -> Message:
    """The fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def encode(message: Mapping[str, Any]) -> str:
    """A message as text."""
    text = encode_value(message)
    text.encode()  # What is no text of Unicode is refused here, not by the socket.
    return text


def encode_value(value: Any) -> str:
    """A value as compact JSON: by its first letters a checkpoint is known."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def decode_frame(frame: str | bytes) -> list[Message]:
    """The messages of a frame. Only a newline separates them: JSON text may hold others."""
    text = frame if isinstance(frame, str) else frame.decode()
    return [json.loads(line) for line in text.split("\n") if line]


def payload_fields(data: Any) -> Message:
    """The fields that carry data: bytes travel as base64, everything else as JSON."""
    if isinstance(data, (bytes, bytearray, memoryview)):
        return {"data_base64": base64.b64encode(data).decode()}
    return {"data": data}


def payload_of(message: Mapping[str, Any]) -> Any:
    """The data of a message, bytes where bytes were sent."""
    if "data_base64" in message:
        return base64.b64decode(message["data_base64"])
    return message.get("data")


def check_name(what: str, name: str) -> None:
    if not isinstance(name, str) or not _NAME.match(name):
        raise bad_request(f"{what} {name!r} must be 1 to 255 of letters, digits, dot, _ and -")
