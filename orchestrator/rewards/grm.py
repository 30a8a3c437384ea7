"""DeepSeek-GRM: a generative reward model that states its principles, criticises, and scores from 1 to 10.

1. All answers to a problem that are scored together are shown side by side; one alone is shown alone.
2. The model writes principles for this very problem, a critique by them, and a whole number for each answer.
3. ``votes`` are sampled, each with the answers in another order. They are put back in order and summed (votes.py).
4. With a ``meta`` reward, which judges each vote's critique by the prompt that it answers, only the ``keep`` best
   votes count. A vote that can't be read, was cut off or lost, with its ``retries``, does not count; without any the
   judgement is a failure.

The value is the sum S of the k votes that counted, by default as a probability, (S - k) / 9k; ``raw`` is S, as if as
many votes had counted as are to, so that answers with and without lost votes can be compared. The
engine scores together what a node draws ``together`` in one expansion; else every answer stands alone in its group.

Liu et al. 2025, "Inference-Time Scaling for Generalist Reward Modeling", arXiv 2504.02495.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, Generic, Literal, Self

from pydantic import Field, model_validator

from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.judgement import Judgement, failed, judged
from branchwise.orchestrator.core.options import Parts
from branchwise.orchestrator.core.placeholders import Placeholders
from branchwise.orchestrator.core.problem import problem
from branchwise.orchestrator.core.prompting import SOURCE, Prompted, SamplingOptions, prompted, prompted_needs
from branchwise.orchestrator.core.request import Request
from branchwise.orchestrator.core.roles import RewardModel
from branchwise.orchestrator.core.seeds import seed_by_content
from branchwise.orchestrator.core.together import together
from branchwise.orchestrator.core.trajectory import Step, StopReason, Trajectory
from branchwise.orchestrator.core.usage import Usage
from branchwise.orchestrator.rewards.bases import Base
from branchwise.orchestrator.rewards.groups import Group, alone, grouped, in_batch, side_by_side
from branchwise.orchestrator.rewards.votes import HIGHEST, LOWEST, best_votes, put_back, scores_in, summed
from branchwise.orchestrator.rewards.wrapping import R, inner_reward

PROMPT: Final = """You are scoring responses to a query. They may be unfinished: then score what is there.

Query:
$problem

$responses

First state the principles by which responses to this very query should be judged, with a weight each. Then criticise
each response by them. In the last line give a whole number from 1 (worthless) to 10 (flawless) for each response, in
the order in which they are shown, in one box such as \\boxed{$example}, and nothing else.
"""
HEADING: Final = "Response "


class Options(SamplingOptions, Generic[R]):
    """Options of the generative reward model."""

    kind: Literal["grm"] = "grm"
    source: Literal["learned", "judge"] = Field("learned", description=SOURCE)
    scores_steps: ClassVar[bool] = False
    placeholders: ClassVar[Placeholders] = Placeholders(("responses",), ("problem", "example"))
    votes: int = Field(8, gt=0, description="Samples of principles, critique and scores.")
    meta: R | None = Field(None, description="A reward, of any kind, that judges the critiques; default: none.")
    keep: int | None = Field(None, gt=0, description="Votes that count, by the meta reward; default: half of them.")
    scale: Literal["probability", "raw"] = Field(
        "probability", description="raw: the sum of the votes; lost ones count as the mean of the others."
    )
    temperature: float = Field(0.5, ge=0, description="Sampling temperature.")
    max_tokens: int = Field(2048, gt=0, description="Most tokens of a vote.")

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.keep is not None and self.meta is None:
            raise ValueError("keep chooses by a meta reward, and there is none")
        if self.keep is not None and self.keep > self.votes:
            raise ValueError("keep is at most the number of votes")
        return self

    @property
    def counted(self) -> int:
        """Votes that count at most."""
        return self.votes if self.meta is None else self.keep or max(1, self.votes // 2)

    @property
    def sampled(self) -> bool:
        """True: the seed decides in which order answers are shown."""
        return True


@dataclass(frozen=True, slots=True)
class Vote:
    """One reply: what it was asked, its text, and its scores by answer if they can be read."""

    prompt: str
    text: str
    scores: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Grm(Base[Options[Any]]):
    """Scores groups."""

    asked: Prompted
    meta: RewardModel | None = None

    async def score(self, trajectories: Sequence[Trajectory]) -> list[Judgement]:
        """The sums of the votes on each; all of a group fail together."""
        groups = grouped(trajectories)
        return in_batch(groups, await together([self._score(group) for group in groups]))

    def bound(self, trajectory: Trajectory, max_new_tokens: int, max_new_steps: int | None = None) -> Usage:
        """Its own votes: those of a group share their calls, and use no more than each alone would."""
        single, votes = alone(trajectory), self.options.votes
        request, more = self._request(single, [0], 0), 2 * max_new_tokens * self.asked.places("responses")
        used = self.asked.bound(request, votes * (1 + self.options.retries), more)
        if self.meta is None:
            return used
        judging = self.meta.bound(self._as_answer(self._prompt(single, [0]), ""), self.options.max_tokens + more, 1)
        return sum((judging for _ in range(votes)), used)

    async def _score(self, group: Group) -> list[Judgement]:
        votes = await together([self._vote(group, number) for number in range(self.options.votes)])
        counted = await self._counted([vote for vote in votes if vote.scores is not None])
        if not counted:
            lost = failed("no vote can be counted", self.source, votes[0].text)
            return [lost for _ in group.texts]
        return [self._judged(total, len(counted)) for total in summed(counted)]

    async def _vote(self, group: Group, number: int) -> Vote:
        order = group.shuffled(self.options.seed, "grm", number)
        prompt = self._prompt(group, order)
        try:
            reading = await self.asked.read(
                self._request(group, order, number), lambda text: scores_in(text, len(order)), self.options.retries
            )
        except BackendError as error:
            return Vote(prompt, str(error))
        return Vote(prompt, reading.text, None if reading.found is None else put_back(reading.found, order))

    async def _counted(self, votes: Sequence[Vote]) -> list[tuple[int, ...]]:
        """The scores of the votes that count: of all, or of those that the meta reward thinks best of."""
        known = [(vote.scores, 0.0) for vote in votes if vote.scores is not None]
        if self.meta is not None:
            verdicts = await self.meta.score([self._as_answer(vote.prompt, vote.text) for vote in votes])
            judged = zip(known, verdicts, strict=True)
            known = [(scores, verdict.value) for (scores, _), verdict in judged if verdict.value is not None]
        return best_votes([scores for scores, _ in known], [value for _, value in known], self.options.counted)

    def _judged(self, total: int, votes: int) -> Judgement:
        share = (total - LOWEST * votes) / ((HIGHEST - LOWEST) * votes)
        value = share if self.options.scale == "probability" else total * self.options.counted / votes
        judgement = judged(value, scale=self.options.scale, source=self.source)
        return replace(judgement, factors=(("sum", float(total)), ("votes", float(votes))))

    def _request(self, group: Group, order: Sequence[int], number: int) -> Request:
        prompt = self._prompt(group, order)
        seed = seed_by_content(self.options.seed, "grm", group.problem.id, prompt, number)
        options = self.options
        return self.asked.request(prompt, max_tokens=options.max_tokens, temperature=options.temperature, seed=seed)

    def _prompt(self, group: Group, order: Sequence[int]) -> str:
        responses = side_by_side(HEADING, [group.texts[response] for response in order])
        example = ", ".join("7" for _ in order)
        return self.asked.filled(problem=group.problem.text, responses=responses, example=example)

    def _as_answer(self, prompt: str, text: str) -> Trajectory:
        """A vote's critique as the answer to its prompt, for the meta reward."""
        return Trajectory(problem(prompt), (Step(text),), stop=StopReason.ANSWERED)


def needs(options: Options[Any]) -> dict[str, frozenset[str]]:
    """To be asked."""
    return prompted_needs(options)


def build(options: Options[Any], parts: Parts) -> Grm:
    """The reward over its model, and the meta reward over its own."""
    meta = inner_reward(options.meta, parts) if options.meta is not None else None
    return Grm(options, prompted(options, parts.model(options.model), PROMPT), meta)
