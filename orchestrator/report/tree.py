"""Tree: a problem's search tree in networkx's node-link form, checked to be one tree.

``networkx.node_link_graph(json.loads(tree.model_dump_json()))`` reads it, and ``networkx.node_link_data`` of
a DiGraph with these node attributes is accepted as it is (``links`` may stand for ``edges``).
"""

from __future__ import annotations

from typing import Literal

from pydantic import AliasChoices, Field, model_validator

from branchwise.orchestrator.core.judgement import Scale
from branchwise.orchestrator.report.shown import Fact, Shown


class Node(Shown):
    """One candidate. ``id`` is its lineage ("root", "0", "0.2.1"); ``order`` says as which it was committed.

    ``text`` is what this node adds to its parent; ``step_scores`` has one entry a step of that text. ``score`` is
    the reward model's judgement, ``rationale`` what it said, cut where it is very long. ``expanded`` says as which
    node, from 1, children were first asked of it. What the search knew, None where it knows nothing of the kind:
    ``visits``, ``value`` (a mean of returns, say), ``prior``, and in ``extra`` what only some algorithm knows.
    ``votes`` are those for its answer, by vote or tournament. ``selected`` marks what the search returned;
    ``under_way`` is asked for and not yet told.
    """

    id: str
    text: str = ""
    observation: str | None = None
    score: float | None = None
    rationale: str | None = None
    step_scores: tuple[float | None, ...] = ()
    value: float | None = None
    visits: int | None = None
    prior: float | None = None
    order: int | None = None
    expanded: int | None = None
    stop: str | None = None
    answer: str | None = None
    correct: bool | None = None
    selected: bool = False
    votes: float | None = None
    cancelled: bool = False
    under_way: bool = False
    failure: str | None = None
    model: str | None = None
    tokens: int | None = None
    extra: dict[str, Fact] = Field(default_factory=dict)


class Edge(Shown):
    """From parent to child."""

    source: str
    target: str


class TreeFacts(Shown):
    """Whose tree this is, and on what scale its scores are."""

    strategy: str
    problem: str
    algorithm: str = ""
    scale: Scale = "probability"
    note: str = ""


class Tree(Shown):
    """Nodes and edges. Raises ValidationError unless they are one tree with one root."""

    directed: Literal[True] = True
    multigraph: Literal[False] = False
    graph: TreeFacts
    nodes: tuple[Node, ...] = Field(min_length=1)
    edges: tuple[Edge, ...] = Field((), validation_alias=AliasChoices("edges", "links"))

    @model_validator(mode="after")
    def _is_one_tree(self) -> Tree:
        parents = {edge.target: edge.source for edge in self.edges}
        ids = {node.id for node in self.nodes}
        roots = ids - parents.keys()
        whole = len(ids) == len(self.nodes) and parents.keys() | set(parents.values()) <= ids
        if not whole or len(parents) != len(self.edges) or len(roots) != 1:
            raise ValueError("a tree has unique nodes, known edge ends, one parent a node and one root")
        reached = list(roots)
        children: dict[str, list[str]] = {}
        for child, parent in parents.items():
            children.setdefault(parent, []).append(child)
        for node in reached:
            reached.extend(children.get(node, ()))
        if len(reached) != len(ids):
            raise ValueError("some nodes are not reached from the root: the edges hold a cycle")
        return self


def node_id(lineage: tuple[int, ...]) -> str:
    """The id of the node with this lineage."""
    return ".".join(map(str, lineage)) or "root"
