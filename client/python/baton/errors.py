"""What can go wrong: refusals by the cluster, and what happens on this side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class BatonError(Exception):
    """A refusal by the cluster: see "Errors" in docs/protocol.md.

    ``code`` is an HTTP status and ``reason`` a stable word. ``retryable`` means
    that the same request may succeed later, no sooner than ``retry_after_ms``.
    """

    def __init__(self, code: int, reason: str, message: str, retryable: bool = False, retry_after_ms: int = 0) -> None:
        super().__init__(f"{reason} ({code}): {message}")
        self.code = code
        self.reason = reason
        self.message = message
        self.retryable = retryable
        self.retry_after_ms = retry_after_ms


class BadRequestError(BatonError):
    """The message is not one of the protocol, or a field is out of bounds."""


class UnauthenticatedError(BatonError):
    """There is no token, or it is not valid any more."""


class ForbiddenError(BatonError):
    """The token does not allow this."""


class NotFoundError(BatonError):
    """What the request names does not exist."""


class LeaseLostError(BatonError):
    """The lease ended, or was granted to another worker."""


class IdempotencyConflictError(BatonError):
    """The idempotency key was used before, with other data."""


class SequenceError(BatonError):
    """client_seq does not follow the last one."""


class TooLargeError(BatonError):
    """The data, or the message, is larger than the cluster takes."""


class LimitError(BatonError):
    """Any 429: reason says which limit it is."""


class NotAvailableError(BatonError):
    """The node cannot do that yet."""


class UnavailableError(BatonError):
    """Any 503: reason says why."""


_BY_REASON: Mapping[str, type[BatonError]] = {
    "bad_request": BadRequestError,
    "unauthenticated": UnauthenticatedError,
    "forbidden": ForbiddenError,
    "not_found": NotFoundError,
    "lease_lost": LeaseLostError,
    "idempotency_conflict": IdempotencyConflictError,
    "sequence": SequenceError,
    "too_large": TooLargeError,
    "too_many_in_flight": LimitError,
    "too_many_unfinished": LimitError,
    "rate_limited": LimitError,
    "tenant_limit": LimitError,
    "not_available": NotAvailableError,
    "no_leader": UnavailableError,
    "overloaded": UnavailableError,
    "draining": UnavailableError,
    "outcome_unknown": UnavailableError,
}


def error_of(message: Mapping[str, Any]) -> BatonError:
    """The error of a message of type error."""
    reason = str(message.get("reason", "unknown"))
    kind = _BY_REASON.get(reason, BatonError)
    return kind(
        int(message.get("code", 0)),
        reason,
        str(message.get("message", "")),
        bool(message.get("retryable", False)),
        int(message.get("retry_after_ms", 0)),
    )


def bad_request(message: str) -> BadRequestError:
    """What the cluster would refuse, refused here: it need not be sent."""
    return BadRequestError(400, "bad_request", message)


def lease_lost() -> LeaseLostError:
    return LeaseLostError(409, "lease_lost", "the lease ended, or was granted to another worker")


class ClosedError(Exception):
    """The client was closed."""

    def __init__(self) -> None:
        super().__init__("the client is closed")


class SessionLostError(Exception):
    """The socket was lost before the answer to something that dies with it."""

    def __init__(self) -> None:
        super().__init__("the connection was lost")


class RejectedError(Exception):
    """A node closed the connection for good: connecting again would not help.

    ``code`` is the close code, 4500 to 4999, or 0 for a bye.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"the node refused the connection: {reason}" + (f" (close code {code})" if code else ""))
        self.code = code
        self.reason = reason


class ConnectError(Exception):
    """No node could be reached, or those that were refused for the time being.

    ``refusal`` is the last answer of a node that was reached.
    """

    def __init__(self, nodes: list[str], cause: BaseException | None, refusal: BatonError | None = None) -> None:
        super().__init__(f"no session (tried {', '.join(nodes)}): {refusal or cause}")
        self.nodes = nodes
        self.refusal = refusal


class CanceledError(Exception):
    """``Job.ended`` of a job whose event was canceled."""

    def __init__(self, reason: str, grace_ms: int) -> None:
        super().__init__(f"the job is canceled: {reason}")
        self.reason = reason
        self.grace_ms = grace_ms


class ParkedError(Exception):
    """What report is told of a job that its handler parked. The cause is what the handler raised behind that."""

    def __init__(self) -> None:
        super().__init__("the job is parked")


class StoppingError(Exception):
    """``Job.ended`` of a job whose worker was stopped, when the grace is over."""

    def __init__(self) -> None:
        super().__init__("the worker is stopping")


class JobError(Exception):
    """An exception of a handler that says how its job fails.

    Any other exception fails it too, and it is tried again. ``code`` is a word
    for programs, ``detail`` anything that encodes as JSON, kept in the lineage.
    """

    #: Trying again is of no use.
    permanent = False
    #: A limit outside refused the work: no attempt is counted.
    throttled = False

    def __init__(
        self, message: str = "failed", *, code: str = "failed", detail: Any = None, retry_after_ms: float = 0
    ) -> None:
        super().__init__(message)
        self.code = code
        self.detail = detail
        self.retry_after_ms = retry_after_ms


class PermanentError(JobError):
    """The job is not tried again: it becomes a dead letter."""

    permanent = True


class RetryAfter(JobError):
    """The job is tried again, no sooner than after a while."""

    def __init__(
        self, retry_after_ms: float, message: str = "to be tried again", *, code: str = "failed", detail: Any = None
    ) -> None:
        super().__init__(message, code=code, detail=detail, retry_after_ms=retry_after_ms)


class Throttled(JobError):
    """The job waits for a while, and no attempt is counted."""

    throttled = True

    def __init__(
        self, retry_after_ms: float, message: str = "throttled", *, code: str = "failed", detail: Any = None
    ) -> None:
        super().__init__(message, code=code, detail=detail, retry_after_ms=retry_after_ms)
