"""Workflow: what a user may write, as closed models. The same models serve YAML, Python and the JSON Schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, Union

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypeAliasType

from branchwise.orchestrator.core import tournaments
from branchwise.orchestrator.core.budget import Budget
from branchwise.orchestrator.core.options import AnyJudge, JudgingOptions, ModelOptions, Options
from branchwise.orchestrator.core.selection import Rule
from branchwise.orchestrator.plugins import Role, usable

END = "end"


def _one_of(role: Role, itself: Any) -> Any:
    """The tagged union of a role's options, where generic ones hold ``itself``; broken plug-ins are left out."""
    options = [_over(kind.module.Options, itself) for kind in usable(role).values()]
    return Annotated[Union[tuple(options)], Field(discriminator="kind")]  # noqa: UP007 - made at run time


def _over(options: Any, itself: Any) -> Any:
    variables = getattr(options, "__parameters__", ())
    return options[Judge if variables[0] is AnyJudge else itself] if variables else options


if TYPE_CHECKING:
    Algorithm: TypeAlias = Options
    Reward: TypeAlias = JudgingOptions
    Judge: TypeAlias = JudgingOptions
    Agent: TypeAlias = Options
    Model: TypeAlias = ModelOptions
else:  # names that stand for the unions, as parts of a role may hold parts of that role, in any depth
    Judge, Algorithm, Reward = (TypeAliasType(name, f"_{name}") for name in ("Judge", "Algorithm", "Reward"))
    _Judge, _Algorithm, _Reward = _one_of("judge", Judge), _one_of("search", Algorithm), _one_of("reward", Reward)
    Agent, Model = _one_of("agent", None), _one_of("backend", None)


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Node(_Closed):
    next: str | dict[str, str] = Field(
        END, description="The node that follows, or by route: a reviewer's routes are accept and revise."
    )
    max_visits: int | None = Field(None, gt=0, description="Times this node may be entered for one problem.")
    otherwise: str = Field(END, description="Where to go instead when max_visits is used up.")


class Tournament(_Closed):
    """A tournament among the finished answers of a search."""

    rule: tournaments.Rule = Field("knockout", description="Who is compared with whom, and what makes the winner.")
    judge: Judge = Field(description="Who compares.")
    rounds: int = Field(
        2, gt=0, description="Of bootstrap: references. Of bradley_terry: neighbours that each one is compared with."
    )
    pool: int = Field(16, gt=0, le=64, description="Most candidates that take part: those of the greatest value.")
    distinct: bool = Field(True, description="One candidate for each answer, that of the greatest value.")
    seeding: Literal["value", "chance"] = Field(
        "value", description="Order of the candidates, in which ties are decided and the knockout's bracket is made."
    )


class SearchNode(_Node):
    """A node that searches: an algorithm grows trajectories that a policy proposes and a reward judges."""

    kind: Literal["search"] = "search"
    algorithm: Algorithm = Field(description="Where to look next.")
    policy: Agent = Field(description="Who proposes.")
    policies: dict[str, Agent] = Field(
        default_factory=dict,
        description="Further policies by name for algorithms that choose; the one above is 'policy'.",
    )
    reward: Reward | None = Field(None, description="Who judges.")
    select: Rule | None = Field(
        None,
        description="Which finished answer wins; default: the algorithm's own rule if it has one, else weighted with "
        "a reward, majority without.",
    )
    tournament: Tournament | None = Field(
        None, description="Instead of select: comparing finished answers in pairs, after the search."
    )
    together: bool = Field(
        False, description="Draw an expansion's children in one request, and score them when all of them are there."
    )
    window: int = Field(64, gt=0, description="Most tickets out at once: the logical room.")
    commit: Literal["ticket", "arrival"] = Field(
        "ticket", description="Order in which outcomes are told; arrival gives up equality between runs."
    )

    @property
    def rule(self) -> Rule:
        """The selection rule in force."""
        own: Rule = getattr(self.algorithm, "own_select", "weighted" if self.reward is not None else "majority")
        return self.select or own


class AgentNode(_Node):
    """A node in which one agent speaks once."""

    kind: Literal["agent"] = "agent"
    agent: Agent = Field(description="Who speaks.")


Node = Annotated[SearchNode | AgentNode, Field(discriminator="kind")]


class JournalOptions(_Closed):
    """How the run is recorded."""

    durability: Literal["normal", "full"] = Field(
        "normal", description="normal survives kill -9; full survives loss of power, at 2 ms a write."
    )
    content: bool = Field(True, description="Keep texts; without them nothing can be replayed.")


class Workflow(_Closed):
    """A checked graph of agents and searches, with the models they speak through and the budget they have."""

    version: Literal[1] = Field(1, description="Version of this format.")
    name: str = Field("", description="Shown in tables.")
    description: str = Field("", description="One sentence on what it does.")
    models: dict[str, Model] = Field(
        default_factory=dict, description="Models by the name used below; none where no part speaks through one."
    )
    nodes: dict[str, Node] = Field(min_length=1, description="The graph; the first node is the start.")
    start: str | None = Field(None, description="The node to begin with; default: the first.")
    budget: Budget = Field(default_factory=Budget, description="Limits on the run, each problem, each branch.")
    journal: JournalOptions = Field(default_factory=JournalOptions, description="How the run is recorded.")

    @property
    def first(self) -> str:
        """The node to begin with."""
        return self.start or next(iter(self.nodes))


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a workflow file, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Workflow.model_json_schema()}
