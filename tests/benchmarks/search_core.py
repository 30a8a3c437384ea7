"""The pure core of tree search against a bare asyncio skeleton of the same tree: expansions, seconds, megabytes.

Each expansion brings one child, judged at once by a function of its address; four leaves are under way. The skeleton
is what one would write by hand: nodes with slots, four workers that select, await the evaluator (which yields to the
loop once) and back up. Both use the same evaluator, which makes a candidate of a trajectory, and the collector as
calm as in a run. The skeleton knows no tickets, failures, equal children, exhausted branches, saving or room. That
both grew one tree is checked. Seconds are CPU seconds, so that a busy machine matters less; each measurement has a
process of its own, the two alternate, and the ratio is the median of the pairs'. The curve takes the least of three.

    python -m tests.benchmarks.search_core [--expansions N] [--pairs N] [--curve] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

from branchwise.orchestrator.core.expansion import Candidate, Expansion, Outcome
from branchwise.orchestrator.core.judgement import Judgement
from branchwise.orchestrator.core.problem import problem
from branchwise.orchestrator.core.trajectory import Step, Trajectory
from branchwise.orchestrator.engine.collecting import calm_collector
from branchwise.orchestrator.search.mcts import Options, build

CHILDREN, IN_FLIGHT = 4, 4
CURVE = (10_000, 30_000, 100_000, 300_000, 1_000_000)
MASK = 2**61 - 1


@dataclass(frozen=True)
class Measured:
    """One way to grow one tree: CPU seconds, peak megabytes, visits of the root's children."""

    who: str
    expansions: int
    seconds: float
    megabytes: float
    tree: tuple[int, ...]

    @property
    def microseconds(self) -> float:
        """Of an expansion."""
        return 1e6 * self.seconds / self.expansions


def grown(parent: Trajectory, k: int) -> Candidate:
    """Child ``k``, with a value in [0, 1) that is a function of its address: what an evaluator brings."""
    place = int(parent.steps[-1].text) if parent.steps else 1
    place = (place * 6364136223846793005 + (k + 1) * 1442695040888963407) & MASK
    return Candidate(parent.extend((Step(str(place)),), k), None, Judgement((place >> 20) % 1_000_003 / 1_000_003))


class Bare:
    """A node of the skeleton."""

    __slots__ = ("asked", "children", "parent", "pending", "trajectory", "value", "visits")

    def __init__(self, parent: Bare | None, trajectory: Trajectory) -> None:
        self.parent, self.trajectory = parent, trajectory
        self.children: list[Bare] = []
        self.visits = self.pending = self.asked = 0
        self.value = 0.0


def uct(node: Bare, parent_visits: float) -> float:
    """The rule; what is under way counts as a visit."""
    visits = node.visits + node.pending
    return node.value + math.sqrt(math.log(parent_visits) / visits)


def select(root: Bare) -> list[Bare]:
    """The way to a node that has children to come."""
    path, node = [root], root
    while node.asked == CHILDREN:
        visits = node.visits + node.pending
        node = max(node.children, key=lambda child: uct(child, visits))
        path.append(node)
    return path


def back_up(path: list[Bare], value: float) -> None:
    """Running means up to the root."""
    for node in path:
        node.visits += 1
        node.value += (value - node.value) / node.visits


async def evaluate(parent: Trajectory, k: int) -> Candidate:
    """The instant evaluator."""
    await asyncio.sleep(0)
    return grown(parent, k)


async def skeleton(expansions: int) -> tuple[int, ...]:
    """Grow the tree with workers; no more of them than a node has children, so that there is always a way on."""
    root, numbers = Bare(None, Trajectory(problem("a toy"))), iter(range(expansions))

    async def worker() -> None:
        for _ in numbers:
            path = select(root)
            node = path[-1]
            k = node.asked
            node.asked += 1
            for each in path:
                each.pending += 1
            candidate = await evaluate(node.trajectory, k)
            for each in path:
                each.pending -= 1
            child = Bare(node, candidate.trajectory)
            node.children.append(child)
            back_up([*path, child], candidate.value or 0.0)

    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    return tuple(child.visits for child in root.children)


def ours(expansions: int) -> tuple[int, ...]:
    """Grow the tree by ask and tell."""
    search = build(
        Options(iterations=expansions, children=CHILDREN, batch=1, depth=10_000, in_flight=IN_FLIGHT),
        Trajectory(problem("a toy")),
        0,
    )
    out: list[Expansion] = []
    while not search.finished:
        out += search.ask(IN_FLIGHT - len(out))
        expansion = out.pop(0)
        search.tell(Outcome(expansion.ticket, (grown(expansion.parent, expansion.first),)))
    tree = search.state.tree
    return tuple(tree.nodes[index].visits for index in tree.root.children)


def measure(who: str, expansions: int) -> Measured:
    """In this process, once."""
    with calm_collector():
        started = time.process_time()
        tree = asyncio.run(skeleton(expansions)) if who == "skeleton" else ours(expansions)
        seconds = time.process_time() - started
    return Measured(who, expansions, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, tree)


def measured(who: str, expansions: int) -> Measured:
    """In a fresh process."""
    command = [sys.executable, "-m", "tests.benchmarks.search_core", "--only", who, "--expansions", str(expansions)]
    row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return Measured(**row | {"tree": tuple(row["tree"])})


def compared(expansions: int, pairs: int) -> dict[str, Any]:
    """Ours and the skeleton in turn; medians."""
    both = [(measured("ours", expansions), measured("skeleton", expansions)) for _ in range(pairs)]
    if any(ours.tree != bare.tree for ours, bare in both):
        raise SystemExit("the two grew different trees")
    return {
        "expansions": expansions,
        "seconds": statistics.median(ours.seconds for ours, _ in both),
        "megabytes": max(ours.megabytes for ours, _ in both),
        "skeleton_seconds": statistics.median(bare.seconds for _, bare in both),
        "skeleton_megabytes": max(bare.megabytes for _, bare in both),
        "ratio": statistics.median(ours.seconds / bare.seconds for ours, bare in both),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--expansions", type=int, default=100_000)
    parser.add_argument("--pairs", type=int, default=5, help="interleaved pairs")
    parser.add_argument("--curve", action="store_true", help=f"also the cost at {', '.join(map(str, CURVE))}")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    parser.add_argument("--only", choices=["ours", "skeleton"], help="one measurement in this process, as JSON")
    options = parser.parse_args()
    if options.only:
        print(json.dumps(asdict(measure(options.only, options.expansions))))
        return
    result = compared(options.expansions, options.pairs)
    if options.curve:
        curve = [min((measured("ours", n) for _ in range(3)), key=lambda one: one.seconds) for n in CURVE]
        result["curve"] = [
            {"expansions": one.expansions, "microseconds": one.microseconds, "megabytes": one.megabytes}
            for one in curve
        ]
    print(json.dumps(result) if options.json else table(result))


def table(result: dict[str, Any]) -> str:
    """The result for reading."""
    lines = [f"{name:<19} {value:,.3f}" for name, value in result.items() if name != "curve"]
    for one in result.get("curve", ()):
        lines.append(
            f"{one['expansions']:>11,} expansions {one['microseconds']:7.1f} us each {one['megabytes']:8.0f} MB"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
