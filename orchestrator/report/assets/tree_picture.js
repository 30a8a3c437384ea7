// How the chart library draws a tree: one shape for each state, colour for the score.

function drawnNode(grown, node, view) {
  const state = nodeState(node),
    late = view.until !== null && node.order !== null && node.order > view.until;
  const fill = node.score === null ? ink("paper") : ramp(grown.scale.share(node.score));
  const edge =
    { failure: ink("bad"), cancelled: ink("muted") }[state] || (node.onPath ? ink("accent") : ink("muted"));
  const folded = grown.folded.has(node);
  return {
    name: node.id,
    id: node.id,
    symbol: { failure: "diamond", cancelled: "circle", ended: "rect", open: "circle" }[state],
    symbolSize: folded ? 13 : 11,
    itemStyle: {
      color: state === "failure" ? ink("bad") : state === "cancelled" ? ink("paper") : fill,
      borderColor: edge,
      borderWidth: node.onPath ? 2.5 : 1,
      borderType: state === "cancelled" ? "dashed" : "solid",
      opacity: late ? 0.12 : 1,
    },
    lineStyle: {
      color: node.onPath ? ink("accent") : ink("edge"),
      width: node.onPath ? 2.8 : 1,
      opacity: late ? 0.1 : 1,
    },
    label: {
      show: view.labels,
      formatter: nodeLabel(node, folded),
      opacity: late ? 0.2 : 1,
      color: node.onPath ? ink("ink") : ink("muted"),
      fontWeight: node.onPath ? 600 : 400,
      ...(node.children.length && !folded
        ? { position: "top", align: "center", distance: 3 }
        : { position: "right", align: "left", distance: 8 }),
    },
    children: folded ? [] : node.children.map((child) => drawnNode(grown, child, view)),
  };
}

function nodeLabel(node, folded) {
  const score = node.score === null ? "" : node.score.toFixed(2).replace("-", "−");
  const sign = node.correct === true ? " ✓" : node.correct === false ? " ✗" : "";
  const visits = node.visits === null ? "" : ` ·${node.visits}`;
  return `${score || (node.failure !== null ? "failed" : node.cancelled ? "cancelled" : node.parent ? "" : "root")}${visits}${sign}${folded ? `  +${node.below}` : ""}`;
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
        right: 90,
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
  const facts = [
    ["score", node.score],
    ["value", node.value],
    ["prior", node.prior],
  ]
    .filter(([, x]) => x !== null)
    .map(([name, x]) => `${name} ${decimal(x)}`);
  return [
    node.id,
    ...facts,
    node.stop ? plain(spaced(node.stop)) : null,
    node.order === null ? null : `committed as no. ${node.order}`,
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
