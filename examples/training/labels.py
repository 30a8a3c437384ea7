"""The labels file: one sampled solution a line, with a label for each of its steps."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator


class LabelledSolution(BaseModel):
    """A row of the labels file: a sampled solution with one label in [0, 1] for each step."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    problem: str = Field(min_length=1, max_length=100)
    steps: tuple[str, ...] = Field(min_length=1)
    labels: tuple[float, ...]

    @model_validator(mode="after")
    def _check(self) -> "LabelledSolution":
        if len(self.labels) != len(self.steps) or not all(0 <= label <= 1 for label in self.labels):
            raise ValueError("each step needs one label from 0 to 1")
        return self


def read_solutions(path: Path) -> Iterator[LabelledSolution]:
    """The rows of a labels file; pydantic's ValidationError for a line that is none."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield LabelledSolution.model_validate_json(line)
