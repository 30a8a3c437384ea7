"""A search as one node of a langgraph graph of your own.

python examples/in_your_own_graph.py
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph

from branchwise import as_node

WORKFLOW = Path(__file__).parent / "workflows" / "best_of_n_calculator.yaml"


class State(TypedDict, total=False):
    """What travels along your edges."""

    problem: str
    answer: str | None
    sentence: str


async def main() -> None:
    """Search for the answer, then make a sentence of it."""
    builder: Any = StateGraph(State)
    builder.add_node("search", as_node(WORKFLOW, seed=7))  # reads "problem", writes "answer"
    builder.add_node("tell", lambda state: {"sentence": f"{state['problem']} is {state['answer']}."})
    builder.add_edge(START, "search")
    builder.add_edge("search", "tell")
    builder.add_edge("tell", END)
    state = await builder.compile().ainvoke({"problem": "12+30*2"})
    print(state["sentence"])


if __name__ == "__main__":
    asyncio.run(main())
