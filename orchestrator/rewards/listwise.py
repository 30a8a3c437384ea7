"""RewardAnything: a model that scores and ranks all answers to a problem at once, by a principle in plain words.

1. All answers to a problem that are scored together are shown in one call, in an order of chance, under the names
   ``model-1``, ``model-2`` and so on; one alone is shown alone.
2. The model replies with JSON: ``scores``, 1 to 5 by name, and ``best-to-worst``, a list of the names (rankings.py).
3. An answer's score is its value, by default as a probability, (score - 1) / 4; one without a score is a failure. A
   reply without any score, or that was cut off, is drawn anew ``retries`` times.
4. Where the order is complete, a factor says how far it agrees with the scores (``consistency``), and each answer's
   place in it is another (``rank``).

The engine scores together what a node draws ``together`` in one expansion; else every answer stands alone.

Yu et al. 2025, "RewardAnything: Generalizable Principle-Following Reward Models", arXiv 2506.03637.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final, Literal

from pydantic import Field

from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.judgement import Judgement, failed, judged
from branchwise.orchestrator.core.options import Parts
from branchwise.orchestrator.core.placeholders import Placeholders
from branchwise.orchestrator.core.prompting import SOURCE, Prompted, SamplingOptions, prompted, prompted_needs
from branchwise.orchestrator.core.request import Request
from branchwise.orchestrator.core.seeds import seed_by_content
from branchwise.orchestrator.core.together import together
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.core.usage import Usage
from branchwise.orchestrator.rewards.bases import Base
from branchwise.orchestrator.rewards.groups import Group, alone, grouped, in_batch, side_by_side
from branchwise.orchestrator.rewards.rankings import (
    HIGHEST,
    LOWEST,
    NO_RANKING,
    Ranking,
    agreement,
    by_order,
    ranking_in,
)

PROMPT: Final = """Several models answered a prompt. Judge their answers by one principle, and by nothing else.

Principle:
$principle

Prompt:
$problem

$responses

Think about how well each answer follows the principle. Then reply with one JSON object: under "scores" a whole number
from 1 (not at all) to 5 (perfectly) for each name, under "best-to-worst" the list of all names, such as
{"scores": {"model-1": 3}, "best-to-worst": ["model-1"]}
"""
NAME: Final = "model-"
PRINCIPLE: Final = "The correct result counts most, then steps that can be checked, then brevity."


class Options(SamplingOptions):
    """Options of the listwise judge."""

    kind: Literal["listwise"] = "listwise"
    source: Literal["learned", "judge"] = Field("learned", description=SOURCE)
    scores_steps: ClassVar[bool] = False
    placeholders: ClassVar[Placeholders] = Placeholders(("responses",), ("problem", "principle"))
    told: ClassVar[tuple[str, ...]] = ("principle",)
    principle: str = Field(PRINCIPLE, description="What to judge by, in plain words; $principle in the template.")
    scale: Literal["probability", "raw"] = Field("probability", description="raw: the scores from 1 to 5.")
    temperature: float = Field(0.0, ge=0, description="Sampling temperature.")
    max_tokens: int = Field(2048, gt=0, description="Most tokens of a reply.")

    @property
    def sampled(self) -> bool:
        """True: the seed decides in which order answers are shown."""
        return True


@dataclass(frozen=True, slots=True)
class Listwise(Base[Options]):
    """Scores groups by a principle."""

    asked: Prompted

    async def score(self, trajectories: Sequence[Trajectory]) -> list[Judgement]:
        """A score each, of one call a group."""
        groups = grouped(trajectories)
        return in_batch(groups, await together([self._score(group) for group in groups]))

    def bound(self, trajectory: Trajectory, max_new_tokens: int, max_new_steps: int | None = None) -> Usage:
        """A call of its own: those of a group share one, and use no more than each alone would."""
        request = self._request(alone(trajectory), [0])
        return self.asked.bound(
            request, 1 + self.options.retries, 2 * max_new_tokens * self.asked.places("responses")
        )

    async def _score(self, group: Group) -> list[Judgement]:
        order = group.shuffled(self.options.seed, "listwise")
        names = {response: f"{NAME}{place}" for place, response in enumerate(order, 1)}
        request, shown = self._request(group, order), list(names.values())
        try:
            reading = await self.asked.read(request, lambda text: _ranking(text, shown), self.options.retries)
        except BackendError as error:
            return [failed(str(error), self.source) for _ in order]
        ranking = reading.found or NO_RANKING
        return [self._judged(ranking, names[response], reading.text) for response in range(len(order))]

    def _judged(self, ranking: Ranking, name: str, text: str) -> Judgement:
        score = ranking.scores.get(name)
        if score is None:
            return failed(f"no score from {LOWEST} to {HIGHEST} can be read for this answer", self.source, text)
        share = (score - LOWEST) / (HIGHEST - LOWEST)
        value = share if self.options.scale == "probability" else float(score)
        factors = [("score", float(score))]
        if ranking.order:
            consistency = agreement(dict(ranking.scores), by_order(ranking.order))
            factors += [("rank", 1.0 + ranking.order.index(name)), ("consistency", consistency)]
        return replace(judged(value, scale=self.options.scale, source=self.source), factors=tuple(factors))

    def _request(self, group: Group, order: Sequence[int]) -> Request:
        options, responses = self.options, side_by_side(NAME, [group.texts[response] for response in order])
        prompt = self.asked.filled(problem=group.problem.text, responses=responses, principle=options.principle)
        seed = seed_by_content(options.seed, "listwise", group.problem.id, prompt)
        return self.asked.request(prompt, max_tokens=options.max_tokens, temperature=options.temperature, seed=seed)


def _ranking(text: str, names: list[str]) -> Ranking | None:
    """What a reply says of the answers of these names; None where it scores none of them."""
    ranking = ranking_in(text, names)
    return ranking if ranking.scores else None


def needs(options: Options) -> dict[str, frozenset[str]]:
    """To be asked."""
    return prompted_needs(options)


def build(options: Options, parts: Parts) -> Listwise:
    """The reward over its model."""
    return Listwise(options, prompted(options, parts.model(options.model), PROMPT))
