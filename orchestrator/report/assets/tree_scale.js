// From numbers to looks: a node's area and the width of the line to it are its visits, its colour a value
// or a score.

const SMALLEST = 5,
  LARGEST = 28, // pixels across: a node without visits, one with all of them
  WIDEST = 12, // pixels: a line that all visits went along
  NARROW = 70; // pixels between levels, below which labels are short

// What colours can say of this tree: what the search takes a node to be worth, if it says, and the score.
function tones(grown) {
  const found = [toneOf(grown, "value"), toneOf(grown, "score")].filter((tone) => tone.known);
  return found.length ? found : [toneOf(grown, "score")];
}

// Values lie close together: their colours go from the least to the greatest. Scores keep their scale, if
// it has ends.
function toneOf(grown, name) {
  const numbers = grown.ordered.map((node) => node[name]).filter((x) => x !== null);
  const bounded = name === "score" && grown.tree.graph.scale === "probability";
  const low = bounded ? 0 : numbers.reduce((a, b) => Math.min(a, b), Infinity),
    high = bounded ? 1 : numbers.reduce((a, b) => Math.max(a, b), -Infinity);
  const share = (x) => (bounded ? x : high > low ? (x - low) / (high - low) : 1);
  return { name, low, high, share, known: numbers.length > 0, of: (node) => node[name] };
}

const shareOfVisits = (grown, node) => (grown.most ? (node.visits || 0) / grown.most : 0);

function across(grown, node, folded) {
  if (!grown.counted) return folded ? 13 : 11;
  return Math.round(10 * (SMALLEST + (LARGEST - SMALLEST) * Math.sqrt(shareOfVisits(grown, node)))) / 10;
}

function lineWidth(grown, node) {
  const visits = grown.counted ? 0.6 + WIDEST * shareOfVisits(grown, node) : 1;
  return node.onPath ? Math.max(2.5, visits) : visits;
}

// Pixels between leaves and between levels. A tree with visits is fitted into its box, to be seen as a whole.
function fit(grown, view, box) {
  const height = parseFloat(getComputedStyle(box).maxHeight) || 720,
    within = (least, most, x) => Math.min(most, Math.max(least, x));
  const nodes = visible(grown),
    levels = nodes.reduce((most, node) => Math.max(most, node.depth), 1);
  const room = (box.clientWidth - MARGIN.left - MARGIN.right) / levels;
  view.pitch = within(3, 18, (height - 60) / countLeaves(grown, nodes));
  view.column = within(46, NARROW + 34, room);
}

function zoom(view, by) {
  view.pitch = Math.min(32, Math.max(3, view.pitch * by));
  view.column = Math.min(140, Math.max(46, view.column * by));
}

function loosen(grown, view) {
  view.pitch = 18;
  view.column = grown.counted ? 104 : 92;
}
