"""Calibrated: another reward's value as the chance that the answer is right, by a curve fitted to graded runs.

1. The other reward judges.
2. Its value goes through the curve of ``calibration``: a file that ``branchwise calibrate`` wrote, or written out.
3. A calibration belongs to the reward that it was fitted to. Where its options, but for seeds, its scale or its
   models' identities are others, it is refused.

The value before is recorded as a factor; steps keep the other reward's scores. The curves: core/calibration.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, Self

from pydantic import Field, ValidationError, model_validator

from branchwise.orchestrator.core.calibration import Calibration
from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.judgement import Judgement, Scale, failed, judged
from branchwise.orchestrator.core.options import Parts, needs_of_part
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.rewards.wrapping import R, Wrapper, WrapperOptions, inner_reward, scale_of


class Options(WrapperOptions[R], Generic[R]):
    """Whose values, and the curve."""

    kind: Literal["calibrated"] = "calibrated"
    scale: ClassVar[Scale] = "probability"
    calibration: Path | Calibration = Field(
        description="A file that `branchwise calibrate` wrote, beside the workflow; or the curve itself.",
        examples=[{"curve": {"method": "platt", "slope": 2.0, "intercept": -1.0}}],
    )

    @model_validator(mode="after")
    def _once(self) -> Self:
        if self.reward.kind == self.kind:
            raise ValueError("the other reward is calibrated already: its values are chances, write it by itself")
        return self

    @property
    def scores_steps(self) -> bool:
        """As the other reward; not where its scores are no probabilities."""
        return self.reward.scores_steps and scale_of(self.reward) == "probability"

    @property
    def reducer(self) -> None:
        """None: step scores are not calibrated."""
        return None

    @property
    def described(self) -> str:
        """What a table calls it."""
        return f"{self.reward.described}, calibrated"


@dataclass(frozen=True, slots=True)
class Calibrated(Wrapper[Options[Any]]):
    """A reward model whose values are chances of being right."""

    calibration: Calibration

    def made(self, value: float, judgement: Judgement, trajectory: Trajectory) -> Judgement:
        """The chance that the answer is right; a value on another scale than the curve's is a failure."""
        if judgement.scale != self.calibration.scale:
            reason = f"a {judgement.scale} score, and a calibration of {self.calibration.scale} scores"
            return failed(reason, self.source, judgement.rationale)
        kept = judgement.step_values if judgement.scale == "probability" else ()
        made = judged(self.calibration.chance(value), scale="probability", source=self.source, step_values=kept)
        return replace(made, factors=(("uncalibrated", value),), rationale=judgement.rationale)


def build(options: Options[Any], parts: Parts) -> Calibrated:
    """The reward around the other one. ConfigError where the calibration can't be read, or is another's."""
    calibration, scale = _read(options.calibration, parts.directory), scale_of(options.reward)
    if calibration.scale != scale:
        raise ConfigError(
            f"the calibration takes {calibration.scale} scores, and {options.reward.kind} gives {scale} ones"
        )
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
    written, fitted = _unseeded(options.reward.model_dump(mode="json")), _unseeded(calibration.reward)
    yield from (key for key in written | fitted if written.get(key) != fitted.get(key))
    for name in needs_of_part(options.reward):
        identity = parts.model(name).identity
        if identity.known and asdict(identity) != calibration.models.get(name):
            yield f"the model {name}"


def _unseeded(written: Any) -> Any:
    """Options without seeds: they decide what is drawn, and not how likely a value is right."""
    if isinstance(written, list):
        return list(map(_unseeded, written))
    if isinstance(written, dict):
        return {key: _unseeded(value) for key, value in written.items() if key != "seed"}
    return written
