// The table of problems: one strategy's rows, or all strategies side by side; filtered, a page at a time.

const PAGE = 50;
const OUTCOMES = {
  all: "all",
  wrong: "wrong",
  right: "right",
  ungraded: "not graded",
  split: "strategies disagree",
  lost: "with failures",
  tree: "with a tree",
};

function problemIndex(report) {
  const rows = new Map(report.problems.map((problem) => [problem.id, { problem, rows: new Map() }]));
  for (const row of report.rows) rows.get(row.problem).rows.set(row.strategy, row);
  return [...rows.values()];
}

function problemTable(report, openTree) {
  if (!report.problems.length) return null;
  const trees = new Set(report.trees.map((tree) => `${tree.graph.strategy}\n${tree.graph.problem}`));
  const state = { strategy: "", outcome: "all", text: "", page: 0 };
  const index = problemIndex(report);
  const place = el("div"),
    count = el("span", { class: "count", role: "status" });
  const context = { report, state, openTree, hasTree: (row) => trees.has(`${row.strategy}\n${row.problem}`) };
  const draw = () => {
    const kept = index.filter((entry) => entryMatches(entry, context));
    const pages = Math.max(1, Math.ceil(kept.length / PAGE));
    state.page = Math.min(state.page, pages - 1);
    count.textContent = `${whole(kept.length)} of ${whole(index.length)} problems`;
    clear(
      place,
      problemRows(kept.slice(state.page * PAGE, (state.page + 1) * PAGE), context),
      pages > 1 ? pager(state, pages, draw) : null,
    );
  };
  const change = (key) => (event) => ((state[key] = event.target.value), (state.page = 0), draw());
  const option = ([value, text]) => el("option", { value, text });
  const filters = el(
    "div",
    { class: "filters" },
    el(
      "label",
      {},
      "Strategy ",
      el(
        "select",
        { id: "filter-strategy", onchange: change("strategy") },
        [["", "all, side by side"], ...report.strategies.map((one) => [one.name, one.name])].map(option),
      ),
    ),
    el(
      "label",
      {},
      "Show ",
      el(
        "select",
        { id: "filter-outcome", onchange: change("outcome") },
        Object.entries(OUTCOMES).map(option),
      ),
    ),
    el(
      "label",
      {},
      "Text ",
      el("input", {
        id: "filter-text",
        type: "search",
        placeholder: "id, question or answer",
        oninput: change("text"),
      }),
    ),
    count,
  );
  draw();
  return section(
    "problems",
    "Problem by problem",
    filters,
    place,
    el("p", {
      class: "caption",
      text: "Side by side, the marks stand in the order of the strategies in the results table. Select a row for answers, failures and tokens.",
    }),
  );
}

function entryMatches(entry, { report, state, hasTree }) {
  const rows = state.strategy ? [entry.rows.get(state.strategy)].filter(Boolean) : [...entry.rows.values()];
  const outcomes = new Set([...entry.rows.values()].map((row) => row.correct));
  const fits = {
    all: () => true,
    wrong: () => rows.some((row) => row.correct === false),
    right: () => rows.some((row) => row.correct === true),
    ungraded: () => rows.some((row) => row.correct === null),
    split: () => outcomes.has(true) && outcomes.has(false),
    lost: () => rows.some((row) => row.failures.length),
    tree: () => rows.some(hasTree),
  }[state.outcome]();
  const wanted = state.text.trim().toLowerCase();
  const texts = () => [
    entry.problem.id,
    entry.problem.question,
    entry.problem.expected,
    ...rows.map((row) => row.answer),
  ];
  return fits && (!wanted || texts().some((text) => text && text.toLowerCase().includes(wanted)));
}

function problemRows(entries, context) {
  const { report, state } = context;
  const one = state.strategy;
  const roles = rolesOf(report, one);
  const tokens = roles.map((role) => `${spaced(role)} tokens`);
  const titles = one
    ? ["Problem", "Question", "Expected", "Answer", "", "Stop", ...tokens, "Lost", "Tree"]
    : ["Problem", "Question", "Expected", "Right in", "By strategy"];
  const numeric = new Set([...tokens, "Lost", "Right in"]);
  const body = el("tbody");
  for (const entry of entries) {
    const cells = one ? oneCells(entry, roles, context) : allCells(entry, report);
    const row = el(
      "tr",
      { class: "problem", tabIndex: 0, "aria-expanded": "false" },
      cells.map((cell, i) =>
        el("td", { class: numeric.has(titles[i]) ? "num" : i === 1 ? "question" : undefined }, cell),
      ),
    );
    const toggle = () => toggleDetails(row, entry, context, titles.length);
    row.addEventListener("click", (event) => event.target.closest("button") || toggle());
    row.addEventListener(
      "keydown",
      (event) =>
        event.target === row &&
        (event.key === "Enter" || event.key === " ") &&
        (event.preventDefault(), toggle()),
    );
    body.append(row);
  }
  const head = el(
    "thead",
    {},
    el(
      "tr",
      {},
      titles.map((title) =>
        el("th", { scope: "col", text: title, class: numeric.has(title) ? "num" : undefined }),
      ),
    ),
  );
  return el(
    "div",
    { class: "scroll", role: "region", "aria-label": "Problems" },
    el("table", { class: "problems" }, head, body),
  );
}

function pager(state, pages, draw) {
  const go = (step) => () => ((state.page += step), draw());
  return el(
    "p",
    { class: "pager" },
    el("button", { type: "button", text: "← earlier", disabled: state.page === 0, onclick: go(-1) }),
    ` page ${state.page + 1} of ${pages} `,
    el("button", { type: "button", text: "later →", disabled: state.page === pages - 1, onclick: go(1) }),
  );
}
