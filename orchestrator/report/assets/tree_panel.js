// What is told about the tree as a whole and about the node that is open.

function treeFacts(grown) {
  const { graph } = grown.tree,
    states = { ended: 0, failure: 0, cancelled: 0 };
  for (const node of grown.ordered) if (nodeState(node) in states) states[nodeState(node)] += 1;
  const depth = grown.ordered.reduce((most, node) => Math.max(most, node.depth), 0);
  const text = `${whole(grown.nodes.size)} nodes, depth ${depth}; ${states.ended} ended, ${states.failure} failed, ${states.cancelled} cancelled${grown.folded.size ? `; folded at ${grown.folded.size} nodes` : ""}. `;
  return [
    graph.algorithm ? foreign(`${graph.algorithm}: `) : null,
    text,
    graph.note ? foreign(graph.note) : null,
    scoreKey(grown),
  ].filter(Boolean);
}

function scoreKey(grown) {
  const strip = el("span", { class: "ramp", "aria-hidden": "true" });
  strip.style.background = `linear-gradient(90deg, ${[0, 0.25, 0.5, 0.75, 1].map(ramp).join(",")})`;
  const scale = grown.tree.graph.scale;
  return el(
    "span",
    { class: "score-key" },
    `score (${scale}) ${decimal(grown.scale.low, 2)} `,
    strip,
    ` ${decimal(grown.scale.high, 2)}`,
  );
}

function treeKey() {
  const item = (shape, text) =>
    el("span", {}, el("i", { class: `shape ${shape}`, "aria-hidden": "true" }), text);
  return el(
    "p",
    { class: "caption shapes" },
    item("open", "step"),
    item("ended", "ended (answer or other stop)"),
    item("failure", "failed"),
    item("cancelled", "cancelled"),
    item("path", "way to what was selected"),
    el("span", {
      text: "Number: score; after a dot: visits; +n: folded nodes. Click opens, double click folds.",
    }),
  );
}

function nodePanel(grown, node, actions) {
  const row = (name, value) =>
    value === null || value === undefined || value === ""
      ? []
      : [el("dt", { text: name }), el("dd", {}, value)];
  const link = (one) =>
    el("button", { type: "button", class: "small", text: one.id, onclick: () => actions.choose(one) });
  const facts = el(
    "dl",
    { class: "facts node" },
    row("score", node.score === null ? null : decimal(node.score, 4)),
    row("value", node.value === null ? null : decimal(node.value, 4)),
    row("visits", node.visits === null ? null : whole(node.visits)),
    row("prior", node.prior === null ? null : decimal(node.prior, 4)),
    row("committed as", node.order === null ? null : `no. ${node.order}`),
    row("stopped", stopText(node)),
    row("answer", node.answer === null ? null : foreign(node.answer)),
    row("graded", node.correct === null ? null : mark(node.correct)),
    row("failure", node.failure === null ? null : el("span", { class: "warn" }, foreign(node.failure))),
    row("model", node.model && foreign(node.model)),
    row("tokens", node.tokens === null ? null : whole(node.tokens)),
    Object.entries(node.extra).flatMap(([name, value]) => row(spaced(name), foreign(String(value)))),
    row("parent", node.parent && link(node.parent)),
    row(
      "children",
      node.children.length
        ? el(
            "span",
            { class: "links" },
            node.children.slice(0, 40).map(link),
            node.children.length > 40 ? ` and ${node.children.length - 40} more` : null,
          )
        : null,
    ),
  );
  const folding = node.children.length
    ? el("button", {
        type: "button",
        class: "small",
        text: grown.folded.has(node) ? `unfold ${node.below} below` : `fold ${node.below} below`,
        onclick: () => actions.fold(node),
      })
    : null;
  return [
    el(
      "h3",
      {},
      `Node ${node.id}`,
      node.selected ? el("span", { class: "tag tag-selected", text: "selected" }) : null,
      folding,
    ),
    facts,
    stepBars(grown, node),
    nodeText(node),
  ];
}

function stopText(node) {
  if (node.cancelled && !node.stop) return STOPS.cancelled;
  if (!node.stop) return null;
  return [
    el("strong", { text: spaced(node.stop) }),
    STOPS[node.stop] ? el("span", { class: "muted", text: ` ${STOPS[node.stop]}` }) : null,
  ].filter(Boolean);
}

function stepBars(grown, node) {
  if (!node.step_scores.length) return null;
  const bars = node.step_scores.map((score, i) => {
    const bar = el("i", { class: "step" });
    bar.style.width = `${score === null ? 0 : 100 * Math.min(1, Math.max(0, grown.scale.share(score)))}%`;
    return el(
      "li",
      {},
      el("span", { class: "step-number", text: String(i + 1) }),
      el("span", { class: "track" }, bar),
      el("span", { class: "num", text: score === null ? "not judged" : decimal(score) }),
    );
  });
  return [el("h4", { text: "Step scores" }), el("ol", { class: "steps" }, bars)];
}

const BIDI = /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

function nodeText(node) {
  const way = [];
  for (let one = node; one; one = one.parent) way.unshift(one);
  const pre = el("pre", { class: "text", id: "node-text", tabIndex: 0 });
  const everything = el("input", { type: "checkbox", onchange: () => show() });
  const show = () =>
    clear(
      pre,
      ...(everything.checked ? way : [node]).map((one) =>
        el("bdi", { class: one === node && everything.checked ? "own" : undefined, text: one.text }),
      ),
    );
  show();
  const length = `${node.text.length.toLocaleString(LOCALE)} characters`;
  const turning = (node.text.match(BIDI) || []).length;
  return [
    el(
      "h4",
      {},
      "Text",
      el("span", {
        class: "muted",
        text: ` ${length}${turning ? `, ${turning} of them turn the writing direction` : ""}`,
      }),
      el("label", {}, everything, " with all before it"),
    ),
    pre,
    node.observation === null
      ? null
      : [el("h4", { text: "Observation" }), el("pre", { class: "text" }, foreign(node.observation))],
  ].flat();
}
