"""Adaptive branching MCTS (AB-MCTS-A): at every node, Thompson sampling decides between wider and deeper.

Each node has, besides its children, the choice GEN, to draw one more child here; CONT is to go on below a child.

1. From the root, draw from the posteriors of GEN and CONT. GEN is greater, or no child leads on: grow here.
2. CONT is greater: draw from every child's posterior, go to the one with the greatest, and repeat.
3. Grow one child, with the policy that ``strategy`` chooses, and score it.
4. Back up the score: once for GEN at its parent and once for itself; and for each node above it, but for the root,
   once for that node as a child and once for CONT at its parent. Its policy's share is kept with each of these.

Only posteriors decide; means are not used. How several ``policies`` are chosen between:

- ``multiarm_bandit_thompson``: draw from one posterior a policy, of all its scores in the tree.
- ``multiarm_bandit_ucb``: mean + sqrt(2) sqrt(ln N / n) of the same scores, unused ones first.
- ``stack``: first the policy, by what came of its children at this node, then GEN, CONT and children of its own only.

A child of the root is an answer, and a child of an answer revises it: its policy is shown the answer as $draft (empty
at the root). Over ``steps``, which the paper does not have, a child is the next step. Nothing can be grown below a
finished answer, which is then no choice of CONT; it can take many draws to come to one, and if there is none when the
last child is drawn, that one goes to the end. The answer is that of the greatest score.

A child that was lost, or not judged, is not in the tree, and no posterior hears of it. Since that alone would leave
untouched what promised it, a node of which two children were lost and none was scored is no choice of CONT any more,
and neither is such a policy while there is another; with ``multiarm_bandit_ucb`` n and N count lost children, too.

Several children are drawn at once (``in_flight``): as published, nothing of an open ticket is known meanwhile, and
draws differ by chance. With ``pending`` it counts as one observation of the mean that is expected.

Inoue et al., arXiv 2503.04412; posteriors and back-up as in its library, treequest 0.3.3.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from branchwise.orchestrator.core.expansion import Candidate, Expansion, Outcome
from branchwise.orchestrator.core.inspection import Statistics
from branchwise.orchestrator.core.options import Options as _Options
from branchwise.orchestrator.core.seeds import chance
from branchwise.orchestrator.core.selection import Rule, vote_weight
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.search.branching import (
    ROOT,
    Choice,
    Growth,
    Node,
    Pending,
    State,
    Strategy,
    back_up,
    give_up,
    pending,
    statistics,
)
from branchwise.orchestrator.search.particles import score
from branchwise.orchestrator.search.posteriors import Family, Observed

OWN = "policy"


class Options(_Options):
    """Options of AB-MCTS-A."""

    kind: Literal["ab_mcts"] = "ab_mcts"
    expansions: int = Field(32, gt=0, description="Children drawn in all.")
    over: Literal["answers", "steps"] = Field(
        "answers", description="A child is an answer, below another one a revision of it; or it is the next step."
    )
    depth: int = Field(
        8, gt=0, description="Most answers, or steps, below each other; the last step goes to the end."
    )
    posterior: Family = Field("normal", description="Of mean scores; beta is for probabilities.")
    policies: list[str] = Field(
        default_factory=list,
        description="Policies to choose between, the node's own being 'policy'; default: it alone.",
    )
    strategy: Strategy = Field("multiarm_bandit_thompson", description="How policies are chosen between.")
    in_flight: int = Field(4, gt=0, description="Most children under way at once.")
    pending: bool = Field(False, description="Count each of those as one observation of the mean that is expected.")
    wants_reward: ClassVar[bool] = True
    own_select: ClassVar[Rule] = "naive"
    adaptive: ClassVar[bool] = True

    @property
    def stepwise(self) -> bool:
        """True where single steps are wanted of the policy."""
        return self.over == "steps"

    @property
    def revises(self) -> bool:
        """True where it asks for revisions of finished answers."""
        return self.over == "answers"

    @field_validator("policies")
    @classmethod
    def _distinct(cls, policies: list[str]) -> list[str]:
        if len(set(policies)) < len(policies):
            raise ValueError("a policy is named twice")
        return policies

    @property
    def arms(self) -> list[str]:
        """The policies by name."""
        return self.policies or [OWN]


class AdaptiveBranching:
    """The search over one problem."""

    def __init__(self, options: Options, root: Trajectory, seed: int) -> None:
        self._options, self._seed = options, seed
        self._depth = options.depth + len(root.lineage)
        nodes, count = [self._node(root, Growth(ROOT, 0))], len(options.arms)
        self.state = State(nodes, [Observed()] * count, [0] * count)

    @property
    def finished(self) -> bool:
        """True when as many children as wanted have been told."""
        return self.state.told == self._options.expansions

    def ask(self, room: int) -> list[Expansion]:
        """Children to grow, each chosen for itself."""
        state, options = self.state, self._options
        room = min(room, options.in_flight - len(state.out), options.expansions - state.tickets)
        return [self._grow() for _ in range(room)]

    def tell(self, outcome: Outcome) -> None:
        """Put the child into the tree, and back up its score."""
        state, growth, (child,) = self.state, self.state.out.pop(outcome.ticket), outcome.candidates
        state.told += 1
        if child.done:
            state.finished.append(child)
        score = score_of(child, self._options.posterior)
        if score is not None and (child.alive or child.done):
            node = self._node(child.trajectory, growth)
            state.nodes[growth.node].children.append(len(state.nodes))
            state.nodes.append(node)
            back_up(state, node, score)
        else:
            give_up(state, growth)

    def candidates(self) -> list[Candidate]:
        """The finished answers, in the order told."""
        return list(self.state.finished)

    def statistics(self) -> Statistics:
        """Scores seen at and below every node, their mean, and the policy that drew it."""
        return statistics(self.state, self._options.arms)

    def _grow(self) -> Expansion:
        state, options, ticket = self.state, self._options, self.state.tickets
        waiting = pending(state) if options.pending else Pending()
        growth = Choice(state, options.posterior, options.strategy, chance(self._seed, ticket), waiting).growth()
        node, name = state.nodes[growth.node], options.arms[growth.arm]
        to_end = self._to_end(node.trajectory)
        asked = Expansion(ticket, node.trajectory, 1, node.drawn, to_end, policy=None if name == OWN else name)
        node.drawn += 1
        state.out[ticket] = growth
        state.tickets += 1
        return asked

    def _to_end(self, parent: Trajectory) -> bool:
        last = self.state.tickets == self._options.expansions - 1 and not self.state.finished
        return last or self._options.over == "answers" or len(parent.lineage) == self._depth - 1

    def _node(self, trajectory: Trajectory, made: Growth) -> Node:
        arms = self._options.arms
        generated, continued = [Observed() for _ in arms], [Observed() for _ in arms]
        leads = len(trajectory.lineage) < self._depth and (self._options.over == "answers" or not trajectory.terminal)
        return Node(trajectory, generated, continued, [0] * len(arms), made.node, made.arm, leads=leads)


def score_of(candidate: Candidate, family: Family) -> float | None:
    """What is backed up: the value; for beta a probability, by the logistic function where it is none."""
    if family == "normal" or candidate.value is None:
        return score(candidate)
    probability = vote_weight(candidate)
    return probability if probability <= 1 else None


def most_draws(options: Options) -> int:
    """Draws of the policies that one problem takes."""
    return options.expansions


def build(options: Options, root: Trajectory, seed: int) -> AdaptiveBranching:
    """The search below ``root``."""
    return AdaptiveBranching(options, root, seed)
