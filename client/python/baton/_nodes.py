"""The places a client may connect to."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

_SCHEMES = {"http": "ws", "ws": "ws", "https": "wss", "wss": "wss"}


def socket_url(text: str) -> str:
    """The WebSocket URL of a node; a bare host:port means http."""
    text = text.strip()
    parsed = urlsplit(text if "://" in text else "http://" + text)
    scheme = _SCHEMES.get(parsed.scheme)
    if scheme is None or not parsed.netloc:
        raise ValueError(f"node {text!r} must look like http://127.0.0.1:7700")
    path = parsed.path.rstrip("/")
    if path.endswith("/ws"):
        path = path[: -len("/ws")]
    return f"{scheme}://{parsed.netloc}{path}/ws"


def _listed(nodes: str | Sequence[str]) -> Sequence[str]:
    return nodes.split(",") if isinstance(nodes, str) else nodes


def web_urls(nodes: str | Sequence[str]) -> list[str]:
    """The addresses of nodes for HTTP, without a slash at the end."""
    return ["http" + socket_url(text)[len("ws") : -len("/ws")] for text in _listed(nodes)]


class Nodes:
    """Those that a client was given, and those the cluster told it of."""

    def __init__(self, nodes: str | Sequence[str], in_order: bool) -> None:
        self._given = list(dict.fromkeys(socket_url(text) for text in _listed(nodes)))
        if not self._given:
            raise ValueError("nodes must name a node, like http://127.0.0.1:7700")
        self._learned: list[str] = []
        self._next = 0 if in_order else random.randrange(len(self._given))

    def all(self) -> list[str]:
        """The URLs in the order they are tried."""
        return self._given + self._learned

    def current(self) -> str:
        """The node whose turn it is."""
        every = self.all()
        return every[self._next % len(every)]

    def advance(self) -> None:
        """Passes the turn on."""
        self._next += 1

    def learn(self, listed: Iterable[str]) -> None:
        """Replaces what the cluster said of its nodes before, and keeps the turn where it is."""
        at = self.current()
        learned = []
        for text in listed:
            try:
                learned.append(socket_url(text))
            except ValueError:
                continue
        if not learned:
            return
        self._learned = [url for url in dict.fromkeys(learned) if url not in self._given]
        every = self.all()
        self._next = every.index(at) if at in every else 0
