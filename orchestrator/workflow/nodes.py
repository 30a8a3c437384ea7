"""Nodes: what each node of a workflow does to the state. Ends of budgets and failures are values, not errors.

The state is what langgraph carries from node to node: the draft with its answer, the reviewer's feedback, how
often each node was visited, how the last search ended, and why the episode must stop, if it must.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypedDict

from branchwise.orchestrator.core.errors import BoundaryError, BudgetRefused
from branchwise.orchestrator.core.events import NodeEntered
from branchwise.orchestrator.core.expansion import Candidate
from branchwise.orchestrator.core.options import Price
from branchwise.orchestrator.core.roles import Agent, View
from branchwise.orchestrator.core.together import arrived, bare
from branchwise.orchestrator.core.trajectory import StopReason, Trajectory
from branchwise.orchestrator.engine.episode import Episode, SearchPlan
from branchwise.orchestrator.engine.refusals import budget_stop
from branchwise.orchestrator.workflow.searching import VISIT


class State(TypedDict, total=False):
    """What travels along the edges."""

    episode: Episode
    draft: Candidate | None
    votes: tuple[tuple[str, float], ...]
    feedback: str
    visits: dict[str, int]
    route: str
    ended: StopReason
    stop: StopReason | None


Step = Callable[[State], Awaitable[State]]


def search_step(name: str, plan: SearchPlan) -> Step:
    """A node that searches and leaves the selected candidate as the draft."""

    async def step(state: State) -> State:
        episode = state["episode"]
        visits = _visited(state, name)
        searched = await episode.search(_at_visit(plan, visits[name]))
        selection = searched.selection
        weighed = plan.means.reward is not None or plan.contest is not None
        votes = tuple((votes.canonical, votes.weight if weighed else votes.count) for votes in selection.tally)
        draft = selection.candidate or state.get("draft")
        return {
            "draft": draft,
            "votes": votes,
            "visits": visits,
            "route": "",
            "ended": searched.stop,
            "stop": searched.stop if searched.stop.is_budget else None,
        }

    return step


def _at_visit(plan: SearchPlan, visit: int) -> SearchPlan:
    """A node that is entered again searches anew: other draws, and decisions on record under a name of their own."""
    if visit == 1:
        return plan
    return replace(plan, node=f"{plan.node}{VISIT}{visit}", means=replace(plan.means, attempt=visit - 1))


def agent_step(name: str, agent: Agent, role: str, price: Price) -> Step:
    """A node in which an agent speaks: a reply with a route is feedback, any other is a new draft."""

    async def step(state: State) -> State:
        episode, draft = state["episode"], state.get("draft")
        visits = _visited(state, name)
        view = View(
            Trajectory(episode.problem),
            episode.seed(visits[name] - 1, role),
            draft=draft.trajectory.text if draft else None,
            feedback=state.get("feedback"),
        )
        try:
            reply = await episode.ask(name, agent, view, role, price)
            trajectory = view.trajectory.extend(reply.steps, visits[name] - 1, reply.stop)
            answer = None if reply.route else await bare(arrived(episode.run.answer(trajectory)))
        except BudgetRefused as refused:
            return {"visits": visits, "stop": budget_stop(refused)}
        except BoundaryError as error:  # costs this reply; the draft there was stays the answer
            episode.failures.append(error.failure())
            return {"visits": visits, "stop": StopReason.ANSWERED if draft else StopReason.FAILED}
        if reply.route:
            return {"visits": visits, "feedback": reply.text, "route": reply.route}
        return {"visits": visits, "route": "", "draft": Candidate(trajectory, answer)}

    return step


def _visited(state: State, name: str) -> dict[str, int]:
    episode = state["episode"]
    episode.run.notify(NodeEntered(episode.problem.id, name))
    visits = state.get("visits", {})
    return {**visits, name: visits.get(name, 0) + 1}
