"""A generative judge of pairs: it thinks at length, and says at the end which of two answers is better.

1. Both answers are shown, and in the other order too. RM-R1's judge is to solve the task itself first, or to weigh a
   rubric where there is nothing to solve; Think-RM's thinks as long as it likes and ends with a letter or a strength.
2. ``samples`` are drawn of each order, and what each prefers is read from its end (preferences.py). The majority
   decides; samples that can't be read, were cut off or lost, with their ``retries``, have no vote.
3. Both orders have to agree, else one half (orders.py). An order without any vote makes the comparison a failure.

``ab_prompt`` is the judge that is not to think: it draws one token, whose probability tells how sure it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.judgement import Judgement, Source, failed, judged
from branchwise.orchestrator.core.options import Parts
from branchwise.orchestrator.core.placeholders import Placeholders
from branchwise.orchestrator.core.prompting import (
    Prompted,
    Reading,
    SamplingOptions,
    prompted,
    prompted_needs,
)
from branchwise.orchestrator.core.request import Request
from branchwise.orchestrator.core.roles import Pair
from branchwise.orchestrator.core.seeds import seed_by_content
from branchwise.orchestrator.core.together import together
from branchwise.orchestrator.core.usage import NOTHING, Usage
from branchwise.orchestrator.judges.orders import orders, same_verdict
from branchwise.orchestrator.judges.preferences import lettered, majority, signed, tagged

PROMPT: Final = """Two answers to one task are to be compared.

Task:
$problem

Answer A:
$first

Answer B:
$second

$form
"""

Parsing = Literal["rm_r1", "think_rm", "think_rm_signed"]


@dataclass(frozen=True, slots=True)
class JudgeFormat:
    """How a paper's judge is asked and read, and how it draws by default."""

    form: str
    read: Callable[[str], float | None]
    samples: int
    temperature: float
    max_tokens: int


_LETTER: Final = "\nEnd with the better one, <answer>A</answer> or <answer>B</answer>."
_STRENGTH: Final = """
End with a number from -3 to 3, but not 0, such as <answer>-2</answer>. It is negative where A is better, positive
where B is; 1 means slightly, 2 clearly, 3 by far.
"""
FORMATS: Final[Mapping[Parsing, JudgeFormat]] = {
    "rm_r1": JudgeFormat(
        "Is this a task with a right answer? Then solve it yourself first, and compare both with your solution.\n"
        "Else write a rubric with weights, say why, and judge both by it.\n"
        "End with the better one, <answer>[[A]]</answer> or <answer>[[B]]</answer>.",
        tagged, 1, 0.0, 8192,
    ),
    "think_rm": JudgeFormat("Think it over from all sides." + _LETTER, lettered, 4, 0.6, 16384),
    "think_rm_signed": JudgeFormat("Think it over from all sides." + _STRENGTH, signed, 4, 0.6, 16384),
}  # fmt: skip


class Options(SamplingOptions):
    """Options of the generative judge of pairs."""

    kind: Literal["pair_judge"] = "pair_judge"
    source: ClassVar[Source] = "judge"
    placeholders: ClassVar[Placeholders] = Placeholders(("first", "second"), ("problem", "form"))
    parsing: Parsing = Field("rm_r1", description="Whose form of verdict is asked for ($form) and read.")
    swap: bool = Field(True, description="Ask in both orders.")
    samples: int | None = Field(None, gt=0, description="Of each order; default: of rm_r1 1, of think_rm 4.")
    temperature: float | None = Field(None, ge=0, description="Of the samples; default: of rm_r1 0, of think_rm 0.6.")
    max_tokens: int | None = Field(None, gt=0, description="Of a sample; default: of rm_r1 8192, of think_rm 16384.")

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.drawn.samples > 1 and not self.drawn.temperature:
            raise ValueError("samples of temperature 0 are all the same: give a temperature, or draw one sample")
        return self

    @property
    def temperature_in_force(self) -> float:
        """That of the samples: it depends on whose judge it is where none is given."""
        return self.drawn.temperature

    @property
    def drawn(self) -> JudgeFormat:
        """The paper's judge, with what these options change."""
        default = FORMATS[self.parsing]
        return JudgeFormat(
            default.form,
            default.read,
            default.samples if self.samples is None else self.samples,
            default.temperature if self.temperature is None else self.temperature,
            default.max_tokens if self.max_tokens is None else self.max_tokens,
        )


@dataclass(frozen=True, slots=True)
class OrderVerdict:
    """What one order says: the first one shown is better, or not, or nothing; and a text to keep."""

    preference: float | None
    text: str


@dataclass(frozen=True, slots=True)
class PairJudge:
    """Asks a model about pairs, and lets it think."""

    options: Options
    asked: Prompted
    source: Source = Options.source

    async def compare(self, pairs: Sequence[Pair]) -> list[Judgement]:
        """1, 0 or one half for each, or why nothing could be said."""
        return await together([self._compare(pair) for pair in pairs])

    def bound(self, pair: Pair, more_tokens: int = 0) -> Usage:
        """All samples in each order."""
        calls, more = (
            self.options.drawn.samples * (1 + self.options.retries),
            2 * more_tokens * self.asked.places("first", "second"),
        )
        each = [self.asked.bound(self._request(one, 0), calls, more) for one in orders(pair, self.options.swap)]
        return sum(each, NOTHING)

    async def _compare(self, pair: Pair) -> Judgement:
        verdicts = await together([self._ask(one) for one in orders(pair, self.options.swap)])
        silent = next((each for each in verdicts if each.preference is None), None)
        if silent is not None:
            return failed("no preference can be read", self.source, silent.text)
        preferences = [each.preference for each in verdicts if each.preference is not None]
        return judged(same_verdict(*preferences), scale="probability", source=self.source)

    async def _ask(self, pair: Pair) -> OrderVerdict:
        drawn = await together([self._sample(pair, number) for number in range(self.options.drawn.samples)])
        samples = [sample for sample in drawn if sample is not None]
        return OrderVerdict(majority([each.found for each in samples]), samples[0].text if samples else "")

    async def _sample(self, pair: Pair, number: int) -> Reading[float] | None:
        try:
            return await self.asked.read(self._request(pair, number), self.options.drawn.read, self.options.retries)
        except BackendError:
            return None

    def _request(self, pair: Pair, number: int) -> Request:
        drawn, problem = self.options.drawn, pair.first.trajectory.problem
        prompt = self.asked.filled(
            problem=problem.text,
            first=pair.first.trajectory.text,
            second=pair.second.trajectory.text,
            form=drawn.form,
        )
        seed = seed_by_content(self.options.seed, "pair_judge", problem.id, prompt, number)
        return self.asked.request(prompt, max_tokens=drawn.max_tokens, temperature=drawn.temperature, seed=seed)


def needs(options: Options) -> dict[str, frozenset[str]]:
    """To be asked."""
    return prompted_needs(options)


def build(options: Options, parts: Parts) -> PairJudge:
    """The judge over its model."""
    return PairJudge(options, prompted(options, parts.model(options.model), PROMPT))
