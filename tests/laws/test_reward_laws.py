"""The laws of reward models, over every kind on disk that needs no model.

Same length, same order; a batch is judged as its members are one by one; empty in, empty out; hostile text
never raises. A kind that calls models has an option ``model`` and is tried elsewhere.
"""

import asyncio
import importlib
import random
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from branchwise.orchestrator import rewards
from branchwise.orchestrator.core.judgement import Judgement
from branchwise.orchestrator.core.options import Options, Parts
from branchwise.orchestrator.core.problem import Problem, problem
from branchwise.orchestrator.core.roles import Backend, RewardModel
from branchwise.orchestrator.core.trajectory import Step, StopReason, Trajectory
from branchwise.orchestrator.core.usage import NOTHING
from branchwise.orchestrator.workflow import spec
from branchwise.sandboxes.calculator import evaluate
from branchwise.tasks import constrained_sentence


def modules() -> list[ModuleType]:
    """Every kind's module, found as plug-ins are: a file with Options and build; those with a model call it."""
    names = sorted(path.stem for path in Path(str(rewards.__path__[0])).glob("*.py") if path.stem != "__init__")
    found = [importlib.import_module(f"{rewards.__name__}.{name}") for name in names]
    kinds = [each for each in found if hasattr(each, "build")]
    return [each for each in kinds if "model" not in each.Options.model_fields]


def example_options(kind: type[Options]) -> Options:
    """The defaults, and the first documented example of each field that must be given."""
    required = {name: field for name, field in kind.model_fields.items() if field.is_required()}
    values: dict[str, Any] = {name: (field.examples or [None])[0] for name, field in required.items()}
    return ANY.validate_python({"kind": kind.model_fields["kind"].default, **values})


def no_model(name: str) -> Backend:
    raise AssertionError(f"a kind without an option for it asked for the model {name}")


ANY: TypeAdapter[Options] = TypeAdapter(spec.Reward)
PARTS = Parts(no_model, lambda trajectory: None, evaluate=evaluate)
MODULES = modules()
SENTENCE = next(constrained_sentence.build(constrained_sentence.Options(count=1)).problems())
PROBLEMS = [problem("47+38*3-95", "chain"), problem("How many eggs?", "eggs"), problem("", "empty"), SENTENCE]
STEPS = ["47+38=85\n", "85*3=255\n", "255-95=160", "47+38=84\n", "2 + 2 = 5", "", "\n", "The old dog sat here."]
STEPS += ["9**9**9=1", "(" * 5000 + "1=1", "1+" * 5000 + "1=1", "=" * 5000, "\x00\ud800", "nan", "__import__('os')"]

SHORT_STEPS = [text for text in STEPS if len(text) < 100]


def trajectory(of: Problem, texts: list[str], stop: StopReason | None = None) -> Trajectory:
    return Trajectory(of, tuple(Step(text, score=0.5) for text in texts), tuple(range(len(texts))), stop)


def made(module: ModuleType) -> RewardModel:
    reward: RewardModel = module.build(example_options(module.Options), PARTS)
    return reward


def scored(reward: RewardModel, trajectories: list[Trajectory]) -> list[Judgement]:
    return asyncio.run(reward.score(trajectories))


def test_the_kinds_are_found() -> None:
    assert {"calculator", "ensemble", "flipped", "rule", "transformed", "voted"} <= {
        each.__name__.rpartition(".")[2] for each in MODULES
    }


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
class TestLaws:
    def test_its_kind_is_its_file(self, module: ModuleType) -> None:
        assert example_options(module.Options).kind == module.__name__.rpartition(".")[2]
        assert all(field.description for name, field in module.Options.model_fields.items() if name != "kind")
        assert module.__doc__

    def test_empty_in_empty_out(self, module: ModuleType) -> None:
        assert scored(made(module), []) == []

    def test_same_length_same_order_batch_as_one_by_one(self, module: ModuleType) -> None:
        rng = random.Random(1)
        reward = made(module)
        batch = [trajectory(rng.choice(PROBLEMS), rng.choices(STEPS, k=rng.randrange(5))) for _ in range(60)]
        together = scored(reward, batch)
        assert together == [scored(reward, [each])[0] for each in batch]
        assert scored(reward, batch[::-1]) == together[::-1]

    def test_a_judgement_fits_its_trajectory(self, module: ModuleType) -> None:
        reward = made(module)
        for texts in ([], STEPS[:1], STEPS[:3], STEPS):
            for stop in (None, StopReason.ANSWERED, StopReason.MAX_TOKENS):
                each = trajectory(PROBLEMS[0], texts, stop)
                [judgement] = scored(reward, [each])
                assert judgement.source == reward.source
                assert len(judgement.step_values) in (0, len(texts))
                if judgement.value is not None and judgement.scale == "probability":
                    assert all(0 <= value <= 1 for value in (judgement.value, *judgement.step_values))

    def test_what_needs_no_model_costs_nothing(self, module: ModuleType) -> None:
        assert made(module).bound(trajectory(PROBLEMS[0], STEPS[:1]), 512) == NOTHING

    @given(st.sampled_from(PROBLEMS), st.lists(st.text() | st.sampled_from(SHORT_STEPS), max_size=4))
    def test_hostile_text_never_raises(self, module: ModuleType, of: Problem, texts: list[str]) -> None:
        assert len(scored(made(module), [trajectory(of, texts)])) == 1
