// Accuracy against all drawn tokens, with interval bars.

function accuracyChart(report, colour) {
  if (!report.curves.length) return null;
  const node = el("div", { class: "chart tall" });
  const hidden = new Set();
  const boxes = report.curves.map((curve) => {
    const box = el("input", {
      type: "checkbox",
      checked: true,
      disabled: curve.baseline,
      onchange: () => (box.checked ? hidden.delete(curve.name) : hidden.add(curve.name), redraw()),
    });
    return el(
      "label",
      {},
      box,
      swatch(colour(curve), curve.reward_kind === "oracle"),
      foreign(curve.name),
      curve.baseline ? el("small", { text: " baseline, always shown" }) : null,
      curve.reward_kind === "oracle" ? el("small", { text: " sees the answer key" }) : null,
    );
  });
  const draw = () =>
    accuracyOption(
      report.curves.filter((curve) => !hidden.has(curve.name)),
      report.curves,
      colour,
    );
  node.start = () =>
    chart(node, draw, "Accuracy against mean drawn tokens a problem; the table below holds the same numbers");
  return section(
    "tokens-accuracy",
    "Accuracy against all drawn tokens",
    el("div", { class: "keys" }, boxes),
    node,
    el("p", {
      class: "caption",
      text: "Mean tokens generated for a problem, by policy and verifiers together (logarithmic); bars are 95 % intervals. The accuracy axis is cut to the range of the data. At one height, further left is cheaper.",
    }),
    curveNumbers(report, colour),
  );
}

function curveNumbers(report) {
  const roles = [
    ...new Set(
      report.curves.flatMap((curve) => curve.points.flatMap((point) => Object.keys(point.drawn_tokens))),
    ),
  ];
  const columns = [
    { title: "Strategy", class: "name", rowHead: true },
    { title: "Point" },
    ...roles.map((role) => ({ title: `${spaced(role)} tokens`, class: "num" })),
    { title: "All tokens", class: "num" },
    { title: "Accuracy", class: "num" },
    { title: "95 % interval", class: "num" },
    { title: "Graded", class: "num" },
  ];
  const rows = report.curves.flatMap((curve) =>
    curve.points.map((point) => ({
      cells: [
        foreign(curve.name),
        foreign(point.label),
        ...roles.map((role) => whole(point.drawn_tokens[role] || 0)),
        whole(tokensOf(point)),
        percent(point.accuracy),
        `${(100 * point.low).toFixed(1)}–${(100 * point.high).toFixed(1)}`,
        whole(point.graded),
      ],
    })),
  );
  return el(
    "details",
    {},
    el("summary", { text: "The chart in numbers" }),
    table(columns, rows, { label: "The chart in numbers" }),
  );
}

const tokensOf = (point) => sum(Object.values(point.drawn_tokens));

function tokenTicks(points) {
  const logs = points.map((point) => Math.log10(tokensOf(point)));
  const low = Math.min(...logs) - 0.12,
    high = Math.max(...logs) + 0.18;
  const ticks = [];
  for (let decade = Math.floor(low); decade <= high; decade += 1)
    for (const digit of [1, 2, 5]) ticks.push(decade + Math.log10(digit));
  return { low, high, ticks: ticks.filter((tick) => tick >= low && tick <= high) };
}

function accuracyOption(shown, all, colour) {
  const points = all.flatMap((curve) => curve.points);
  const { low, high, ticks } = tokenTicks(points);
  const from = Math.max(0, Math.floor(Math.min(...points.map((point) => point.low)) * 20 - 0.2) / 20);
  const to = Math.min(1, Math.ceil(Math.max(...points.map((point) => point.high)) * 20 + 0.2) / 20);
  return {
    ...common(),
    grid: { left: 52, right: 24, top: 16, bottom: 46 },
    xAxis: {
      ...axis(),
      type: "value",
      min: low,
      max: high,
      name: "mean drawn tokens a problem, all roles",
      nameLocation: "middle",
      nameGap: 30,
      axisTick: { show: true, customValues: ticks },
      axisLabel: { color: ink("muted"), customValues: ticks, formatter: (x) => short(10 ** x) },
      splitLine: { show: false },
    },
    yAxis: {
      ...axis(),
      type: "value",
      min: from,
      max: to,
      axisLabel: { color: ink("muted"), formatter: (y) => `${Math.round(100 * y)} %` },
    },
    series: shown.flatMap((curve) => [curveLine(curve, colour(curve)), curveBars(curve, colour(curve))]),
  };
}

function curveLine(curve, colour) {
  const oracle = curve.reward_kind === "oracle";
  return {
    type: "line",
    name: plain(curve.name),
    color: colour,
    symbol: "circle",
    itemStyle: { color: oracle ? ink("paper") : colour, borderColor: colour, borderWidth: 2 },
    symbolSize: curve.baseline ? 9 : 8,
    z: curve.baseline ? 5 : 4,
    lineStyle: { color: colour, width: curve.baseline ? 2.5 : 1.8, type: oracle ? "dashed" : "solid" },
    label: {
      show: true,
      position: "top",
      distance: 6,
      color: colour,
      fontSize: 11,
      textBorderColor: ink("paper"),
      textBorderWidth: 3,
      formatter: (hit) => plain(curve.points[hit.dataIndex].label),
    },
    labelLayout: { hideOverlap: true, moveOverlap: "shiftY" },
    emphasis: { focus: "series" },
    tooltip: { formatter: (hit) => pointText(curve, curve.points[hit.dataIndex]) },
    data: curve.points.map((point) => [Math.log10(tokensOf(point)), point.accuracy]),
  };
}

function pointText(curve, point) {
  const roles = Object.entries(point.drawn_tokens).map(
    ([role, tokens]) => `${plain(spaced(role))}: ${whole(tokens)}`,
  );
  return [
    `${plain(curve.name)}, ${plain(point.label)}`,
    `accuracy ${percent(point.accuracy)}  (${(100 * point.low).toFixed(1)}–${(100 * point.high).toFixed(1)}, ${point.graded} graded)`,
    `tokens a problem ${whole(tokensOf(point))}`,
    ...roles,
  ].join("\n");
}

function curveBars(curve, colour) {
  return {
    type: "custom",
    silent: true,
    z: 3,
    clip: true,
    data: curve.points.map((point) => [Math.log10(tokensOf(point)), point.low, point.high]),
    encode: { x: 0, y: [1, 2] },
    renderItem: (_, api) => {
      const [x, top] = api.coord([api.value(0), api.value(2)]);
      const bottom = api.coord([api.value(0), api.value(1)])[1];
      const style = { stroke: colour, lineWidth: 1.2, opacity: 0.65 };
      const line = (x1, y1, x2, y2) => ({ type: "line", shape: { x1, y1, x2, y2 }, style });
      return {
        type: "group",
        children: [line(x, top, x, bottom), line(x - 4, top, x + 4, top), line(x - 4, bottom, x + 4, bottom)],
      };
    },
  };
}
