// What shapes, sizes, colours and labels of the tree that is shown mean.

function treeFacts(grown) {
  const { graph } = grown.tree,
    states = { ended: 0, failure: 0, cancelled: 0, waiting: 0 };
  for (const node of grown.ordered) if (nodeState(node) in states) states[nodeState(node)] += 1;
  const depth = grown.ordered.reduce((most, node) => Math.max(most, node.depth), 0);
  const counts = [
    `${whole(grown.nodes.size)} nodes, depth ${depth}`,
    grown.counted ? `${whole(grown.most)} visits` : null,
    `${states.ended} ended, ${states.failure} failed, ${states.cancelled} cancelled`,
    states.waiting ? `${states.waiting} under way` : null,
    grown.folded.size ? `folded at ${grown.folded.size} nodes` : null,
  ].filter(Boolean);
  return [
    graph.algorithm ? foreign(`${graph.algorithm}: `) : null,
    `${counts.join("; ")}. `,
    graph.note ? foreign(graph.note) : null,
  ].filter(Boolean);
}

function treeKey(grown, view) {
  return [
    el("p", { class: "caption shapes" }, toneKey(grown, view.tone), grown.counted ? visitsKey(grown) : null),
    el("p", { class: "caption shapes" }, shapeKey(grown), el("span", { text: labelKey(grown, view) })),
  ];
}

function toneKey(grown, tone) {
  const strip = el("span", { class: "ramp", "aria-hidden": "true" });
  strip.style.background = `linear-gradient(90deg, ${[0, 0.25, 0.5, 0.75, 1].map(ramp).join(",")})`;
  const what = tone.name === "value" ? "value: the search's own estimate" : `score (${grown.tree.graph.scale})`;
  return el(
    "span",
    { class: "score-key" },
    `Colour: ${what} ${tone.known ? decimal(tone.low, 2) : ""} `,
    strip,
    ` ${tone.known ? decimal(tone.high, 2) : ""}`,
  );
}

function visitsKey(grown) {
  const counts = [...new Set([1, Math.round(grown.most / 8), grown.most])].filter((n) => n > 0);
  const circles = counts.map((visits) => {
    const circle = el("i", { class: "shape open", "aria-hidden": "true" });
    circle.style.width = circle.style.height = `${across(grown, { visits })}px`;
    return [circle, whole(visits)];
  });
  return el("span", {}, "Size and width of line: visits ", circles);
}

function shapeKey(grown) {
  const has = new Set(grown.ordered.map(nodeState));
  const item = (shape, text) =>
    el("span", {}, el("i", { class: `shape ${shape}`, "aria-hidden": "true" }), text);
  return [
    item("open", "step"),
    item("ended", "ended (answer or other stop)"),
    item("failure", "failed"),
    item("cancelled", "cancelled"),
    has.has("waiting") ? item("waiting", "under way") : null,
    item("path", "way to what was selected"),
  ];
}

function labelKey(grown, view) {
  const words = {
    all: `Labels: #order in which nodes were expanded, ${view.tone.name}${grown.counted ? ", ·visits" : ""}.`,
    numbers: `Labels: ${view.tone.name}${grown.counted ? ", ·visits" : ""}.`,
    order: "Labels: #order in which nodes were expanded.",
    prior: "Labels: prior, the share of the draws.",
    none: "",
  };
  return `${words[view.label]} ✓ ✗: right, wrong; +n: folded nodes. Click opens, double click folds.`;
}
