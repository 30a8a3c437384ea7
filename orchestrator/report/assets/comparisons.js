// Two strategies over the same problems.

function comparisons(report) {
  if (!report.comparisons.length) return null;
  const bound = Math.max(
    0.05,
    ...report.comparisons.flatMap((one) =>
      one.interval ? [Math.abs(one.interval.low), Math.abs(one.interval.high)] : [],
    ),
  );
  const scale = Math.ceil(bound * 20) / 20;
  const columns = [
    { title: "First", class: "name", rowHead: true },
    { title: "Second", class: "name" },
    { title: "Problems", class: "num", hint: "graded under both; how many pairs were dropped" },
    { title: "Only first right", class: "num" },
    { title: "Only second right", class: "num" },
    { title: "First − second, points", class: "num" },
    { title: `− ${Math.round(scale * 100)} … 0 … + ${Math.round(scale * 100)}`, class: "bar" },
    { title: "p (McNemar, exact)", class: "num" },
  ];
  const rows = report.comparisons.map((one) => ({
    cells: [
      foreign(one.first),
      foreign(one.other ? `${one.second} (${Math.round(100 * one.share)} %: ${one.other})` : one.second),
      whole(one.both + one.only_first + one.only_second + one.neither) +
        (one.dropped ? ` (${one.dropped} dropped)` : ""),
      whole(one.only_first),
      whole(one.only_second),
      differenceCell(one),
      one.interval
        ? intervalBar(one.interval.low, one.difference, one.interval.high, -scale, scale, 0)
        : null,
      one.p_value < 0.001 ? "< 0.001" : one.p_value.toFixed(3),
    ],
  }));
  return section(
    "paired",
    "Same problems, two strategies",
    table(columns, rows, { label: "Paired comparisons" }),
    el("p", {
      class: "caption",
      text: "Difference of the accuracies over problems graded under both, with Tango's 95 % score interval for pairs. An interval that holds 0 leaves open which of the two is better. Each line stands alone: nothing is corrected for making several comparisons.",
    }),
  );
}

function differenceCell(one) {
  if (one.difference === null) return null;
  const range = one.interval ? `${signed(one.interval.low)} to ${signed(one.interval.high)}` : "";
  return el(
    "span",
    { class: "accuracy" },
    el("strong", { text: signed(one.difference) }),
    el("small", { text: range }),
  );
}
