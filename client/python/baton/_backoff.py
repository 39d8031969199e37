"""Exponential backoff with full jitter."""

from __future__ import annotations

import random


class Backoff:
    """A random pause up to a bound that doubles with every failure.

    A bound that only the slowest client reaches keeps a crowd from coming back at once.
    """

    def __init__(self, least: float, most: float) -> None:
        self._least = least
        self._most = most
        self._failures = 0

    def pause(self) -> float:
        """How many seconds to wait before the next attempt."""
        bound = min(self._most, self._least * 2.0 ** min(self._failures, 32))
        self._failures += 1
        return random.random() * bound

    def succeeded(self) -> None:
        self._failures = 0
