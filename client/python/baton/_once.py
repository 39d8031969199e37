"""The results of a job's once calls."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable
from typing import Any

from ._messages import encode_value
from .errors import BatonError, LeaseLostError, PermanentError

_ONCE = "$once"
_PROGRESS = "$checkpoint"


class Once:
    """The results are kept in the job's checkpoint, beside the worker's own progress.

    They have the same form in all clients, so that attempts of different programs
    understand each other:

        {"$once":{key: result, …},"$checkpoint":progress}

    "$once" stands first, without a space: by that a checkpoint is known for one
    of these.
    """

    def __init__(self, checkpoint: Any, keep: Callable[[Any], Awaitable[None]]) -> None:
        self._keep = keep
        self._kept: dict[str, Any] = {}
        self._calls: dict[str, asyncio.Task[Any]] = {}
        # Held while a checkpoint is on its way: none may overtake one with more in it.
        self._saving = asyncio.Lock()
        self.progress = checkpoint
        self._progressed = checkpoint is not None
        if isinstance(checkpoint, dict) and next(iter(checkpoint), None) == _ONCE and isinstance(checkpoint[_ONCE], dict):
            self._kept = checkpoint[_ONCE]
            self._progressed = _PROGRESS in checkpoint
            self.progress = checkpoint.get(_PROGRESS)

    async def run(self, key: str, fn: Callable[[], Any]) -> Any:
        if key in self._kept:
            return self._kept[key]
        call = self._calls.get(key)
        if call is None:
            call = asyncio.create_task(self._call(key, fn))
            self._calls[key] = call
            call.add_done_callback(lambda _: self._calls.pop(key, None))
        return await call

    def move(self, progress: Any) -> Any:
        """The checkpoint after the worker's own progress moved on."""
        self.progress = progress
        self._progressed = True
        return self._whole(self._kept) if self._kept else progress

    async def _call(self, key: str, fn: Callable[[], Any]) -> Any:
        result = await fn() if inspect.iscoroutinefunction(fn) else await asyncio.to_thread(fn)
        if inspect.isawaitable(result):
            result = await result
        try:
            # As JSON has it, so that the first attempt sees what later ones will.
            value = json.loads(encode_value(result))
        except (TypeError, ValueError) as error:
            raise PermanentError(f"the result of {key} cannot be kept: {error}", code="bad_result") from error
        await self._save(key, value)
        return value

    async def _save(self, key: str, value: Any) -> None:
        async with self._saving:
            kept = {**self._kept, key: value}
            try:
                await self._keep(self._whole(kept))
            except LeaseLostError:
                raise
            except BatonError as error:
                if error.retryable:
                    raise
                raise PermanentError(f"the result of {key} cannot be kept: {error}", code=error.reason) from error
            self._kept = kept

    def _whole(self, kept: dict[str, Any]) -> Any:
        return {_ONCE: kept, _PROGRESS: self.progress} if self._progressed else {_ONCE: kept}
