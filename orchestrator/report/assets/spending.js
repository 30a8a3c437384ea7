// Where the tokens went, by role.

function spending(report) {
  const parts = [...new Set(report.strategies.flatMap((one) => one.tokens.map((t) => t.role)))].flatMap(
    (role) => [
      [role, "prompt"],
      [role, "completion"],
    ],
  );
  if (!parts.length) return null;
  const node = el("div", { class: "chart" });
  node.style.height = `${70 + 24 * report.strategies.length}px`;
  node.start = () =>
    chart(
      node,
      () => spendingOption(report, parts),
      "Tokens a problem by role, read (prompt) and drawn (completion); the table below holds the same numbers",
    );
  return section("spending", "Where the tokens went", node, spendingNumbers(report));
}

function spendingOption(report, parts) {
  const roles = [...new Set(parts.map(([role]) => role))];
  const tokens = (one, role, part) =>
    perProblem(one, sum(one.tokens.filter((t) => t.role === role).map((t) => t.drawn[part])));
  return {
    ...common(),
    legend: {
      top: 0,
      left: 0,
      itemWidth: 12,
      itemHeight: 12,
      textStyle: { color: ink("ink") },
      selectedMode: false,
    },
    grid: { left: 190, right: 24, top: 34, bottom: 42 },
    xAxis: {
      ...axis(),
      type: "value",
      name: "tokens a problem, read and drawn",
      nameLocation: "middle",
      nameGap: 26,
      axisLabel: { color: ink("muted"), formatter: short },
    },
    yAxis: {
      ...axis(),
      type: "category",
      inverse: true,
      data: report.strategies.map((one) => plain(one.name)),
      axisTick: { show: false },
      axisLabel: { color: ink("ink"), width: 178, overflow: "truncate" },
    },
    series: parts.map(([role, part]) => ({
      type: "bar",
      stack: "all",
      name: `${plain(spaced(role))} ${part}`,
      barWidth: 13,
      itemStyle: {
        color: HUES[theme()][roles.indexOf(role) % HUES.light.length],
        opacity: part === "prompt" ? 0.45 : 1,
      },
      tooltip: {
        formatter: (hit) =>
          `${plain(report.strategies[hit.dataIndex].name)}\n${plain(spaced(role))} ${part}: ${whole(hit.value)} a problem`,
      },
      data: report.strategies.map((one) => tokens(one, role, part)),
    })),
  };
}

function spendingNumbers(report) {
  const num = (title, hint) => ({ title, hint, class: "num" });
  const columns = [
    { title: "Strategy", class: "name", rowHead: true },
    { title: "Role" },
    num("Drawn prompt"),
    num("Drawn completion"),
    num("of prompt: cached"),
    num("Drawn calls"),
    num("Paid prompt"),
    num("Paid completion"),
    num("Paid calls"),
    num("Money paid"),
  ];
  const rows = report.strategies.flatMap((one) =>
    one.tokens.map((t) => ({
      cells: [
        foreign(one.name),
        spaced(t.role) + (t.drawn.exact ? "" : " (estimated)"),
        whole(t.drawn.prompt),
        whole(t.drawn.completion),
        whole(t.drawn.cached),
        whole(t.drawn.calls),
        whole(t.paid.prompt),
        whole(t.paid.completion),
        whole(t.paid.calls),
        t.paid.money ? t.paid.money.toFixed(4) : "–",
      ],
    })),
  );
  return el(
    "details",
    {},
    el("summary", { text: "Whole-run tokens and calls by role, drawn and paid" }),
    table(columns, rows, { label: "Tokens by role" }),
  );
}
