// A search tree as objects with parents and children; what is folded; what is visible.

const UNFOLDED = 150; // nodes that a tree may show before the rest is folded
const MARGIN = { left: 34, top: 22 };
const LONGEST = 12000; // pixels; browsers refuse much longer canvases

function grow(tree) {
  const nodes = new Map(tree.nodes.map((node) => [node.id, { ...node, children: [], parent: null }]));
  for (const edge of tree.edges) {
    const child = nodes.get(edge.target),
      parent = nodes.get(edge.source);
    child.parent = parent;
    parent.children.push(child);
  }
  const root = [...nodes.values()].find((node) => node.parent === null);
  const ordered = [root];
  for (const node of ordered) {
    node.children.sort((a, b) => a.id.localeCompare(b.id, "en", { numeric: true }));
    node.depth = node.parent ? node.parent.depth + 1 : 0;
    ordered.push(...node.children);
  }
  for (const node of [...ordered].reverse()) node.below = sum(node.children.map((child) => child.below + 1));
  for (const node of ordered)
    if (node.selected) for (let one = node; one; one = one.parent) one.onPath = true;
  return {
    tree,
    root,
    nodes,
    ordered,
    folded: new Set(),
    counted: root.visits !== null,
    scale: scoreScale(tree, ordered),
  };
}

function scoreScale(tree, ordered) {
  const scores = ordered.map((node) => node.score).filter((score) => score !== null);
  if (tree.graph.scale === "probability" || !scores.length)
    return { low: 0, high: 1, share: (score) => score };
  const low = scores.reduce((a, b) => Math.min(a, b)),
    high = scores.reduce((a, b) => Math.max(a, b));
  return { low, high, share: (score) => (high > low ? (score - low) / (high - low) : 1) };
}

function foldAround(grown, budget) {
  const shown = new Set(
    grown.ordered.filter((node) => node.onPath || (node.parent && node.parent.onPath) || node === grown.root),
  );
  for (const node of grown.ordered) {
    if (shown.size >= budget) break;
    if (node.children.length && shown.has(node)) node.children.forEach((child) => shown.add(child));
  }
  grown.folded = new Set(
    grown.ordered.filter((node) => node.children.length && !shown.has(node.children[0])),
  );
}

function visible(grown) {
  const out = [];
  const visit = (start) => {
    const stack = [start];
    while (stack.length) {
      const node = stack.pop();
      out.push(node);
      if (!grown.folded.has(node)) stack.push(...node.children);
    }
  };
  visit(grown.root);
  return out;
}

function nodeState(node) {
  if (node.failure !== null) return "failure";
  if (node.cancelled) return "cancelled";
  return node.stop !== null ? "ended" : "open";
}
