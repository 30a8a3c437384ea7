// A search tree as objects with parents and children; what is folded; what is visible.

const UNFOLDED = 150; // nodes that a tree may show before the rest is folded
const MARGIN = { left: 40, top: 26, right: 90 };
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
  for (const node of [...ordered].reverse()) {
    node.below = sum(node.children.map((child) => child.below + 1));
    node.answered = node.selected && !node.children.some((child) => child.selected);
  }
  for (const node of ordered)
    if (node.selected) for (let one = node; one; one = one.parent) one.onPath = true;
  return {
    tree,
    root,
    nodes,
    ordered,
    folded: new Set(),
    counted: root.visits !== null,
    most: root.visits || 0,
    expandable: ordered.some((node) => node.expanded !== null),
  };
}

// Unfolds as many nodes as the budget allows: those most visited first, or else level by level.
function foldAround(grown, budget) {
  const shown = new Set(
    grown.ordered.filter((node) => node.onPath || (node.parent && node.parent.onPath) || node === grown.root),
  );
  const likely = grown.counted ? [...grown.ordered].sort((a, b) => b.visits - a.visits) : grown.ordered;
  for (const node of likely) {
    if (shown.size >= budget) break;
    if (node.children.length && shown.has(node)) node.children.forEach((child) => shown.add(child));
  }
  grown.folded = new Set(
    grown.ordered.filter((node) => node.children.length && !shown.has(node.children[0])),
  );
}

// Leaves below each node as the tree is folded now: how much room it has.
function countLeaves(grown, nodes) {
  for (const node of [...nodes].reverse())
    node.leaves = grown.folded.has(node) ? 1 : sum(node.children.map((child) => child.leaves)) || 1;
  return grown.root.leaves;
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
  if (node.under_way) return "waiting";
  return node.stop !== null ? "ended" : "open";
}
