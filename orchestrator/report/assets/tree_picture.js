// How the chart library draws a tree: one shape for each state, sizes and colours as tree_scale.js has them.

const SYMBOLS = { failure: "diamond", cancelled: "circle", waiting: "circle", ended: "rect", open: "circle" };

function drawnNode(grown, node, view) {
  const state = nodeState(node),
    late = view.until !== null && (node.order === null || node.order > view.until);
  const folded = grown.folded.has(node),
    empty = state === "cancelled" || state === "waiting";
  return {
    name: node.id,
    id: node.id,
    symbol: SYMBOLS[state],
    symbolSize: across(grown, node, folded),
    itemStyle: {
      color: state === "failure" ? ink("bad") : empty ? ink("paper") : fillOf(node, view.tone),
      borderColor: borderOf(node, state),
      borderWidth: node.onPath ? 2.5 : 1,
      borderType: empty ? "dashed" : "solid",
      opacity: late ? 0.12 : 1,
    },
    lineStyle: {
      color: node.onPath ? ink("accent") : ink("edge"),
      width: lineWidth(grown, node),
      opacity: late ? 0.1 : grown.counted && !node.onPath ? 0.75 : 1,
    },
    label: {
      show: hasRoom(grown, node, view),
      formatter: nodeLabel(grown, node, view),
      opacity: late ? 0.2 : 1,
      color: node.onPath ? ink("ink") : ink("muted"),
      fontWeight: node.onPath ? 600 : 400,
      ...(node.children.length && !folded
        ? { position: "top", align: node.parent ? "center" : "left", distance: node.parent ? 3 : 6 }
        : { position: "right", align: "left", distance: 6 }),
    },
    children: folded ? [] : node.children.map((child) => drawnNode(grown, child, view)),
  };
}

function fillOf(node, tone) {
  const number = tone.of(node);
  return number === null ? ink("paper") : ramp(tone.share(number));
}

function borderOf(node, state) {
  if (state === "failure") return ink("bad");
  if (state === "waiting") return ink("accent");
  return node.onPath ? ink("accent") : ink("muted");
}

// A label is as high as ten pixels; what stands above a node must not touch what stands above the next.
const hasRoom = (grown, node, view) =>
  view.label !== "none" && (node === grown.root || node.leaves * view.pitch >= (node.leaves > 1 ? 24 : 10));

function nodeLabel(grown, node, view) {
  const folded = grown.folded.has(node) ? `+${node.below}` : "",
    sign = node.correct === true ? "✓" : node.correct === false ? "✗" : "";
  const number = view.tone.of(node),
    shown = number === null ? "" : number.toFixed(2).replace("-", "−"),
    visits = node.visits === null ? "" : `·${node.visits}`,
    order = node.expanded === null ? "" : `#${node.expanded}`;
  const parts = {
    all: view.column < NARROW ? [order || shown] : [order, shown || stateWord(node), visits],
    numbers: [shown || stateWord(node), visits],
    order: [order || stateWord(node)],
    prior: [node.prior === null ? "" : node.prior.toFixed(2)],
    none: [],
  }[view.label];
  return [...parts, sign, folded].filter(Boolean).join(" ");
}

function stateWord(node) {
  if (!node.parent) return "root";
  return { failure: "failed", cancelled: "cancelled", waiting: "under way" }[nodeState(node)] || "";
}

function treeOption(grown, view) {
  return {
    ...common(),
    tooltip: { ...common().tooltip, formatter: (hit) => tooltipText(grown.nodes.get(hit.data.id)) },
    series: [
      {
        type: "tree",
        data: [drawnNode(grown, grown.root, view)],
        layout: "orthogonal",
        orient: "LR",
        left: MARGIN.left,
        right: MARGIN.right,
        top: MARGIN.top,
        bottom: 14,
        expandAndCollapse: false,
        initialTreeDepth: -1,
        edgeShape: "curve",
        roam: false,
        symbolKeepAspect: true,
        label: {
          fontSize: view.pitch < 13 ? 9 : 11,
          verticalAlign: "middle",
          textBorderColor: ink("paper"),
          textBorderWidth: 2,
        },
        emphasis: { scale: false, itemStyle: { borderColor: ink("ink"), borderWidth: 2.5 } },
      },
    ],
  };
}

function tooltipText(node) {
  const facts = ["visits", "value", "score", "prior"]
    .filter((name) => node[name] !== null)
    .map((name) => `${name} ${name === "visits" ? whole(node.visits) : decimal(node[name])}`);
  return [
    node.id,
    ...facts,
    node.stop ? plain(spaced(node.stop)) : null,
    node.order === null ? null : `told as no. ${node.order}`,
    node.expanded === null ? null : `expanded as no. ${node.expanded}`,
    plain(node.text.trim().replace(/\s+/g, " ")),
  ]
    .filter(Boolean)
    .join("\n");
}

// Where the library drew a node, in pixels of the canvas; null where it is folded away.
function placeOf(instance, node) {
  const data = instance.getModel().getSeriesByIndex(0).getData(),
    at = data.indexOfName(node.id);
  if (at < 0) return null;
  const layout = data.getItemLayout(at);
  return { x: layout.x + MARGIN.left, y: layout.y + MARGIN.top };
}

function scrollToNode(box, { x, y }) {
  if (y < box.scrollTop + 30 || y > box.scrollTop + box.clientHeight - 30)
    box.scrollTop = y - box.clientHeight / 2;
  if (x < box.scrollLeft + 30 || x > box.scrollLeft + box.clientWidth - 120)
    box.scrollLeft = x - box.clientWidth / 2;
}
