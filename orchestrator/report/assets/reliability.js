// How often answers were right, against the chance that the reward gave them.

function reliability(report, colour) {
  if (!report.reliabilities.length) return null;
  const strategies = new Map(report.strategies.map((one) => [one.name, one]));
  const shown = report.reliabilities.map((one) => ({ ...one, colour: () => colour(strategies.get(one.strategy)) }));
  const node = el("div", { class: "chart tall" });
  node.start = () =>
    chart(
      node,
      () => reliabilityOption(shown),
      "Share of answers that were right against the mean value of the reward; the table below holds the same numbers",
    );
  return section(
    "reliability",
    "Can the reward's values be trusted?",
    el(
      "div",
      { class: "keys" },
      shown.map((one) =>
        el("span", {}, swatch(one.colour()), foreign(one.strategy), el("small", { text: ` ${errorText(one)}` })),
      ),
    ),
    node,
    el("p", {
      class: "caption",
      text: "Every finished answer that was judged and is known to be right or wrong, in bins a tenth wide. On the dashed line a value is the chance of being right; below it the reward is too sure. Larger points stand for more answers.",
    }),
    reliabilityNumbers(shown),
  );
}

const errorText = (one) => `expected calibration error ${decimal(one.expected_calibration_error)}`;

function reliabilityNumbers(shown) {
  const columns = [
    { title: "Strategy", class: "name", rowHead: true },
    { title: "Mean value", class: "num" },
    { title: "Right", class: "num" },
    { title: "Answers", class: "num" },
    { title: "Expected calibration error", class: "num" },
    { title: "Problems", class: "num" },
    { title: "Of unknown grade", class: "num" },
  ];
  const rows = shown.flatMap((one) =>
    one.bins.map((bin, k) => ({
      cells: [
        foreign(one.strategy),
        decimal(bin.chance),
        percent(bin.correct),
        whole(bin.count),
        ...(k ? ["", "", ""] : [decimal(one.expected_calibration_error), whole(one.problems), whole(one.left_out)]),
      ],
    })),
  );
  return el(
    "details",
    {},
    el("summary", { text: "The diagram in numbers" }),
    table(columns, rows, { label: "The diagram in numbers" }),
  );
}

function reliabilityOption(shown) {
  const most = Math.max(...shown.flatMap((one) => one.bins.map((bin) => bin.count)));
  const ends = { type: "value", min: 0, max: 1 };
  return {
    ...common(),
    grid: { left: 52, right: 24, top: 16, bottom: 46 },
    xAxis: { ...axis(), ...ends, name: "value of the reward", nameLocation: "middle", nameGap: 30 },
    yAxis: { ...axis(), ...ends, axisLabel: { color: ink("muted"), formatter: (y) => `${Math.round(100 * y)} %` } },
    series: [
      {
        type: "line",
        silent: true,
        symbol: "none",
        lineStyle: { color: ink("muted"), type: "dashed", width: 1 },
        data: [
          [0, 0],
          [1, 1],
        ],
      },
      ...shown.map((one) => reliabilityLine(one, most)),
    ],
  };
}

function reliabilityLine(one, most) {
  const colour = one.colour();
  return {
    type: "line",
    name: plain(one.strategy),
    color: colour,
    symbol: "circle",
    symbolSize: (_, hit) => 5 + 13 * Math.sqrt(one.bins[hit.dataIndex].count / most),
    lineStyle: { color: colour, width: 1.5 },
    tooltip: { formatter: (hit) => binText(one, one.bins[hit.dataIndex]) },
    data: one.bins.map((bin) => [bin.chance, bin.correct]),
  };
}

function binText(one, bin) {
  return [
    plain(one.strategy),
    `mean value ${decimal(bin.chance)}, right ${percent(bin.correct)}`,
    `${whole(bin.count)} answers`,
  ].join("\n");
}
