"""The stack over a raw backend: each wrapper has the same face, so the order is the whole design.

``Journalled(Retrying(Limited(Metered(raw))))``: a draw on record costs no slot, a back-off holds none, and the
budget is asked at the last moment before sending.
"""

from __future__ import annotations

import random

from branchwise.orchestrator.backends.journalling import Journalled
from branchwise.orchestrator.backends.limiting import Limited
from branchwise.orchestrator.backends.metering import Metered
from branchwise.orchestrator.backends.outage import Outage
from branchwise.orchestrator.backends.retrying import Retrying
from branchwise.orchestrator.core.draws import DrawStore
from branchwise.orchestrator.core.options import ModelOptions
from branchwise.orchestrator.core.request import Identity
from branchwise.orchestrator.core.roles import Backend

DEFAULTS = ModelOptions(kind="given")


def stacked(
    raw: Backend,
    store: DrawStore,
    options: ModelOptions = DEFAULTS,
    identity: Identity | None = None,
    outage: Outage | None = None,
) -> Backend:
    """The wrappers around ``raw``, as its options say, on record under ``identity`` or its own.

    Models of one server share its ``outage``.
    The jitter of back-offs is not part of any result.
    """
    limited = Limited(
        Metered(raw, options.price), options.max_in_flight, options.requests_per_second, turns=options.turns
    )
    outage = outage or outage_of(options, raw.identity.model)
    retrying = Retrying(limited, options.retries, random.Random(), outage=outage)
    return Journalled(retrying, store, identity)


def outage_of(options: ModelOptions, model: str) -> Outage:
    """What is known of the servers of a model being away."""
    return Outage(options.outage_seconds, where=", ".join(options.servers) or model)
