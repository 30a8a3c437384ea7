"""Ancestry: which nodes a population of particles came through, and what they weighed there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from branchwise.orchestrator.core.expansion import Candidate
from branchwise.orchestrator.core.inspection import NodeStatistics, Statistics
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.search.particles import Particles
from branchwise.orchestrator.search.resampling import ZERO

LogWeights = Mapping[tuple[int, ...], float]


def statistics(
    root: Trajectory, particles: Particles, log_weights: LogWeights, earlier: Iterable[Candidate] = ()
) -> Statistics:
    """Of every node as visits the particles that came through, and its log-weight where it is known and finite.

    Counted are the particles as they stand, and what ``earlier`` populations came to: a node that resampling left
    without descendants has none.
    """
    lineages = [node.candidate.trajectory.lineage for node in particles.nodes if node.candidate is not None]
    ends = [root.lineage if (c := particles.candidate(k)) is None else c.trajectory.lineage
            for k in range(len(particles.at))]  # fmt: skip
    ends += [candidate.trajectory.lineage for candidate in earlier]
    came = Counter(end[:length] for end in ends for length in range(len(root.lineage), len(end) + 1))
    return {
        lineage: NodeStatistics(came[lineage], extra=_weight(log_weights.get(lineage, ZERO)))
        for lineage in (root.lineage, *lineages)
    }


def _weight(log_weight: float) -> tuple[tuple[str, float], ...]:
    return (("log_weight", log_weight),) if log_weight > ZERO else ()
