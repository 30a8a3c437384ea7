"""Outlook: how far a problem is from its end, for whoever decides which problem's call goes first.

It is brought up to date when outcomes are committed. It only ever delays or hastens a call; what a search asks for
never depends on it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from branchwise.orchestrator.core.expansion import Candidate


@dataclass(slots=True)
class Outlook:
    """What is known of one problem: draws at most still to come (None: not known) and the votes so far."""

    remaining_draws: int | None = None
    votes: Counter[str] = field(default_factory=Counter)

    def committed(self, candidates: Iterable[Candidate]) -> None:
        """Take in what was committed."""
        for candidate in candidates:
            if self.remaining_draws is not None:
                self.remaining_draws = max(0, self.remaining_draws - 1)
            if candidate.done and candidate.answer is not None:
                self.votes[candidate.answer.canonical] += 1

    @property
    def value_of_information(self) -> float:
        """Chance that one more vote goes against the leading answer, each draw already made counting for less.

        With v votes for the leader of n: (n - v + 1) / (n + 2), the mean of Beta(n - v + 1, v + 1), over n + 1, the
        weight that the next vote has among all. So a problem without answers comes first, one with a settled
        majority last.
        """
        total = self.votes.total()
        leading = max(self.votes.values(), default=0)
        return (total - leading + 1) / (total + 2) / (total + 1)
