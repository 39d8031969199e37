"""What is asked over HTTP: of one node after the other, until one answers."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from ._messages import Message, encode, given
from ._nodes import web_urls
from ._settings import Settings
from ._token import token_of
from .errors import BatonError, ConnectError, error_of

# How long one node may take, in seconds.
_HTTP_TIMEOUT = 20.0


async def ask_nodes(
    settings: Settings,
    path: str,
    *,
    method: str = "GET",
    query: Mapping[str, Any] = {},  # noqa: B006 - it is not changed
    body: Message | None = None,
    idempotency_key: str | None = None,
) -> Message:
    """The answer of the first node that gives one; the last refusal where none does.

    What is None in the query is left out. With an idempotency key what is asked takes
    effect once, whichever nodes are asked.
    """
    nodes = web_urls(settings.nodes)
    text = urlencode(given(**query))
    data = None if body is None else encode(body).encode()
    last: Exception | None = None
    refusal: BatonError | None = None
    for node in nodes:
        request = urllib.request.Request(node + path + ("?" + text if text else ""), data=data, method=method)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        if idempotency_key is not None:
            request.add_header("Idempotency-Key", idempotency_key)
        token = await token_of(settings.token)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            return await asyncio.to_thread(_answer, request, settings)
        except BatonError as refused:
            if not refused.retryable:
                raise
            refusal = refused
        except (OSError, ValueError) as error:
            last = error
    if refusal is not None:
        raise refusal
    raise ConnectError(nodes, last) from last


def _answer(request: urllib.request.Request, settings: Settings) -> Message:
    """The JSON of one answer; raises BatonError, OSError or ValueError."""
    try:
        with urllib.request.urlopen(request, timeout=_HTTP_TIMEOUT, context=settings.ssl) as response:
            answer: Message = json.load(response)
            return answer
    except urllib.error.HTTPError as refused:
        with refused:
            problem = json.load(refused)
        raise error_of({"code": refused.code, "message": problem.get("detail", refused.reason), **problem}) from None
