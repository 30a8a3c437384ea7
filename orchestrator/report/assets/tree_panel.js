// What is told about the node that is open.

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
    row("visits", visitsText(grown, node)),
    row("value", node.value === null ? null : decimal(node.value, 4)),
    row("score", node.score === null ? null : decimal(node.score, 4)),
    row("prior", node.prior === null ? null : decimal(node.prior, 4)),
    row("told", node.under_way ? "not yet: under way" : node.order ? `as no. ${node.order}` : null),
    row("expanded", node.expanded === null ? null : `as no. ${node.expanded}`),
    row("stopped", stopText(node)),
    row("answer", node.answer === null ? null : foreign(node.answer)),
    row("votes for it", node.votes === null ? null : decimal(node.votes, 3)),
    row("graded", node.correct === null ? null : mark(node.correct)),
    row("failure", node.failure === null ? null : el("span", { class: "warn" }, foreign(node.failure))),
    row("model", node.model && foreign(node.model)),
    row("tokens", node.tokens === null ? null : whole(node.tokens)),
    Object.entries(node.extra).flatMap(([name, value]) => row(spaced(name), foreign(fact(value)))),
    row("parent", node.parent && link(node.parent)),
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
    judgeText(node),
    nodeText(node),
    childTable(grown, node, link),
  ];
}

const fact = (value) =>
  typeof value === "number" && !Number.isInteger(value) ? decimal(value, 4) : String(value);

function visitsText(grown, node) {
  if (!grown.counted) return null;
  if (node.visits === null)
    return ["failure", "cancelled", "waiting"].includes(nodeState(node))
      ? null
      : "none of its own: a rollout, or the same step as one before";
  const above = node.parent && node.parent.visits;
  return `${whole(node.visits)}${above ? ` (${percent(node.visits / above, 0)} of those of its parent)` : ""}`;
}

// Where the search went from here: the children, most visited first.
function childTable(grown, node, link) {
  if (!node.children.length) return null;
  const columns = [
    { title: "Child", rowHead: true },
    { title: "#", class: "num", hint: "order in which nodes were expanded" },
    ...(grown.counted
      ? [
          { title: "Visits", class: "num" },
          { title: "Value", class: "num" },
          { title: "Prior", class: "num" },
        ]
      : []),
    { title: "Score", class: "num" },
    { title: "", class: "num" },
  ];
  const shown = [...node.children].sort((a, b) => (b.visits ?? -1) - (a.visits ?? -1)).slice(0, 40);
  const rows = shown.map((child) => ({
    class: child.onPath ? "on-path" : undefined,
    cells: [
      link(child),
      child.expanded === null ? "" : String(child.expanded),
      ...(grown.counted
        ? [
            child.visits === null ? "" : shaded(child.visits, node.visits || 1),
            decimal(child.value),
            decimal(child.prior, 2),
          ]
        : []),
      decimal(child.score),
      child.correct === null ? stateWord(child) : mark(child.correct),
    ],
  }));
  const more = node.children.length - shown.length;
  return [
    el("h4", { text: `Children${more > 0 ? `, ${more} more not listed` : ""}` }),
    table(columns, rows, { label: "Children", class: "children" }),
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
  const tone = toneOf(grown, "score");
  const bars = node.step_scores.map((score, i) => {
    const bar = el("i", { class: "step" });
    bar.style.width = `${score === null ? 0 : 100 * Math.min(1, Math.max(0, tone.share(score)))}%`;
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

const BRIEF = 200;

// What the judge said: its beginning, and all of it to unfold where that is longer.
function judgeText(node) {
  if (!node.rationale) return null;
  const all = el("pre", { class: "text" }, foreign(node.rationale));
  const isBrief = node.rationale.length <= BRIEF;
  return [
    el("h4", { text: "What the judge said" }),
    isBrief ? all : el("details", { class: "judge" }, el("summary", {}, foreign(node.rationale, BRIEF)), all),
  ];
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
