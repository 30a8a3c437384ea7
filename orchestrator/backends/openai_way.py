"""The way by which a call of the current task goes: what a failure or a cancellation may have left at the server."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Literal

Way = Literal["kept", "opening", "opened", "again", "refused"]
"""By a kept connection; one is being opened, so nothing was sent yet; by that; again, since a kept one was lost;
it was sent, and what came back is that nothing was made of it.
"""

way: ContextVar[Way] = ContextVar("way", default="kept")
