"""The report in a real Chromium, opened from a file: hostile texts do nothing, charts are drawn, trees open.

Live: it fails where no Chromium is installed (Debian: ``apt-get install chromium``) and never skips.
"""

from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
import pytest_asyncio

from branchwise.orchestrator.report.data import Report, Strategy
from branchwise.orchestrator.report.html import render
from branchwise.orchestrator.report.tree import Edge, Node, Tree, TreeFacts
from tests.live import chromium
from tests.live.chromium import Page
from tests.report.sample import ATTACKS, hostile, large_tree, realistic
from tests.report.searched import ALGORITHMS, searched_tree

pytestmark = pytest.mark.live

# Every canvas with more than one colour on it, and how many there are.
DRAWN = """[...document.querySelectorAll("canvas")].map((canvas) => {
  const pixels = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer);
  return new Set(pixels).size;
})"""
# What the tree looks like: of each drawn node its id, size across, colour, width of the line to it, label.
LOOKS = """(() => {
  const series = echarts.getInstanceByDom(document.querySelector(".tree-canvas")).getOption().series[0], all = [];
  const visit = (one) => (all.push([one.id, one.symbolSize, one.itemStyle.color, one.lineStyle.width,
    one.label.show ? one.label.formatter : ""]), one.children.forEach(visit));
  series.data.forEach(visit);
  return all;
})()"""
CHOOSE = """((id, value) => {
  const one = document.getElementById(id);
  one.value = value;
  one.dispatchEvent(new Event("change"));
})"""
# What the panel says of the open node; the first cells of the rows of its children.
FACTS = """Object.fromEntries([...document.querySelectorAll(".panel dt")].map(
  (name) => [name.textContent, name.nextSibling.textContent]))"""
CHILDREN = """[...document.querySelectorAll(".children tbody tr")].map(
  (row) => [...row.children].slice(0, 3).map((cell) => cell.textContent))"""
# Where in the viewport a node of the tree is drawn.
PLACE = """((id) => {
  const canvas = document.querySelector(".tree-canvas");
  const series = echarts.getInstanceByDom(canvas).getModel().getSeriesByIndex(0), data = series.getData();
  const layout = data.getItemLayout(data.indexOfName(id)), box = canvas.parentElement;
  box.scrollTop = layout.y - 200;
  box.scrollIntoView({block: "center"});
  const at = canvas.getBoundingClientRect();
  return [at.left + series.layoutInfo.x + layout.x, at.top + series.layoutInfo.y + layout.y];
})"""


@pytest_asyncio.fixture
async def tab() -> AsyncIterator[Page]:
    async with chromium.page() as page:
        await page.resize(1280, 900)
        yield page


async def show(tab: Page, report: Report, folder: Path) -> None:
    path = folder / "report.html"
    path.write_text(render(report), encoding="utf-8", newline="")
    await tab.open(path)


async def click_node(tab: Page, id: str) -> None:
    x, y = await tab.evaluate(f"{PLACE}({id!r})")
    await tab.click(x, y)


async def assert_quiet(tab: Page) -> None:
    """Nothing was asked of the network, the console is empty, no dialog opened, no script of a text ran."""
    assert [request["request"]["url"].split("/")[-1] for request in tab.seen("Network.requestWillBeSent")] == [
        "report.html"
    ]
    for unwanted in ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
        assert tab.seen(unwanted) == []
    assert tab.seen("Page.javascriptDialogOpening") == []
    assert await tab.evaluate("typeof window.attacked") == "undefined"
    assert await tab.evaluate("document.querySelectorAll('img, iframe, link, base, svg, object, form').length") == 0
    assert await tab.evaluate("document.documentElement.dataset.ready") == "yes"


async def test_hostile_texts_do_nothing(tab: Page, tmp_path: Path) -> None:
    await show(tab, hostile(), tmp_path)
    assert await tab.evaluate("document.title") == ATTACKS[1]
    assert await tab.evaluate("document.querySelector('h1').textContent") == ATTACKS[1]
    await tab.evaluate("document.querySelectorAll('tr.problem').forEach((row) => row.click())")
    await tab.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    for chart in range(await tab.evaluate("document.querySelectorAll('canvas').length")):
        box = f"document.querySelectorAll('canvas')[{chart}]"
        await tab.evaluate(f"{box}.scrollIntoView({{block: 'center'}})")
        x, y, width, height = await tab.evaluate(
            f"(({{x, y, width, height}}) => [x, y, width, height])({box}.getBoundingClientRect())"
        )
        for share in range(1, 12):  # tooltips hold names, which are hostile too
            await tab.hover(x + width * share / 12, y + min(height, 800) * share / 12)
    await assert_quiet(tab)


async def test_a_click_opens_a_node_and_shows_its_exact_text(tab: Page, tmp_path: Path) -> None:
    report = hostile()
    await show(tab, report, tmp_path)
    for node in report.trees[0].nodes:
        await click_node(tab, node.id)
        assert await tab.evaluate("document.querySelector('.panel h3').firstChild.textContent") == f"Node {node.id}"
        shown = await tab.evaluate("document.getElementById('node-text').textContent")
        assert shown == node.text
    assert max(len(node.text) for node in report.trees[0].nodes) > 99_000
    await assert_quiet(tab)


async def test_the_policy_stops_a_script_even_if_it_got_into_the_page(tab: Page, tmp_path: Path) -> None:
    await show(tab, realistic(problems=12), tmp_path)
    injected = "document.body.append(Object.assign(document.createElement('script'), {text: 'window.attacked = 1'}))"
    with pytest.raises(RuntimeError, match="Trusted"):
        await tab.evaluate(injected)
    with pytest.raises(RuntimeError, match="Trusted"):
        await tab.evaluate("document.body.innerHTML = '<img src=x onerror=alert(1)>'")
    refused = """Promise.race([
      new Promise((done) => addEventListener("securitypolicyviolation", (event) => done(event.effectiveDirective))),
      fetch("http://127.0.0.1:9/").then(() => "sent", () => new Promise(() => {})),
      new Promise((done) => setTimeout(done, 5000, "no violation was reported")),
    ])"""
    assert await tab.evaluate(refused) == "connect-src"
    assert await tab.evaluate("typeof window.attacked") == "undefined"


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (800, False), (1280, True)])
async def test_charts_and_tree_are_drawn(tab: Page, tmp_path: Path, width: int, dark: bool) -> None:
    await tab.resize(width, 900, dark=dark)
    await show(tab, realistic(), tmp_path)
    colours = await tab.evaluate(DRAWN)
    assert len(colours) == 4
    assert min(colours) > 20
    assert await tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await assert_quiet(tab)


async def test_the_table_of_problems_can_be_filtered(tab: Page, tmp_path: Path) -> None:
    report = realistic()
    await show(tab, report, tmp_path)
    name = report.strategies[4].name
    await tab.evaluate(f"{CHOOSE}('filter-strategy', {name!r})")
    await tab.evaluate(f"{CHOOSE}('filter-outcome', 'wrong')")
    wrong = [row.problem for row in report.rows if row.strategy == name and row.correct is False]
    shown = "[...document.querySelectorAll('tr.problem td:first-child')].map((cell) => cell.textContent)"
    assert await tab.evaluate(shown) == wrong
    assert wrong


async def test_a_tree_of_a_thousand_nodes_stays_usable(tab: Page, tmp_path: Path) -> None:
    report = realistic(problems=12)
    tree = large_tree(report.strategies[0].name, report.problems[0], Random(0), 1000)
    await show(tab, report.model_copy(update={"trees": (tree,)}), tmp_path)
    assert "folded at" in await tab.evaluate("document.querySelector('#tree .caption').textContent")
    unfold = "[...document.querySelectorAll('#tree button')].find((one) => one.textContent === 'unfold all').click()"
    await tab.evaluate(unfold)
    assert "folded at" not in await tab.evaluate("document.querySelector('#tree .caption').textContent")
    for node in tree.nodes[1::333]:
        await click_node(tab, node.id)
        assert await tab.evaluate("document.querySelector('.panel h3').firstChild.textContent") == f"Node {node.id}"
    await assert_quiet(tab)


def report_of(*trees: Tree) -> Report:
    """A report that has these trees, under any names."""
    report = realistic(problems=12)
    facts = {"strategy": report.strategies[0].name, "problem": report.problems[0].id}
    shown = tuple(tree.model_copy(update={"graph": tree.graph.model_copy(update=facts)}) for tree in trees)
    return report.model_copy(update={"trees": shown})


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (480, False)])
async def test_one_sees_at_a_glance_where_the_visits_went(tab: Page, tmp_path: Path, width: int, dark: bool) -> None:
    await tab.resize(width, 1000, dark=dark)
    tree = searched_tree("mcts", "s", "p")
    await show(tab, report_of(tree), tmp_path)
    nodes = {node.id: node for node in tree.nodes}
    looks = await tab.evaluate(LOOKS)
    assert len(looks) == len(nodes) > 190  # nothing is folded
    by_visits = sorted(looks, key=lambda look: nodes[look[0]].visits or 0)
    for (less, small, _, thin, _), (more, large, _, wide, _) in pairwise(by_visits):
        assert small <= large
        assert thin <= wide + 2.5 or not nodes[less].selected  # the way to the answer has a least width
        assert (small < large) == ((nodes[less].visits or 0) < (nodes[more].visits or 0))
    assert by_visits[0][1] * 4 < by_visits[-1][1]
    colours = {color for id, _, color, _, _ in looks if nodes[id].visits}
    assert len(colours) > 20
    labelled = {id: label for id, _, _, _, label in looks if label}
    assert labelled["root"].startswith("#1")
    assert all(f"#{nodes[id].expanded}" in label for id, label in labelled.items() if nodes[id].expanded)
    assert await tab.evaluate("document.querySelector('.tree-canvas').clientHeight") <= 720
    assert await tab.evaluate("document.querySelector('.tree-canvas').clientWidth") <= width
    assert await tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert nodes["root"].visits is not None
    assert f"{nodes['root'].visits} visits" in await tab.evaluate(
        "document.querySelector('#tree .caption').textContent"
    )
    await assert_quiet(tab)


async def test_an_open_node_says_its_numbers_and_where_the_search_went_from_it(tab: Page, tmp_path: Path) -> None:
    tree = searched_tree("mcts", "s", "p")
    await show(tab, report_of(tree), tmp_path)
    node = max((one for one in tree.nodes if one.id != "root"), key=lambda one: one.visits or 0)
    await click_node(tab, node.id)
    assert await tab.evaluate("document.querySelector('.panel h3').firstChild.textContent") == f"Node {node.id}"
    facts = await tab.evaluate(FACTS)
    assert facts["visits"].startswith(f"{node.visits} (")
    assert facts["value"] == f"{node.value:.4f}"
    assert facts["prior"] == f"{node.prior:.4f}"
    assert facts["expanded"] == f"as no. {node.expanded}"
    assert facts["best return"] == f"{node.extra['best_return']:.4f}"
    children = [one for edge in tree.edges if edge.source == node.id for one in tree.nodes if one.id == edge.target]
    children.sort(key=lambda one: -1 if one.visits is None else one.visits, reverse=True)
    listed = await tab.evaluate(CHILDREN)
    shown = [[c.id, str(c.expanded or ""), "" if c.visits is None else str(c.visits)] for c in children]
    assert [[id, number or "", visits.replace("–", "")] for id, number, visits in listed] == shown
    await assert_quiet(tab)


@pytest.mark.parametrize("said", ["short & <b>sweet</b>", "<img src=x onerror=alert(1)> " + "so it goes on " * 300])
async def test_an_open_node_says_what_the_judge_said_long_words_to_unfold(
    tab: Page, tmp_path: Path, said: str
) -> None:
    nodes = (Node(id="root", text="Q"), Node(id="0", text="A", score=0.5, rationale=said))
    facts = TreeFacts(strategy="s", problem="p")
    tree = Tree(graph=facts, nodes=nodes, edges=(Edge(source="root", target="0"),))
    await show(tab, report_of(tree), tmp_path)
    await click_node(tab, "0")
    headings = await tab.evaluate("[...document.querySelectorAll('.panel h4')].map((one) => one.textContent)")
    assert "What the judge said" in headings
    texts = await tab.evaluate("[...document.querySelectorAll('.panel pre')].map((one) => one.textContent)")
    assert said in texts
    folded = await tab.evaluate(
        "[...document.querySelectorAll('.panel details.judge:not([open]) > summary')].map((one) => one.textContent)"
    )
    assert folded == ([] if len(said) < 100 else [said[:200] + "…"])
    await click_node(tab, "root")
    assert "judge" not in await tab.evaluate("document.querySelector('.panel').textContent")
    await assert_quiet(tab)


@pytest.mark.parametrize("kind", ALGORITHMS)
async def test_a_tree_of_any_algorithm_can_be_drawn_in_every_way(tab: Page, tmp_path: Path, kind: str) -> None:
    tree, under_way = searched_tree(kind, "s", "p"), searched_tree(kind, "s", "p", outcomes=6)
    await show(tab, report_of(tree, under_way), tmp_path)
    for index, drawn in enumerate((tree, under_way)):
        await tab.evaluate(
            f"(() => {{ const pick = document.getElementById('tree-pick'); pick.selectedIndex = {index};"
            "pick.dispatchEvent(new Event('change')); })()"
        )
        ways = set()
        for label in ("all", "numbers", "order", "none"):
            await tab.evaluate(f"{CHOOSE}('tree-label', {label!r})")
            looks = await tab.evaluate(LOOKS)
            assert {id for id, *_ in looks} == {node.id for node in drawn.nodes}
            ways.add(tuple(text for *_, text in looks))
        assert len(ways) == 4
        waiting = await tab.evaluate("document.querySelectorAll('#tree .shape.waiting').length")
        assert waiting == int(any(node.under_way for node in drawn.nodes))
    assert min(await tab.evaluate(DRAWN)) > 20
    await assert_quiet(tab)


async def test_colours_are_values_or_scores(tab: Page, tmp_path: Path) -> None:
    await show(tab, report_of(searched_tree("mcts", "s", "p")), tmp_path)
    by_value = await tab.evaluate(LOOKS)
    await tab.evaluate(f"{CHOOSE}('tree-tone', 'score')")
    by_score = await tab.evaluate(LOOKS)
    assert [(id, size, line) for id, size, _, line, _ in by_value] == [(i, s, w) for i, s, _, w, _ in by_score]
    assert sum(a[2] != b[2] for a, b in zip(by_value, by_score, strict=True)) > 100
    await assert_quiet(tab)


async def test_arrow_keys_walk_the_tree(tab: Page, tmp_path: Path) -> None:
    await show(tab, hostile(), tmp_path)
    await tab.evaluate("document.querySelector('.tree-canvas').focus()")
    titles = []
    for key in ("ArrowLeft", "ArrowRight", "ArrowDown", "ArrowUp"):
        await tab.send("Input.dispatchKeyEvent", type="keyDown", key=key, code=key)
        titles.append(await tab.evaluate("document.querySelector('.panel h3').firstChild.textContent"))
    assert titles == ["Node root", "Node 0", "Node 1", "Node 0"]


async def test_a_report_of_almost_nothing_is_drawn(tab: Page, tmp_path: Path) -> None:
    nothing = Strategy(name="s", algorithm="a", attempted=0, graded=0, correct=0)
    await show(tab, Report(title="t", created="now", strategies=(nothing,)), tmp_path)
    assert await tab.evaluate("document.querySelectorAll('.summary tbody tr').length") == 1
    await assert_quiet(tab)


async def test_a_chain_with_scores_on_any_scale_is_drawn(tab: Page, tmp_path: Path) -> None:
    report = realistic(problems=12)
    ids = ["root", *(".".join(["0"] * depth) for depth in range(1, 300))]
    nodes = tuple(Node(id=id, score=-40.0 + i, order=i) for i, id in enumerate(ids))
    edges = tuple(Edge(source=a, target=b) for a, b in pairwise(ids))
    facts = TreeFacts(strategy=report.strategies[0].name, problem=report.problems[0].id, scale="logit")
    chain = Tree(graph=facts, nodes=nodes, edges=edges)
    await show(tab, report.model_copy(update={"trees": (chain,)}), tmp_path)
    await tab.evaluate("document.getElementById('tree-find').value = " + repr(ids[250]))
    await tab.evaluate(
        "[...document.querySelectorAll('#tree button')].find((one) => one.textContent === 'next').click()"
    )
    assert await tab.evaluate("document.querySelector('.panel h3').firstChild.textContent") == f"Node {ids[250]}"
    assert min(await tab.evaluate(DRAWN)) > 20
    await assert_quiet(tab)
