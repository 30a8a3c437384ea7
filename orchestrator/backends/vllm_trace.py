"""W3C trace context: the header ``traceparent``, by which a server's spans find their problem.

One trace a problem, so that all calls of its tree stand together; one span a call, under a random id. Nothing of it
changes what is drawn. Reference: W3C Recommendation "Trace Context", version 00.
"""

from __future__ import annotations

import hashlib
import random

from branchwise.orchestrator.core.scope import Scope


def traceparent(scope: Scope, spans: random.Random) -> str:
    """The header for a call made in this scope; ``spans`` names the spans."""
    trace = hashlib.blake2b(scope.problem_id.encode("utf-8", "replace"), digest_size=16).hexdigest()
    return f"00-{trace}-{spans.getrandbits(64) or 1:016x}-01"
