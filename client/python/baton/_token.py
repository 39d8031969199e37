"""The credential that a client shows."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Union

#: A credential, or what gives a fresh one each time it is called.
Token = Union[str, Callable[[], Union[str, Awaitable[str]]]]


async def token_of(token: Token | None) -> str | None:
    """The credential for the next connection, or the next refresh."""
    if token is None or isinstance(token, str):
        return token
    try:
        given: Any = token()
        return str(await given if inspect.isawaitable(given) else given)
    except Exception as error:
        # One that may pass, as if no node were reached.
        raise ConnectionError(f"the source of tokens gave none: {error!r}") from error
