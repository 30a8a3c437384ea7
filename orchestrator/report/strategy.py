"""One run as a strategy: what was done, with what, how it went, what it cost, what qualifies the numbers.

A problem that was lost to failures is not graded, and neither is one for which nothing could be drawn any
more; a problem that ended without an answer after something was drawn for it is wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pydantic import JsonValue

from branchwise.orchestrator.core.budget import Tally
from branchwise.orchestrator.core.result import Result
from branchwise.orchestrator.core.trajectory import StopReason
from branchwise.orchestrator.evaluation.divergence import bound
from branchwise.orchestrator.evaluation.statistics import wilson
from branchwise.orchestrator.journal.manifest import Manifest, NodeFacts
from branchwise.orchestrator.journal.reader import Recorded
from branchwise.orchestrator.report.data import ModelShown, Strategy
from branchwise.orchestrator.report.losses import losses
from branchwise.orchestrator.report.shown import Interval, RewardKind, role_tokens

Graded = Sequence[tuple[Result, bool | None]]


def outcome_of(result: Result) -> bool | None:
    """Right, wrong or not graded."""
    if result.grade is None or result.grade.correct is None or _lost(result):
        return None
    if result.answer is None and result.stop.is_budget and not result.drawn:
        return None
    return result.grade.correct >= 1.0


def strategy_of(name: str, journal: Recorded, started: int, results: Sequence[Result]) -> Strategy:
    """The strategy of a run; ``started`` problems were begun, ``results`` are finished."""
    manifest, graded = journal.manifest, [(result, outcome_of(result)) for result in results]
    searches = [node for node in manifest.nodes.values() if node.kind == "search"]
    main = searches[0] if searches else None
    outcomes = [outcome for _, outcome in graded if outcome is not None]
    interval = wilson(sum(outcomes), len(outcomes))
    return Strategy(
        name=name,
        family=_family(main, manifest),
        samples=main.most_draws if main is not None and len(manifest.nodes) == 1 else None,
        baseline=not any(node.reward for node in searches),
        workflow=manifest.name or manifest.source,
        algorithm=" -> ".join(map(_described, manifest.nodes.values())),
        reward=main.reward if main is not None else "",
        reward_kind=_reward_kind(searches),
        attempted=len(graded),
        graded=len(outcomes),
        correct=sum(outcomes),
        interval=Interval(low=interval.low, high=interval.high) if interval else None,
        failed=Counter(_lost_at(result) for result, outcome in graded if outcome is None and _lost(result)),
        candidates_lost=Counter(failure.boundary for result in results for failure in result.failures),
        judgements=sum(result.judgements for result in results),
        tokens=role_tokens(_drawn(results).by_role, journal.paid()),
        seconds=journal.seconds(),
        stops=Counter(result.stop.value for result in results),
        notes=(*losses(results, _judges(searches)), *_notes(manifest, started, graded)),
        seed=manifest.seed,
        models=_models(manifest),
        run_directory=str(journal.directory),
        facts={
            "task": manifest.task,
            "limit": manifest.limit,
            "plan": manifest.plan_hash,
            "run": manifest.id,
            "select": _rules(searches),
            **_divergence(searches),
        },
    )


def _drawn(results: Sequence[Result]) -> Tally:
    tally = Tally()
    for result in results:
        for role, used in result.drawn + result.cancelled:
            tally.add(role, used)
    return tally


def _family(main: NodeFacts | None, manifest: Manifest) -> str:
    if main is None or len(manifest.nodes) > 1:
        return manifest.name or manifest.plan_hash
    return main.algorithm + (f" + {main.reward} ({main.select})" if main.reward else "")


def _described(node: NodeFacts) -> str:
    if node.kind != "search":
        return node.kind
    shown = {name: value for name, value in node.options.items() if value is not None and value is not False}
    options = ", ".join(f"{name}={_brief(value)}" for name, value in shown.items())
    return f"{node.algorithm}({options})" if options else node.algorithm


def _brief(value: JsonValue) -> str:
    """A value as it is; of a list of mappings only how many there are, the plan has them."""
    if isinstance(value, list) and any(isinstance(each, dict) for each in value):
        return str(len(value))
    return str(value)


def _reward_kind(searches: Sequence[NodeFacts]) -> RewardKind:
    """An oracle anywhere makes the whole result an oracle's."""
    sources = [node.reward_source for node in searches if node.reward_source is not None]
    if "oracle" in sources:
        return "oracle"
    return sources[0] if sources else "none"


def _judges(searches: Sequence[NodeFacts]) -> str:
    """Who made the judgements of a run."""
    rewards = [f"the reward {node.reward}" for node in searches if node.reward]
    pairs = ["the judge of pairs" for node in searches if "judge" in node.models]
    return " and ".join(dict.fromkeys(rewards + pairs)) or "the judge"


def _rules(searches: Sequence[NodeFacts]) -> str:
    return ", ".join(dict.fromkeys(node.select for node in searches))


def _divergence(searches: Sequence[NodeFacts]) -> dict[str, float]:
    """How far the best of N answers by a reward can be from the policy's own; nothing for any other strategy."""
    for node in searches[:1]:
        if len(searches) == 1 and (node.algorithm, node.select) == ("best_of_n", "naive") and node.most_draws:
            return {"KL from the policy at most, nats": round(bound(node.most_draws), 4)}
    return {}


def _lost(result: Result) -> bool:
    return result.answer is None and result.stop is StopReason.FAILED


def _lost_at(result: Result) -> str:
    boundaries = Counter(failure.boundary for failure in result.failures)
    return boundaries.most_common(1)[0][0] if boundaries else "unknown"


def _models(manifest: Manifest) -> tuple[ModelShown, ...]:
    roles: dict[str, dict[str, None]] = {}
    for node in manifest.nodes.values():
        for role, models in node.models.items():
            for model in models.split(", "):
                roles.setdefault(model, {})[role] = None
    shown = []
    for name, identity in manifest.models.items():
        facts = {key: value for key, value in identity.items() if key != "model" and value not in ("", None)}
        facts |= {"served by": manifest.served[name]} if name in manifest.served else {}
        called = str(identity.get("model") or name)
        shown.append(ModelShown(roles=tuple(roles.get(name, ())), name=called, facts=dict(facts)))
    return tuple(shown)


def _notes(manifest: Manifest, started: int, graded: Graded) -> list[str]:
    notes = []
    missing = max(started, manifest.problem_count or 0) - len(graded)
    if missing > 0:
        notes.append(f"{missing} of {missing + len(graded)} problems are not finished: the run can be resumed")
    starved = sum(1 for result, outcome in graded if outcome is None and result.stop.is_budget)
    if starved:
        notes.append(f"for {starved} problems a budget ended before an answer could be kept; they are not graded")
    ended = [result for result, outcome in graded if outcome is not None and result.stop.is_budget]
    if ended:
        notes.append(f"a budget ended the search for {len(ended)} of {len(graded)} problems")
    judging = any(node.reward for node in manifest.nodes.values())
    unseen = sum(1 for result in ended if judging and result.answer is not None and not result.judgements)
    if unseen:
        notes.append(
            f"{unseen} of these answers were chosen without a single judgement: they are not the reward's choice"
        )
    if _limits(manifest, "run") and any(result.stop.is_budget for result, _ in graded):
        notes.append("a budget of the whole run came to its end: which problems it cut short depends on timing")
    late = sum(1 for result, _ in graded if result.stop is StopReason.BUDGET_SECONDS)
    if late and _limits(manifest, "problem").get("seconds"):
        notes.append(f"the seconds of {late} problems ran out: how far each of them got depends on timing")
    return notes


def _limits(manifest: Manifest, scope: str) -> dict[str, JsonValue]:
    """The limits that the plan sets on a scope."""
    budget = manifest.plan.get("budget") if isinstance(manifest.plan, dict) else None
    limits = budget.get(scope) if isinstance(budget, dict) else None
    return limits if isinstance(limits, dict) else {}
