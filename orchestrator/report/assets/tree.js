// The tree that is opened node by node. Big trees start folded; one with visits is shown as a whole at first.

const LABELS = { all: "all", numbers: "numbers", order: "order", prior: "prior", none: "none" };

function treeView(report) {
  if (!report.trees.length) return null;
  const canvas = el("div", {
    class: "tree-canvas",
    tabIndex: 0,
    "aria-label": "Search tree; arrow keys move, Enter folds",
  });
  const panel = el("div", { class: "panel", "aria-live": "polite" }),
    bar = el("div", { class: "filters" }),
    facts = el("p", { class: "caption" }),
    key = el("div");
  const ring = el("i", { class: "ring", "aria-hidden": "true" });
  const view = { current: null, until: null, label: "all", tone: null, pitch: 18, column: 92, found: 0 };
  let grown = null,
    instance = null;
  const draw = () => {
    const nodes = visible(grown),
      leaves = countLeaves(grown, nodes);
    const columns = nodes.reduce((most, node) => Math.max(most, node.depth), 0);
    const height = Math.min(LONGEST, Math.max(220, leaves * view.pitch + 50));
    canvas.style.height = `${height}px`;
    canvas.style.minWidth = `${Math.min(LONGEST, columns * view.column + MARGIN.left + MARGIN.right)}px`;
    // A canvas of many million pixels is slow: very long trees do without the sharper pixels of good screens.
    if (!instance) instance = start();
    instance.resize();
    instance.setOption(treeOption(grown, view), { notMerge: true });
    placeRing();
    clear(facts, treeFacts(grown));
    clear(key, treeKey(grown, view));
  };

  const placeRing = () => {
    const at = view.current && placeOf(instance, view.current);
    ring.hidden = !at;
    if (!at) return;
    const size = `${across(grown, view.current) + 12}px`;
    Object.assign(ring.style, { left: `${at.x}px`, top: `${at.y}px`, width: size, height: size });
  };
  const start = () => {
    const made = echarts.init(canvas, null, {
      renderer: "canvas",
      devicePixelRatio: grown.nodes.size > 400 ? 1 : undefined,
    });
    made.on("click", (hit) => hit.data && choose(grown.nodes.get(hit.data.id)));
    made.on("dblclick", (hit) => hit.data && fold(grown.nodes.get(hit.data.id)));
    return made;
  };
  const choose = (node, reveal) => {
    let unfolded = false;
    for (let one = node.parent; one; one = one.parent) unfolded = grown.folded.delete(one) || unfolded;
    view.current = node;
    if (unfolded || !instance) draw();
    else placeRing();
    clear(panel, nodePanel(grown, node, actions));
    if (reveal) scrollToNode(canvas.parentElement, placeOf(instance, node));
  };
  const fold = (node) => {
    if (!node.children.length) return;
    if (!grown.folded.delete(node)) grown.folded.add(node);
    draw();
    choose(node);
  };
  const actions = { choose: (node) => choose(node, true), fold };
  const load = (tree) => {
    if (instance) instance.dispose();
    instance = null;
    grown = grow(tree);
    Object.assign(view, { until: null, found: 0, tone: tones(grown)[0] });
    if (grown.nodes.size > UNFOLDED * 2) foldAround(grown, UNFOLDED);
    if (grown.counted) fit(grown, view, canvas.parentElement);
    else loosen(grown, view);
    clear(bar, treeControls(report, grown, view, { draw, choose, load, box: canvas.parentElement }));
    choose(grown.ordered.find((node) => node.answered) || grown.root, true);
  };
  canvas.addEventListener("keydown", (event) => steer(event, view.current, actions));
  const part = section(
    "tree",
    "Search tree",
    bar,
    facts,
    el("div", { class: "split" }, el("div", { class: "tree-scroll" }, canvas, ring), panel),
    key,
  );
  part.start = () => load(report.trees[0]);
  part.redraw = () => (draw(), choose(view.current));
  part.open = (strategy, problem) => {
    load(report.trees.find((tree) => tree.graph.strategy === strategy && tree.graph.problem === problem));
    part.scrollIntoView({ block: "start" });
  };
  return part;
}

function steer(event, node, { choose, fold }) {
  const siblings = node.parent ? node.parent.children : [node];
  const beside = (step) => siblings[(siblings.indexOf(node) + step + siblings.length) % siblings.length];
  const moves = {
    ArrowLeft: () => node.parent && choose(node.parent),
    ArrowRight: () => node.children.length && choose(node.children[0]),
    ArrowUp: () => choose(beside(-1)),
    ArrowDown: () => choose(beside(1)),
    Enter: () => fold(node),
  };
  if (!moves[event.key]) return;
  event.preventDefault();
  moves[event.key]();
}

function treeControls(report, grown, view, { draw, choose, load, box }) {
  const pick = el(
    "select",
    { id: "tree-pick", onchange: () => load(report.trees[pick.selectedIndex]) },
    report.trees.map((tree) =>
      el("option", { selected: tree === grown.tree, text: `${tree.graph.problem} · ${tree.graph.strategy}` }),
    ),
  );
  const last = grown.ordered.reduce((most, node) => Math.max(most, node.order ?? 0), 0);
  const shown = el("output", { text: "all" });
  const slider = el("input", {
    type: "range",
    min: "0",
    max: String(last),
    value: String(last),
    step: "1",
    "aria-label": "Show the tree as it stood after this many commits",
    oninput: () => {
      view.until = Number(slider.value) >= last ? null : Number(slider.value);
      shown.textContent = view.until === null ? "all" : `up to no. ${view.until}`;
      draw();
    },
  });
  const status = el("span", { class: "count", role: "status" });
  const find = el("input", {
    id: "tree-find",
    type: "search",
    placeholder: "0.2.1, or words",
    onkeydown: (event) => event.key === "Enter" && next(),
  });
  const next = () => {
    const wanted = find.value.trim().toLowerCase();
    const hits = grown.ordered.filter(
      (node) =>
        node.id === wanted ||
        (wanted &&
          [node.text, node.answer, node.stop, node.failure].some(
            (text) => text && text.toLowerCase().includes(wanted),
          )),
    );
    view.found = hits.indexOf(view.current) + 1;
    status.textContent = wanted ? `${hits.length} found` : "";
    if (hits.length) choose(hits[view.found % hits.length], true);
  };
  const button = (text, action) => el("button", { type: "button", text, onclick: action });
  const labels = Object.entries(LABELS).filter(([name]) => name !== "prior" || grown.counted);
  return [
    el("label", {}, "Tree ", pick),
    el("label", {}, "Find ", find),
    button("next", next),
    status,
    last ? el("label", {}, "Growth ", slider, shown) : null,
    selection("tree-tone", "Colour ", tones(grown).map((tone) => [tone, tone.name]), view, "tone", draw),
    selection("tree-label", "Labels ", labels, view, "label", draw),
    button("unfold all", () => (grown.folded.clear(), draw())),
    button("fold to the selected path", () => (foldAround(grown, 0), draw())),
    button("fit", () => (fit(grown, view, box), draw())),
    button("+", () => (zoom(view, 1.3), draw())),
    button("−", () => (zoom(view, 1 / 1.3), draw())),
  ];
}

// A choice of how the tree is drawn: ``choices`` are values of view[name] and their words.
function selection(id, title, choices, view, name, draw) {
  if (choices.length < 2) return null;
  const pick = el(
    "select",
    { id, onchange: () => ((view[name] = choices[pick.selectedIndex][0]), draw()) },
    choices.map(([value, word]) => el("option", { selected: value === view[name], text: word })),
  );
  return el("label", {}, title, pick);
}
