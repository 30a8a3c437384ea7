"""Beam search steered by progress: how good a step is, and how much it helps another policy, the prover.

1. Grow ``expansions`` next steps of every beam (at first of the root).
2. Rank them by the effective reward E = Q^pi + alpha * A^mu, where A^mu = Q^mu(now) - Q^mu(before), within [-1, 1],
   is the advantage of the last step alone. Keep the ``width`` best.
3. Repeat to ``depth``. The answer is chosen by Q^pi alone: candidates keep the reward model's own value.

Q^pi is the judged value (as a probability). The prover mu is best-of-K of the policy, in closed form:
Q^mu = 1 - (1 - Q^pi)^K; a reward model whose judgements have a factor named ``prover`` is believed instead. Before
the first step stands V^mu of the question, which nobody judged: it is estimated as the mean of its children's
Q^mu (the same goes for a state whose judgement failed). It moves all first steps alike, so it decides nothing.

Setlur et al., arXiv 2410.08146: alpha 0.5, K 4 and 3 expansions are its values. Rewarding the advantage under the
policy itself (K = 1) adds nothing in expectation; a prover that always or never succeeds adds nothing either.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from branchwise.orchestrator.core.expansion import Candidate
from branchwise.orchestrator.core.selection import Rule, vote_weight
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.search import levels
from branchwise.orchestrator.search.growing import Brood
from branchwise.orchestrator.search.levels import Chosen, LevelOptions, Levels

PROVER = "prover"


class Options(LevelOptions):
    """Options of PAV-steered beam search."""

    kind: Literal["pav_beam"] = "pav_beam"
    expansions: int = Field(3, gt=0, description="Children grown from each of them.")
    alpha: float = Field(0.5, ge=0, description="Weight of the prover's advantage; 0 is plain beam search.")
    best_of: int = Field(4, gt=0, description="K of the prover, which takes the best of K of the policy's answers.")
    own_select: ClassVar[Rule] = "naive"


def effective_reward(q: float, alpha: float, now: float, before: float) -> float:
    """E = Q^pi + alpha * A^mu of a step, from the prover's Q after and before it."""
    return q + alpha * max(-1.0, min(1.0, now - before))


def best_of_k(q: float, k: int) -> float:
    """How likely one of k attempts succeeds, if each does with probability ``q``."""
    return 1 - (1 - q) ** k


def prover_value(candidate: Candidate, k: int) -> float | None:
    """Q^mu after a candidate's last step: the reward model's factor, else best-of-k; None without a judgement."""
    if candidate.judgement is None or candidate.value is None:
        return None
    named = dict(candidate.judgement.factors).get(PROVER)
    return best_of_k(vote_weight(candidate), k) if named is None else named


def value_before(brood: Brood, k: int) -> float:
    """Q^mu of a brood's parent; where nobody judged it, the mean over its children."""
    known = prover_value(brood.parent, k)
    if known is not None:
        return known
    values = [value for child in brood.children if (value := prover_value(child, k)) is not None]
    return sum(values) / len(values) if values else 0.0


def worth(child: Candidate, before: float, options: Options) -> float | None:
    """The effective reward of a child's last step; None where it was not judged."""
    now = prover_value(child, options.best_of)
    return None if now is None else effective_reward(vote_weight(child), options.alpha, now, before)


def most_draws(options: Options) -> int:
    """Draws of the policy that one problem takes at most."""
    return levels.most_draws(options)


def build(options: Options, root: Trajectory, seed: int) -> Levels:
    """The search below ``root``."""

    def choose(finished: list[Candidate], level: list[Brood]) -> Chosen:
        worths: dict[tuple[int, ...], float | None] = {}
        for brood in level:
            before = value_before(brood, options.best_of)
            worths |= {child.trajectory.lineage: worth(child, before, options) for child in brood.children}
        kept = levels.best(
            levels.alive(level), options.width, lambda child: worths[child.trajectory.lineage], options.deduplicate
        )
        return Chosen(finished + levels.finished(level), kept)

    return Levels(options, root, choose)
