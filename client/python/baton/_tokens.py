"""What a job shows of its work while it is under way."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, Union

from ._messages import Message, given, payload_fields
from ._session import Session
from .errors import bad_request

# How much one chunk carries at most.
_CHUNK_BYTES = 16 << 10
# How much of a stream is kept, to be said again on another socket.
_TAIL_BYTES = 64 << 10

_NAME = re.compile(r"[A-Za-z0-9._-]{1,128}\Z")

D = TypeVar("D", str, bytes)


@dataclass(frozen=True)
class _Piece:
    """What was said, from its offset on."""

    offset: int
    size: int
    data: Union[str, bytes]


class TokenStream(Generic[D]):
    """What a job shows of its work: the client whose event it is reads along, with Client.read_stream.

    It is best effort and outside the log: what the job completes with is what
    counts. Its methods never wait, and may be called from the job's thread.
    """

    def __init__(self, lease: str, name: str, binary: bool, say: Callable[[Callable[[Session | None], None]], None]) -> None:
        if name and not _NAME.match(name):
            raise bad_request(f"stream {name!r} must be 1 to 128 of letters, digits, dot, _ and -")
        self._lease = lease
        self._name = name
        self._binary = binary
        # Runs something on the event loop, with the session there is.
        self._say = say
        self._lock = threading.Lock()  # of end and closed
        self._end = 0
        self._closed = False
        # Of the event loop.
        self._told: Session | None = None
        self._tail: deque[_Piece] = deque()
        self._kept = 0
        self._ended: int | None = None  # where, once it has

    def write(self, data: D) -> None:
        """Adds to the stream."""
        if isinstance(data, str) == self._binary:
            raise bad_request("a binary stream is written as bytes" if self._binary else "a stream of text is written as str")
        self._write(data, False)

    def close(self) -> None:
        """Says that the stream ends here; completing the job says it too."""
        self._write(b"" if self._binary else "", True)

    def _write(self, data: Union[str, bytes], final: bool) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = final
            pieces = []
            for part in _cut(data):
                size = len(part) if isinstance(part, bytes) else len(part.encode())
                pieces.append(_Piece(self._end, size, part))
                self._end += size
            end = self._end
            self._say(lambda session: self._add(session, pieces, end if final else None))

    def resume(self, session: Session | None) -> None:
        """Says the tail again over another socket, maybe of another node: what that needs of it, it takes."""
        if session is None or session is self._told:
            return
        self._told = session
        for piece in self._tail:
            self._send(piece, False)
        if self._ended is not None:
            self._send(_Piece(self._ended, 0, ""), True)

    def _add(self, session: Session | None, pieces: list[_Piece], end: int | None) -> None:
        self.resume(session)
        if end is not None and not pieces:
            pieces = [_Piece(end, 0, "")]
        self._ended = end
        for piece in pieces:
            self._send(piece, end is not None and piece is pieces[-1])
            if piece.size:
                self._tail.append(piece)
                self._kept += piece.size
        while self._kept > _TAIL_BYTES:
            self._kept -= self._tail.popleft().size

    def _send(self, piece: _Piece, final: bool) -> None:
        """Says a piece. What does not go out is lost to readers, who see a reset."""
        if self._told is None:
            return
        message: Message = {
            "type": "chunk",
            "lease": self._lease,
            "offset": piece.offset,
            **given(stream=self._name or None, final=final or None),
        }
        if piece.size:
            message.update(payload_fields(piece.data))
        self._told.offer(message)


def _cut(data: Union[str, bytes]) -> list[Any]:
    """What chunks carry: text is cut between characters, which have four bytes at most."""
    if isinstance(data, bytes):
        return [data[at : at + _CHUNK_BYTES] for at in range(0, len(data), _CHUNK_BYTES)]
    # What is no character becomes U+FFFD, as it would on the way.
    text = data.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    letters = _CHUNK_BYTES // 4
    return [text[at : at + letters] for at in range(0, len(text), letters)]
