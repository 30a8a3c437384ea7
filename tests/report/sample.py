"""Invented reports to look at and to test with: realistic, large, hostile. No number here is a measurement."""

from collections import Counter
from dataclasses import dataclass
from random import Random

from branchwise.orchestrator.evaluation.paired import compare
from branchwise.orchestrator.evaluation.statistics import denominators, wilson
from branchwise.orchestrator.report.data import (
    Comparison,
    Curve,
    FailureShown,
    ModelShown,
    Point,
    ProblemShown,
    Reliability,
    ReliabilityBin,
    Report,
    Row,
    Strategy,
)
from branchwise.orchestrator.report.shown import Interval, RewardKind, RoleTokens, TokenCount
from branchwise.orchestrator.report.tree import Edge, Node, Tree, TreeFacts
from tests.report.searched import searched_tree

SIZES = (4, 8, 16)
MODELS = (
    ModelShown(
        roles=("policy",),
        name="invented-3b-instruct",
        facts={"weights": "sha256 9f2c…", "backend": "embedded", "quantisation": "Q8_0"},
    ),
    ModelShown(roles=("verifier",), name="invented-prm-1.5b", facts={"weights": "sha256 41d0…", "backend": "openai"}),
)


@dataclass(frozen=True)
class Family:
    """A strategy at several sizes; ``skill`` is how much better than a coin its choice among draws is."""

    name: str
    algorithm: str
    reward: str
    kind: RewardKind
    skill: float
    verifier_tokens: int


FAMILIES = (
    Family("majority vote", "best_of_n, majority", "", "none", 0.0, 0),
    Family("best of N, calculator", "best_of_n, best", "calculator", "tool", 0.55, 0),
    Family("best of N, PRM", "best_of_n, weighted vote", "prm (min)", "learned", 0.5, 460),
    Family("beam search, PRM", "beam, width 4", "prm (min)", "learned", 0.62, 700),
    Family("best of N, oracle", "best_of_n, best", "answer key", "oracle", 1.0, 0),
)


def realistic(problems: int = 60, seed: int = 7) -> Report:
    """Five strategies at N = 4, 8, 16 over the same problems, with losses, budgets and beam trees."""
    random = Random(seed)
    texts = [_problem(random, i) for i in range(problems)]
    chances = [random.betavariate(1.3, 1.1) for _ in range(problems)]
    runs = [_run(family, size, texts, chances, seed) for family in FAMILIES for size in SIZES]
    strategies = [strategy for strategy, _ in runs]
    rows = [row for _, run in runs for row in run]
    trees = [beam_tree("beam search, PRM, N=16", texts[i], Random(i), chances[i]) for i in (0, 4, 11)]
    trees.append(best_of_n_tree("best of N, PRM, N=16", texts[4], Random(1)))
    trees.append(large_tree("beam search, PRM, N=8", texts[2], Random(3), 1000))
    trees += [searched_tree(kind, "best of N, PRM, N=8", texts[1].id) for kind in ("mcts", "particle_filter")]
    trees.append(searched_tree("mcts", "best of N, PRM, N=8", texts[3].id, outcomes=18))
    return Report(
        title="Arithmetic word problems: does search beat a vote at equal tokens?",
        created="2026-11-22 21:40 UTC",
        task="arithmetic, 60 problems, tiers 2–4",
        branchwise_version="0.1.0",
        versions={"python": "3.11.7", "xllamacpp": "2026.9.1"},
        command="branchwise compare vote.yaml prm.yaml beam.yaml --problems 60 --seed 7",
        notes=("Invented numbers: this page shows the report's form, it measures nothing.",),
        strategies=tuple(strategies),
        curves=tuple(_curve(family, strategies) for family in FAMILIES),
        comparisons=tuple(_comparisons(strategies, rows)),
        reliabilities=(too_sure("best of N, PRM, N=16", 0.2), too_sure("best of N, calculator, N=16", 0.0)),
        problems=tuple(texts),
        rows=tuple(rows),
        trees=tuple(trees),
    )


def too_sure(strategy: str, much: float) -> Reliability:
    """A reward whose chances are nearer to 0 and 1 by so much than they should be."""
    chances = [0.05 + k / 10 for k in range(10)]
    bins = tuple(
        ReliabilityBin(chance=chance, correct=0.5 + (chance - 0.5) * (1 - 2 * much), count=20 + 12 * k)
        for k, chance in enumerate(chances)
    )
    return Reliability(strategy=strategy, bins=bins, expected_calibration_error=much / 2, problems=60, left_out=3)


def _problem(random: Random, i: int) -> ProblemShown:
    boxes, each, sold = random.randint(6, 48), random.randint(3, 29), random.randint(20, 90)
    price, name = random.randint(2, 9), random.choice(("Ines", "Tomasz", "Aylin", "Kofi", "Mirja"))
    question = (
        f"{name} packs {boxes} boxes with {each} candles in each. {sold} candles break on the way and the rest are "
        f"sold for {price} euros a piece. Packing costs {boxes} euros in all. How many euros are left?"
    )
    return ProblemShown(
        id=f"arithmetic-{i:03d}", question=question, expected=str((boxes * each - sold) * price - boxes)
    )


def _run(
    family: Family, size: int, texts: list[ProblemShown], chances: list[float], seed: int
) -> tuple[Strategy, list[Row]]:
    name = f"{family.name}, N={size}"
    random = Random(f"{family.name} {seed}")
    rows = [_row(family, name, size, text, chance, random) for text, chance in zip(texts, chances, strict=True)]
    lost = Counter(row.failures[0].boundary for row in rows if row.correct is None and row.failures)
    counts = denominators([row.correct for row in rows], lost)
    interval = wilson(counts.correct, counts.graded)
    budget = size == 16 and family.name.startswith("beam")
    notes = ("A run-level token budget bound, so repetitions of this run need not be equal.",) if budget else ()
    return Strategy(
        name=name,
        family=family.name,
        samples=size,
        baseline=family.name == "majority vote",
        workflow=f"{family.algorithm.split(',')[0]}.yaml",
        algorithm=family.algorithm,
        reward=family.reward,
        reward_kind=family.kind,
        attempted=counts.attempted,
        graded=counts.graded,
        correct=counts.correct,
        interval=Interval(low=interval.low, high=interval.high) if interval else None,
        failed=dict(counts.failed),
        candidates_lost={"backend": random.randint(0, 9), "format": random.randint(0, 25)},
        tokens=_tokens(rows, size, family, random),
        seconds=size * random.uniform(18, 60),
        stops=Counter(row.stop for row in rows if row.stop),
        notes=notes,
        seed=seed,
        models=MODELS if family.verifier_tokens else MODELS[:1],
        run_directory=f"runs/{family.algorithm.split(',')[0]}-{size}-s{seed}",
        facts={"temperature": 0.8, "max_tokens": 512, "plan": f"{random.randrange(16**8):08x}"},
    ), rows


def _row(family: Family, name: str, size: int, text: ProblemShown, chance: float, random: Random) -> Row:
    tokens = {"policy": sum(random.randint(250, 420) for _ in range(size))}
    if family.verifier_tokens:
        tokens["verifier"] = sum(
            random.randint(family.verifier_tokens - 90, family.verifier_tokens + 90) for _ in range(size)
        )
    if random.random() < 0.015:
        failure = FailureShown(
            boundary="backend", message="503 from the server after 4 retries: upstream connect error", lineage="0"
        )
        return Row(strategy=name, problem=text.id, correct=None, stop="failed", tokens=tokens, failures=(failure,))
    if name.startswith("beam") and size == 16 and random.random() < 0.05:
        return Row(strategy=name, problem=text.id, correct=None, stop="budget_tokens", tokens=tokens)
    right_draws = sum(random.random() < chance for _ in range(size))
    reachable = right_draws / size
    voted = 1.0 if reachable > 0.5 else 0.35 if reachable > 0.3 else 0.0
    chosen = (
        voted + (1.0 - voted) * family.skill * (right_draws > 0)
        if family.kind != "oracle"
        else float(right_draws > 0)
    )
    correct = random.random() < chosen
    stop = (
        "answered" if correct or random.random() < 0.85 else random.choice(("max_tokens", "max_depth", "bad_format"))
    )
    wrong = str(int(text.expected or 0) + random.choice((-100, -10, -1, 1, 9, 90)))
    failures = (
        (FailureShown(boundary="format", message="no 'Answer:' line in the text", lineage="0.2"),)
        if random.random() < 0.06
        else ()
    )
    answer = text.expected if correct else wrong if stop == "answered" else None
    return Row(
        strategy=name, problem=text.id, answer=answer, correct=correct, stop=stop, tokens=tokens, failures=failures
    )


def _tokens(rows: list[Row], size: int, family: Family, random: Random) -> tuple[RoleTokens, ...]:
    out = []
    for role in ("policy", "verifier"):
        total = sum(row.tokens.get(role, 0) for row in rows)
        if not total:
            continue
        prompt = int(total * (0.35 if role == "policy" else 0.97))
        drawn = TokenCount(
            prompt=prompt,
            completion=total - prompt,
            cached=prompt // 2,
            calls=size * len(rows),
            exact=role == "policy",
        )
        share = 1.0 if size == 4 else random.uniform(0.45, 0.6)
        paid = TokenCount(
            prompt=int(prompt * share), completion=int((total - prompt) * share), calls=int(size * len(rows) * share)
        )
        out.append(RoleTokens(role=role, drawn=drawn, paid=paid))
    return tuple(out)


def _curve(family: Family, strategies: list[Strategy]) -> Curve:
    mine = [strategy for strategy in strategies if strategy.family == family.name]
    points = []
    for strategy in mine:
        assert strategy.interval is not None
        assert strategy.accuracy is not None
        points.append(
            Point(
                label=f"N={strategy.samples}",
                drawn_tokens={role.role: role.drawn.tokens / strategy.attempted for role in strategy.tokens},
                accuracy=strategy.accuracy,
                low=strategy.interval.low,
                high=strategy.interval.high,
                graded=strategy.graded,
            )
        )
    return Curve(
        name=family.name, family=family.name, baseline=mine[0].baseline, reward_kind=family.kind, points=tuple(points)
    )


def _comparisons(strategies: list[Strategy], rows: list[Row]) -> list[Comparison]:
    outcomes = {
        strategy.name: [row.correct for row in rows if row.strategy == strategy.name] for strategy in strategies
    }
    out = []
    for family in FAMILIES[1:4]:
        first, second = f"{family.name}, N=16", "majority vote, N=16"
        result = compare(outcomes[first], outcomes[second])
        interval = Interval(low=result.interval.low, high=result.interval.high) if result.interval else None
        out.append(
            Comparison(
                first=first,
                second=second,
                both=result.both,
                only_first=result.only_first,
                only_second=result.only_second,
                neither=result.neither,
                dropped=result.dropped,
                difference=result.difference,
                interval=interval,
                p_value=result.p_value,
            )
        )
    return out


STEPS = (
    "Step 1: First count all candles: the boxes times the candles in each box.\n\n",
    "Step 2: Take away the candles that broke on the way.\n\n",
    "Step 3: Multiply what is left by the price of one candle.\n\n",
    "Step 4: The packing has to be paid out of this, so subtract its cost.\n\n",
    "Step 5: Check: no candle is counted twice, and the sum is in euros.\n\n",
    "Answer: {answer}\n",
)


def beam_tree(
    strategy: str, problem: ProblemShown, random: Random, chance: float, width: int = 4, depth: int = 6
) -> Tree:
    """A beam of ``width`` that grows ``width`` children from each kept node, ``depth`` levels deep."""
    nodes, edges, order = [Node(id="root", text=problem.question + "\n\n")], [], 0
    beam: list[tuple[str, float]] = [("root", 0.6)]
    for level in range(depth):
        grown: list[tuple[str, float]] = []
        for parent, mean in beam:
            for sibling in range(width):
                order += 1
                node = _beam_node(
                    f"{parent}.{sibling}".removeprefix("root."), level, depth, order, mean, problem, random, chance
                )
                nodes.append(node)
                edges.append(Edge(source=parent, target=node.id))
                if node.stop is None and node.score is not None and not node.cancelled:
                    grown.append((node.id, node.score))
        beam = sorted(grown, key=lambda pair: -pair[1])[:width]
    ended = [node for node in nodes if node.answer is not None]
    best = max(ended, key=lambda node: node.score or 0.0)
    nodes[nodes.index(best)] = best.model_copy(update={"selected": True})
    facts = TreeFacts(strategy=strategy, problem=problem.id, algorithm="beam, width 4, expansion 4, depth 6")
    return Tree(graph=facts, nodes=tuple(nodes), edges=tuple(edges))


RATIONALE = "The step multiplies before it subtracts, which is what the problem asks for. "


def _beam_node(
    id: str, level: int, depth: int, order: int, mean: float, problem: ProblemShown, random: Random, chance: float
) -> Node:
    common = {"id": id, "order": order, "model": "invented-3b-instruct", "tokens": random.randint(30, 90)}
    if random.random() < 0.02:
        return Node(**common, failure="backend: 503 from the server after 4 retries")
    score = min(0.99, max(0.01, random.gauss(mean + 0.02, 0.14)))
    if level == depth - 1 or (level > 3 and random.random() < 0.2):
        correct = random.random() < chance
        answer = problem.expected if correct else str(int(problem.expected or 0) + random.choice((-10, 1, 90)))
        text = STEPS[-1].format(answer=answer)
        return Node(
            **common, text=text, score=score, step_scores=(score,), stop="answered", answer=answer, correct=correct
        )
    if random.random() < 0.03:
        return Node(**common, text=STEPS[level], cancelled=True)
    text = STEPS[level] + f"The value so far is {random.randint(10, 4000)}.\n\n"
    return Node(**common, text=text, score=score, step_scores=(score,), rationale=RATIONALE * (order % 6))


def best_of_n_tree(strategy: str, problem: ProblemShown, random: Random, n: int = 16) -> Tree:
    """``n`` whole answers below the root, each with six step scores."""
    nodes, edges = [Node(id="root", text=problem.question + "\n\n")], []
    for i in range(n):
        scores = tuple(min(0.99, max(0.01, random.gauss(0.7, 0.2))) for _ in STEPS)
        answer = problem.expected if min(scores) > 0.4 else str(random.randint(10, 900))
        text = "".join(STEPS).format(answer=answer)
        nodes.append(
            Node(
                id=str(i),
                text=text,
                score=min(scores),
                step_scores=scores,
                order=i + 1,
                stop="answered",
                answer=answer,
                correct=answer == problem.expected,
            )
        )
        edges.append(Edge(source="root", target=str(i)))
    best = max(nodes[1:], key=lambda node: node.score or 0.0)
    nodes[nodes.index(best)] = best.model_copy(update={"selected": True})
    return Tree(
        graph=TreeFacts(strategy=strategy, problem=problem.id, algorithm="best_of_n, 16 draws"),
        nodes=tuple(nodes),
        edges=tuple(edges),
    )


def large_tree(strategy: str, problem: ProblemShown, random: Random, count: int) -> Tree:
    """``count`` nodes as a tree search with visits and priors would leave them."""
    nodes, edges, children = [Node(id="root", text=problem.question, visits=count)], [], Counter[str]()
    for order in range(1, count):
        parent = nodes[min(int(random.expovariate(1 / (1 + order / 3))), order - 1)].id
        id = f"{parent}.{children[parent]}".removeprefix("root.")
        children[parent] += 1
        score = random.betavariate(2, 2)
        nodes.append(
            Node(
                id=id,
                text=f"Step: consider case {order}.\n",
                score=score,
                value=random.betavariate(2, 2),
                visits=random.randint(1, 60),
                prior=random.random(),
                order=order,
            )
        )
        edges.append(Edge(source=parent, target=id))
    leaves = [i for i, node in enumerate(nodes) if not children[node.id]]
    for i in leaves[::2]:
        nodes[i] = nodes[i].model_copy(update={"stop": "answered", "answer": str(i), "correct": i % 3 == 0})
    nodes[leaves[-2]] = nodes[leaves[-2]].model_copy(update={"selected": True})
    return Tree(
        graph=TreeFacts(strategy=strategy, problem=problem.id, algorithm="an invented tree search"),
        nodes=tuple(nodes),
        edges=tuple(edges),
    )


ATTACKS = (
    "<script>window.attacked = 1; alert(1)</script>",
    "</script><script>window.attacked = 1; alert(2)</script><!--",
    "<!--<script>",
    '<img src=x onerror="window.attacked = 1; alert(3)">',
    "<svg/onload=window.attacked=1>",
    "javascript:window.attacked=1",
    "{{constructor.constructor('window.attacked=1')()}} ${window.attacked=1} #{7*7} {b|bold} {a} @@POLICY@@ @@DATA@@",
    "\u202eright to left \u2066isolate\u2028line\u2029paragraph",
    "<style>body{display:none}</style><base href=http://127.0.0.1:9/><meta http-equiv=refresh content=0;url=http://127.0.0.1:9/>",
    "<a href='http://127.0.0.1:9/'>click</a><iframe src=http://127.0.0.1:9/></iframe><link rel=stylesheet href=http://127.0.0.1:9/x.css>",
    "__proto__",
    "NUL \x00 escape \x1b[31m bell \x07 lone surrogate \ud800 end",
)


def hostile() -> Report:
    """One strategy and one problem for each attack, the attack in every text; a tree with a node of 100 KB."""
    everything = "\n".join(ATTACKS)
    names = [f"{i} {attack[:60]}" for i, attack in enumerate(ATTACKS[:9])]
    strategies = tuple(
        Strategy(
            name=name,
            family=name,
            algorithm=name,
            workflow=name,
            reward=name,
            reward_kind="oracle" if i == 0 else "learned",
            attempted=len(ATTACKS),
            graded=len(ATTACKS),
            correct=4,
            interval=Interval(low=0.2, high=0.7),
            stops={name: 3},
            candidates_lost={name: 2},
            notes=(everything,),
            run_directory=name,
            facts={name: name},
            tokens=(RoleTokens(role=name, drawn=TokenCount(prompt=100 * (i + 1), completion=50), paid=TokenCount()),),
            models=(ModelShown(roles=(name,), name=name, facts={name: name}),),
        )
        for i, name in enumerate(names)
    )
    problems = tuple(
        ProblemShown(id=f"{i} {attack[:40]}".replace("\ud800", ""), question=attack, expected=attack)
        for i, attack in enumerate(ATTACKS)
    )
    failures = tuple(FailureShown(boundary="format", message=attack, lineage="0.1") for attack in ATTACKS)
    rows = tuple(
        Row(
            strategy=name,
            problem=problem.id,
            answer=attack,
            correct=i % 2 == 0,
            stop=names[1],
            tokens={name: 5},
            failures=failures,
        )
        for name in names
        for i, (problem, attack) in enumerate(zip(problems, ATTACKS, strict=True))
    )
    curves = tuple(
        Curve(
            name=name,
            family=name,
            points=(
                Point(label=name, drawn_tokens={name: 100.0 * (i + 1)}, accuracy=0.4, low=0.2, high=0.7, graded=12),
            ),
        )
        for i, name in enumerate(names)
    )
    return Report(
        title=ATTACKS[1],
        created=ATTACKS[3],
        task=everything,
        command=everything,
        notes=(everything,),
        versions={ATTACKS[0]: ATTACKS[3]},
        strategies=strategies,
        reliabilities=tuple(too_sure(name, 0.1) for name in names),
        curves=curves,
        problems=problems,
        rows=rows,
        trees=(hostile_tree(names[0], problems[0].id),),
    )


def hostile_tree(strategy: str, problem: str) -> Tree:
    """A root with one child for each attack, and one whose text has 100 KB."""
    texts = [*ATTACKS, (ATTACKS[1] + "\n") * (100_000 // len(ATTACKS[1]))]
    nodes = [Node(id="root", text=ATTACKS[0], visits=len(texts), value=0.5, prior=1.0, expanded=1)]
    nodes += [
        Node(
            id=str(i),
            text=text,
            observation=text[:300],
            score=i / len(texts),
            step_scores=(0.1, None),
            rationale=text,
            order=i + 1,
            stop=ATTACKS[0],
            answer=text[:300],
            model=text[:50],
            visits=i,
            value=1.0 - i / len(texts),
            prior=0.1,
            votes=0.5,
            failure=text[:300] if i % 4 == 3 else None,
            extra={"factor": text[:300], text[:60]: 0.5},
            selected=i == 0,
        )
        for i, text in enumerate(texts)
    ]
    edges = tuple(Edge(source="root", target=str(i)) for i in range(len(texts)))
    return Tree(
        graph=TreeFacts(strategy=strategy, problem=problem, algorithm=ATTACKS[0], note=ATTACKS[1]),
        nodes=tuple(nodes),
        edges=edges,
    )
