"""Effects: steps in a world that is not repeatable, on record from before each begins until it has ended.

A step that was begun and never ended may have happened or not. Nobody can tell, so it is a failure on resume; one
that ended shows what it showed then. They are facts about the run, beside its plan; few worlds make any.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from branchwise.orchestrator.core.errors import EnvironmentFailure
from branchwise.orchestrator.core.scope import current_scope
from branchwise.orchestrator.core.world import Observation
from branchwise.orchestrator.journal.store import Journal

UNDER_WAY = ""


@dataclass(frozen=True, slots=True)
class Effects:
    """The record of one problem's steps. They are told apart by the scope's node and their address in its tree."""

    journal: Journal
    problem_id: str

    def begin(self, address: str) -> Observation | None:
        """Put a step on record, or say what it showed. EnvironmentFailure if it was begun before and never ended."""
        self.journal.flush()
        found = self.journal.get(self._key(address))
        if found is None:
            self._put(address, UNDER_WAY)
            return None
        if found == UNDER_WAY:
            raise EnvironmentFailure("the run ended in the middle of this step, which must not be repeated")
        row: dict[str, Any] = json.loads(found)
        actions = row.pop("actions")
        return Observation(**row, actions=None if actions is None else tuple(actions))

    def end(self, address: str, observation: Observation) -> None:
        """Put on record what a step showed; where no texts are kept, it stays under way."""
        if self.journal.content:
            self._put(address, json.dumps(asdict(observation), ensure_ascii=True))

    def _put(self, address: str, value: str) -> None:
        self.journal.put(self._key(address), value)
        self.journal.flush()

    def _key(self, address: str) -> str:
        return json.dumps(["effect", self.problem_id, current_scope().node, address])
