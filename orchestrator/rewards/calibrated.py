"""Calibrated: another reward's value as the chance that the answer is right, by a curve fitted to graded runs.

1. The other reward judges.
2. Its value goes through the curve of ``calibration``: a file that ``branchwise calibrate`` wrote, or written out.
3. A calibration belongs to the reward that it was fitted to. Where its options or its models' identities are others,
   it is refused.

The value before is recorded as a factor; steps keep the other reward's scores. The curves: core/calibration.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal

from pydantic import Field, ValidationError

from branchwise.orchestrator.core.calibration import Calibration
from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.judgement import Judgement, Scale, Source, failed, judged
from branchwise.orchestrator.core.options import Parts, needs_of_part, source_of
from branchwise.orchestrator.core.request import Identity
from branchwise.orchestrator.core.roles import RewardModel
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.core.usage import Usage
from branchwise.orchestrator.rewards.wrapping import R, WrapperOptions, inner_reward


class Options(WrapperOptions[R], Generic[R]):
    """Whose values, and the curve."""

    kind: Literal["calibrated"] = "calibrated"
    scale: ClassVar[Scale] = "probability"
    calibration: Path | Calibration = Field(
        description="A file that `branchwise calibrate` wrote, beside the workflow; or the curve itself.",
        examples=[{"curve": {"method": "platt", "slope": 2.0, "intercept": -1.0}}],
    )

    @property
    def reducer(self) -> None:
        """None: step scores are not calibrated."""
        return None

    @property
    def described(self) -> str:
        """What a table calls it."""
        return f"{self.reward.kind}, calibrated"


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A reward model whose values are chances."""

    options: Options[Any]
    reward: RewardModel
    calibration: Calibration

    @property
    def source(self) -> Source:
        return source_of(self.options)

    async def score(self, trajectories: Sequence[Trajectory]) -> list[Judgement]:
        """The chance that each is right; a value on another scale than the curve's is a failure."""
        return [self._calibrated(each) for each in await self.reward.score(trajectories)]

    def bound(self, trajectory: Trajectory, max_new_tokens: int, max_new_steps: int | None = None) -> Usage:
        """That of the other reward."""
        return self.reward.bound(trajectory, max_new_tokens, max_new_steps)

    def _calibrated(self, judgement: Judgement) -> Judgement:
        if judgement.value is None:
            return judgement
        if judgement.scale != self.calibration.scale:
            reason = f"a {judgement.scale} score, and a calibration of {self.calibration.scale} scores"
            return failed(reason, self.source, judgement.rationale)
        kept = judgement.step_values if judgement.scale == "probability" else ()
        value = self.calibration.chance(judgement.value)
        made = judged(value, scale="probability", source=self.source, step_values=kept)
        return replace(made, factors=(("uncalibrated", judgement.value),), rationale=judgement.rationale)


def build(options: Options[Any], parts: Parts) -> Calibrated:
    """The reward around the other one. ConfigError where the calibration can't be read, or is another's."""
    calibration = _read(options.calibration, parts.directory)
    if different := sorted(_different(options, calibration, parts)):
        raise ConfigError(
            f"the calibration was fitted to another reward; different are {', '.join(different)}: "
            "fit it again by `branchwise calibrate`"
        )
    return Calibrated(options, inner_reward(options.reward, parts), calibration)


def _read(given: Path | Calibration, directory: Path) -> Calibration:
    if isinstance(given, Calibration):
        return given
    try:
        return Calibration.model_validate_json((directory / given).read_text(encoding="utf-8"))
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"calibration {given}: {getattr(error, 'strerror', None) or error}") from error
    except ValidationError as error:
        raise ConfigError(f"calibration {given}: {error.errors()[0]['msg']}") from error


def _different(options: Options[Any], calibration: Calibration, parts: Parts) -> Iterator[str]:
    """In what the reward is not the one that was calibrated."""
    if not calibration.reward:
        return
    written = options.reward.model_dump(mode="json")
    yield from (key for key in written | calibration.reward if written.get(key) != calibration.reward.get(key))
    for name in needs_of_part(options.reward):
        identity, fitted = parts.model(name).identity, calibration.models.get(name)
        unknown = identity == Identity(identity.model)  # as while a workflow is checked, without its models
        if not unknown and asdict(identity) != fitted:
            yield f"the model {name}"
