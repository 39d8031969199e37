"""A client of the Baton broker, on asyncio.

    async with baton.connect("http://127.0.0.1:7700", client_id="ana") as c:
        await c.publish("questions", {"text": "why?"})
        async for n in c.notifications():
            print(n.name, n.data)
"""

from ._broadcast import BroadcastReceipt
from ._client import VERSION, Client, connect
from ._event import Receipt
from ._follow import FollowedEvent
from ._job import BlockingJob, Job
from ._listen import Listener, Notifications
from ._presence import DevicePresence, Presence
from ._readstream import Chunk, StreamPosition
from ._runs import (
    Run,
    RunAction,
    RunCompensation,
    RunError,
    RunIncident,
    RunItems,
    RunPage,
    RunState,
    RunStep,
    RunWait,
    StartedRun,
)
from ._stream import Gap, Notification
from ._tokens import TokenStream
from ._worker import Worker
from .errors import (
    BadRequestError,
    BatonError,
    CanceledError,
    ClosedError,
    ConnectError,
    ForbiddenError,
    IdempotencyConflictError,
    JobError,
    LeaseLostError,
    LimitError,
    NotAvailableError,
    NotFoundError,
    ParkedError,
    PermanentError,
    RejectedError,
    RetryAfter,
    SequenceError,
    SessionLostError,
    StoppingError,
    Throttled,
    TooLargeError,
    UnauthenticatedError,
    UnavailableError,
)
from .store import FileStore, MemoryStore, Position, Store

__all__ = [
    "VERSION",
    "BadRequestError",
    "BatonError",
    "BlockingJob",
    "BroadcastReceipt",
    "CanceledError",
    "Chunk",
    "Client",
    "ClosedError",
    "ConnectError",
    "DevicePresence",
    "FileStore",
    "FollowedEvent",
    "ForbiddenError",
    "Gap",
    "IdempotencyConflictError",
    "Job",
    "JobError",
    "LeaseLostError",
    "LimitError",
    "Listener",
    "MemoryStore",
    "NotAvailableError",
    "NotFoundError",
    "Notification",
    "Notifications",
    "ParkedError",
    "PermanentError",
    "Position",
    "Presence",
    "Receipt",
    "RejectedError",
    "RetryAfter",
    "Run",
    "RunAction",
    "RunCompensation",
    "RunError",
    "RunIncident",
    "RunItems",
    "RunPage",
    "RunState",
    "RunStep",
    "RunWait",
    "SequenceError",
    "SessionLostError",
    "StartedRun",
    "StoppingError",
    "Store",
    "StreamPosition",
    "Throttled",
    "TokenStream",
    "TooLargeError",
    "UnauthenticatedError",
    "UnavailableError",
    "Worker",
    "connect",
]
