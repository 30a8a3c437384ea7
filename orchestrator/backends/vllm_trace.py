"""W3C trace context: the header ``traceparent``, by which a server's spans find their problem.

One trace a problem of a run, so that all calls of its trees stand together; one span a call, under a random id.
Nothing of it changes what is drawn. Reference: W3C Recommendation "Trace Context", version 00.
"""

from __future__ import annotations

import random

from branchwise.orchestrator.core.scope import Scope
from branchwise.orchestrator.core.tracing import trace_id


def traceparent(scope: Scope, spans: random.Random) -> str:
    """The header for a call made in this scope; ``spans`` names the spans."""
    return f"00-{trace_id(scope.run, scope.problem_id)}-{spans.getrandbits(64) or 1:016x}-01"
