// Puts the page together from the data inside it.

// The charts' library empties elements through innerHTML. Nothing but the empty text may pass that way.
if (window.trustedTypes)
  trustedTypes.createPolicy("default", { createHTML: (text) => (text === "" ? text : null) });

const report = JSON.parse(document.getElementById("report-data").textContent);
const colour = families(report);
const treeSection = treeView(report);
const parts = [
  results(report, colour),
  accuracyChart(report, colour),
  comparisons(report),
  reliability(report, colour),
  spending(report),
  endings(report),
  problemTable(report, (strategy, problem) => treeSection.open(strategy, problem)),
  treeSection,
  glossary(),
].filter(Boolean);

const contents = el(
  "nav",
  { "aria-label": "On this page" },
  parts.map((part) => el("a", { href: `#${part.id}`, text: part.querySelector("h2").textContent })),
);
clear(document.getElementById("top"), header(report), contents);
clear(document.getElementById("main"), parts);
clear(
  document.getElementById("foot"),
  el("p", {
    text: `Branchwise ${report.branchwise_version}. This page holds its data and loads nothing. Charts: Apache ECharts 6.1.0 (Apache-2.0).`,
  }),
);

for (const node of [...document.querySelectorAll(".chart"), treeSection].filter(Boolean)) node.start();

const redrawAll = () => {
  redraw();
  if (treeSection) treeSection.redraw();
};
let width = innerWidth;
addEventListener("resize", () => innerWidth !== width && ((width = innerWidth), redrawAll()));
dark.addEventListener("change", redrawAll);
addEventListener("beforeprint", redrawAll);
document.documentElement.dataset.ready = "yes";
