// One problem: its cells in the table and what is told when its row is opened.

function mark(correct, title) {
  const [glyph, name] =
    correct === true ? ["✓", "right"] : correct === false ? ["✗", "wrong"] : ["–", "ungraded"];
  return el("span", {
    class: `mark ${name}`,
    text: glyph,
    title: title || name,
    role: "img",
    "aria-label": title || name,
  });
}

function allCells(entry, report) {
  const rows = report.strategies.map((strategy) => entry.rows.get(strategy.name));
  const present = rows.filter(Boolean);
  const marks = rows.map((row, i) =>
    mark(
      row ? row.correct : null,
      `${i + 1} ${report.strategies[i].name}: ${row ? (row.correct === null ? "not graded" : row.correct ? "right" : "wrong") : "not attempted"}`,
    ),
  );
  return [
    foreign(entry.problem.id, 40),
    foreign(entry.problem.question, 300),
    foreign(entry.problem.expected ?? "–", 40),
    `${present.filter((row) => row.correct).length} / ${present.length}`,
    el("span", { class: "marks" }, marks),
  ];
}

function rolesOf(report, strategy) {
  const rows = report.rows.filter((row) => row.strategy === strategy);
  return [...new Set(rows.flatMap((row) => Object.keys(row.tokens)))];
}

function oneCells(entry, roles, context) {
  const row = entry.rows.get(context.state.strategy);
  const first = [
    foreign(entry.problem.id, 40),
    foreign(entry.problem.question, 300),
    foreign(entry.problem.expected ?? "–", 30),
  ];
  if (!row) return [...first, "not attempted", mark(null), "–", ...roles.map(() => "–"), "–", null];
  return [
    ...first,
    row.answer === null ? el("span", { class: "muted", text: "none" }) : foreign(row.answer, 30),
    mark(row.correct),
    row.stop ? spaced(row.stop) : "–",
    ...roles.map((role) => whole(row.tokens[role] || 0)),
    String(row.failures.length),
    treeButton(row, context),
  ];
}

function treeButton(row, { hasTree, openTree }) {
  if (!hasTree(row)) return null;
  return el("button", {
    type: "button",
    class: "small",
    text: "open tree",
    onclick: () => openTree(row.strategy, row.problem),
  });
}

function toggleDetails(row, entry, context, width) {
  const open = row.getAttribute("aria-expanded") === "true";
  row.setAttribute("aria-expanded", String(!open));
  if (open) return row.nextElementSibling.remove();
  row.after(el("tr", { class: "details" }, el("td", { colSpan: width }, problemDetails(entry, context))));
}

function problemDetails(entry, context) {
  const wanted = context.state.strategy;
  const rows = context.report.strategies
    .filter((one) => !wanted || one.name === wanted)
    .map((one) => entry.rows.get(one.name))
    .filter(Boolean);
  const columns = [
    { title: "Strategy", class: "name", rowHead: true },
    { title: "" },
    { title: "Answer" },
    { title: "Stop" },
    { title: "Drawn tokens by role", class: "num" },
    { title: "Failures" },
    { title: "" },
  ];
  const cells = rows.map((row) => ({
    cells: [
      foreign(row.strategy),
      mark(row.correct),
      row.answer === null ? null : foreign(row.answer),
      row.stop ? spaced(row.stop) : null,
      Object.entries(row.tokens)
        .map(([role, tokens]) => `${spaced(role)} ${whole(tokens)}`)
        .join(", "),
      failureList(row.failures),
      treeButton(row, context) || "",
    ],
  }));
  return [
    el("pre", { class: "text" }, foreign(entry.problem.question)),
    el("p", {}, el("strong", { text: "Expected " }), foreign(entry.problem.expected ?? "–")),
    table(columns, cells, { label: "Answers to this problem" }),
  ];
}

function failureList(failures) {
  if (!failures.length) return null;
  return el(
    "ul",
    { class: "plain" },
    failures.map((one) =>
      el(
        "li",
        {},
        el("span", { class: "warn", text: `${one.boundary}${one.lineage ? ` at ${one.lineage}` : ""}: ` }),
        foreign(one.message),
      ),
    ),
  );
}
