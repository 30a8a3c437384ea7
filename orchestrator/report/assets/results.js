// The table of strategies.

function strategyName(report, one, colour) {
  const number = report.strategies.indexOf(one) + 1;
  const small = [one.algorithm, one.workflow].filter(Boolean).join(" · ");
  return el(
    "span",
    { class: "strategy" },
    el("span", { class: "index", text: String(number) }),
    swatch(colour(one), one.reward_kind === "oracle"),
    el("span", {}, foreign(one.name), small ? el("small", {}, foreign(small)) : null),
  );
}

function rewardTag(one) {
  const tag = el("span", {
    class: `tag tag-${one.reward_kind}`,
    text: one.reward_kind === "none" ? "no reward" : one.reward_kind,
    title: REWARDS[one.reward_kind],
  });
  return el("span", { class: "reward" }, tag, one.reward ? foreign(one.reward) : null);
}

function intervalBar(low, middle, high, from, to, zero) {
  const place = (x) => `${(100 * (Math.min(Math.max(x, from), to) - from)) / (to - from)}%`;
  const bar = el("span", { class: "interval", "aria-hidden": "true" });
  const line = el("i", { class: "range" }),
    dot = el("i", { class: "dot" });
  line.style.left = place(low);
  line.style.width = `calc(${place(high)} - ${place(low)})`;
  dot.style.left = place(middle);
  if (zero !== undefined) {
    const mark = el("i", { class: "zero" });
    mark.style.left = place(zero);
    bar.append(mark);
  }
  bar.append(line, dot);
  return bar;
}

const accuracyOf = (one) => (one.graded ? one.correct / one.graded : null);
const drawn = (one, test = () => true) =>
  sum(one.tokens.filter((t) => test(t.role)).map((t) => t.drawn.prompt + t.drawn.completion));
const paid = (one) => sum(one.tokens.map((t) => t.paid.prompt + t.paid.completion));
const perProblem = (one, total) => (one.attempted ? total / one.attempted : 0);
const exact = (one) => one.tokens.every((t) => t.drawn.exact);
const tilde = (one, text) => (exact(one) ? text : `≈ ${text}`);

function accuracyCell(one) {
  if (!one.graded) return null;
  const accuracy = accuracyOf(one);
  const range = one.interval
    ? `${(100 * one.interval.low).toFixed(1)}–${(100 * one.interval.high).toFixed(1)}`
    : "no interval";
  const lost = one.attempted - one.graded;
  const lines = [el("strong", { text: percent(accuracy) }), el("small", { text: range })];
  if (lost)
    lines.push(
      el("small", {
        class: "warn",
        text: `${percent(one.correct / one.attempted)} of attempted`,
        title: `the accuracy if the ${lost} not graded were all wrong`,
      }),
    );
  return el("span", { class: "accuracy" }, lines);
}

function summaryColumns(report, colour) {
  const right = (column) => ({ class: "num", sort: true, ...column });
  const roles = [...new Set(report.strategies.flatMap((one) => one.tokens.map((t) => t.role)))];
  return [
    {
      key: "name",
      title: "Strategy",
      class: "name",
      rowHead: true,
      sort: true,
      cell: (one) => strategyName(report, one, colour),
      value: (one) => report.strategies.indexOf(one),
    },
    {
      key: "reward",
      title: "Reward",
      sort: true,
      cell: rewardTag,
      value: (one) => one.reward_kind + one.reward,
    },
    right({
      key: "accuracy",
      title: "Accuracy, 95 % interval",
      hint: "right of graded; Wilson interval",
      cell: accuracyCell,
      value: (one) => accuracyOf(one) ?? -1,
    }),
    {
      key: "bar",
      title: "0 – 100 %",
      class: "bar",
      cell: (one) =>
        one.interval ? intervalBar(one.interval.low, accuracyOf(one), one.interval.high, 0, 1) : null,
    },
    right({
      key: "drawn",
      title: "All drawn / problem",
      hint: "drawn tokens of all roles",
      cell: (one) => el("strong", { text: tilde(one, whole(perProblem(one, drawn(one)))) }),
      value: (one) => perProblem(one, drawn(one)),
    }),
    ...roles.map((role) =>
      right({
        key: `role-${role}`,
        title: `${spaced(role)} tokens / problem`,
        hint: "drawn: prompt and completion",
        cell: (one) =>
          tilde(
            one,
            whole(
              perProblem(
                one,
                drawn(one, (r) => r === role),
              ),
            ),
          ),
        value: (one) =>
          perProblem(
            one,
            drawn(one, (r) => r === role),
          ),
      }),
    ),
    right({
      key: "graded",
      title: "Right / graded / attempted",
      cell: (one) => `${whole(one.correct)} / ${whole(one.graded)} / ${whole(one.attempted)}`,
      value: (one) => one.graded,
    }),
    right({
      key: "paid",
      title: "Paid, whole run",
      hint: "tokens really sent in this run",
      cell: (one) => tilde(one, whole(paid(one))),
      value: paid,
    }),
    right({
      key: "calls",
      title: "Calls",
      hint: "requests drawn, all roles",
      cell: (one) => whole(sum(one.tokens.map((t) => t.drawn.calls))),
      value: (one) => sum(one.tokens.map((t) => t.drawn.calls)),
    }),
    right({
      key: "seconds",
      title: "Time",
      cell: (one) => duration(one.seconds),
      value: (one) => one.seconds ?? -1,
    }),
  ];
}

function results(report, colour) {
  const place = el("div");
  const columns = summaryColumns(report, colour);
  let sortedBy = "name",
    descending = false;
  const draw = () => {
    const column = columns.find((one) => one.key === sortedBy);
    const sorted = [...report.strategies].sort((a, b) =>
      column.value(a) < column.value(b) ? -1 : column.value(a) > column.value(b) ? 1 : 0,
    );
    if (descending) sorted.reverse();
    const rows = sorted.map((one) => ({
      class: one.baseline ? "baseline" : undefined,
      cells: columns.map((c) => c.cell(one)),
    }));
    const onsort = (key) => {
      descending = key === sortedBy ? !descending : key !== "name" && key !== "reward";
      sortedBy = key;
      draw();
    };
    clear(place, table(columns, rows, { class: "summary", label: "Results", sortedBy, descending, onsort }));
  };
  draw();
  return section("results", "Results", place, runFacts(report));
}

function runFacts(report) {
  const items = report.strategies.map((one) => {
    const facts = { seed: one.seed, "run directory": one.run_directory, ...one.facts };
    const text = Object.entries(facts)
      .filter(([, value]) => value !== null && value !== "")
      .map(([name, value]) => `${spaced(name)} ${value}`);
    return el("li", {}, foreign(one.name), ": ", foreign(text.join(" · ")));
  });
  return el(
    "details",
    {},
    el("summary", { text: "Seeds, run directories and options of each strategy" }),
    el("ul", { class: "plain" }, items),
  );
}
