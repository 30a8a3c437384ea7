"""The log of one search's decisions on one problem, in order.

Replaying it brings the search back to the same tree, also where budgets, deadlines or arrival order decided.
A decision is written before it is acted upon.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from branchwise.orchestrator.core.decisions import Asked, Decision, Refused, Settled, Stopped, Told
from branchwise.orchestrator.core.errors import Failure, JournalError
from branchwise.orchestrator.core.expansion import Answer, Candidate, Expansion, Outcome
from branchwise.orchestrator.core.judgement import Judgement
from branchwise.orchestrator.core.trajectory import Step, StopReason, Tokens, Trajectory
from branchwise.orchestrator.core.usage import Usage

Write = Callable[[int, str, str], None]


@dataclass(slots=True)
class DecisionLog:
    """The decisions of one search: those recorded earlier (``recorded``: kind and JSON), then new ones.

    ``write(seq, kind, payload)`` puts one into the journal.
    """

    root: Trajectory
    write: Write
    recorded: list[tuple[str, str]] = field(default_factory=list)
    _parents: dict[int, Trajectory] = field(default_factory=dict)
    _nodes: dict[tuple[int, ...], Trajectory] = field(default_factory=dict)
    _next: int = 0

    def __post_init__(self) -> None:
        self._nodes[self.root.lineage] = self.root
        self._next = len(self.recorded)

    def replay(self) -> list[Decision]:
        """The recorded decisions, decoded, with parents and steps put back in their place."""
        return [self._decode(kind, json.loads(payload)) for kind, payload in self.recorded]

    def append(self, decision: Decision) -> None:
        """Record a new decision."""
        kind, payload = self._encode(decision)
        self.write(self._next, kind, json.dumps(payload, ensure_ascii=False, separators=(",", ":")))
        self._next += 1

    def _encode(self, decision: Decision) -> tuple[str, Any]:
        match decision:
            case Asked(room, expansions):
                return "ask", [room, [_ask_row(expansion) for expansion in expansions]]
            case Told(outcome):
                rows = [candidate_row(candidate) for candidate in outcome.candidates]
                return "tell", [outcome.ticket, rows, usage_rows(outcome.usage), outcome.refusal]
            case Refused(tickets, reason):
                return "refuse", [tickets, reason]
            case Stopped(reason, cancelled):
                return "stop", [reason, cancelled]
            case Settled(usage):
                return "settle", usage_rows(usage)

    def _decode(self, kind: str, row: Any) -> Decision:
        match kind:
            case "ask":
                return Asked(row[0], tuple(self._expansion(one) for one in row[1]))
            case "tell":
                return Told(self._outcome(row))
            case "refuse":
                return Refused(tuple(row[0]), StopReason(row[1]))
            case "stop":
                return Stopped(StopReason(row[0]), tuple(row[1]))
            case "settle":
                return Settled(usages(row))
        raise JournalError(f"unknown decision '{kind}' in the journal")

    def _expansion(self, row: Any) -> Expansion:
        ticket, lineage, count, first, to_end, temperature, *special = row
        parent = self._nodes[tuple(lineage)]
        self._parents[ticket] = parent
        return Expansion(ticket, parent, count, first, to_end, temperature, *special)

    def _outcome(self, row: Any) -> Outcome:
        ticket, candidates, usage, refusal = row
        parent = self._parents.pop(ticket).stem
        grown = tuple(_candidate(parent, one) for one in candidates)
        for candidate in grown:
            if candidate.alive or candidate.done:
                self._nodes[candidate.trajectory.lineage] = candidate.trajectory
        return Outcome(ticket, grown, usages(usage), StopReason(refusal) if refusal else None)


def _ask_row(e: Expansion) -> list[Any]:
    special = [e.policy, e.judge] if e.policy is not None or not e.judge else []
    return [e.ticket, e.parent.lineage, e.count, e.first, e.to_end, e.temperature, *special]


def candidate_row(candidate: Candidate) -> list[Any]:
    """A candidate as JSON values; its parent's steps are left out, only how many they are is kept."""
    t, answer, judgement = candidate.trajectory, candidate.answer, candidate.judgement
    return [
        t.lineage[-1],
        [_step_row(step) for step in t.steps[candidate.parent_steps :]],
        t.stop,
        [answer.text, answer.canonical] if answer else None,
        _judgement_row(judgement) if judgement else None,
        [candidate.failure.boundary, candidate.failure.message] if candidate.failure else None,
        *([candidate.key, candidate.reward] if candidate.key is not None or candidate.reward is not None else []),
    ]


def _step_row(s: Step) -> list[Any]:
    row = [s.text, s.observation, s.logprob, s.model, s.score]
    if s.tokens is not None:
        return [*row, s.action, s.reward, [s.tokens.ids, s.tokens.prompt, s.tokens.origin]]
    return row if s.action is None else [*row, s.action, s.reward]


def _step(row: list[Any]) -> Step:
    step = Step(*row[:7])
    if len(row) < 8:
        return step
    ids, prompt, origin = row[7]
    return replace(step, tokens=Tokens(tuple(ids), tuple(prompt), origin))


def _candidate(parent: Trajectory, row: Any) -> Candidate:
    sibling, steps, stop, answer, judgement, failure, *world = row
    reason = StopReason(stop) if stop else None
    trajectory = parent.extend(tuple(map(_step, steps)), sibling, reason)
    return Candidate(
        trajectory,
        Answer(*answer) if answer else None,
        _judgement(judgement) if judgement else None,
        Failure(*failure) if failure else None,
        len(parent.steps),
        *world,
    )


def _judgement_row(j: Judgement) -> list[Any]:
    failure = [j.failure.boundary, j.failure.message] if j.failure else None
    return [j.value, j.scale, j.source, j.step_values, j.factors, j.rationale, failure]


def _judgement(row: Any) -> Judgement:
    value, scale, source, step_values, factors, rationale, failure = row
    return Judgement(
        value, scale, source, tuple(step_values), tuple((name, x) for name, x in factors), rationale,
        Failure(*failure) if failure else None,
    )  # fmt: skip


def usage_rows(usage: tuple[tuple[str, Usage], ...]) -> list[Any]:
    """Usage by role as JSON values."""
    return [
        [
            role,
            u.prompt_tokens,
            u.completion_tokens,
            u.cached_tokens,
            u.reasoning_tokens,
            u.calls,
            u.money,
            u.exact,
        ]
        for role, u in usage
    ]


def usages(rows: Any) -> tuple[tuple[str, Usage], ...]:
    """Usage by role, read back."""
    return tuple((role, Usage(*rest)) for role, *rest in rows)
