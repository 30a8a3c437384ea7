// What every chart has in common. Tooltips are drawn on the canvas, never as markup.

const charts = [];

function chart(node, option, label) {
  node.setAttribute("role", "img");
  node.setAttribute("aria-label", label);
  const instance = echarts.init(node, null, { renderer: "canvas" });
  charts.push({ node, instance, option });
  instance.setOption(option());
  return instance;
}

function redraw() {
  for (const { instance, option } of charts) {
    instance.resize();
    instance.setOption(option(), { notMerge: true });
  }
}

function common() {
  return {
    animation: false,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: ink("ink"), fontSize: 12 },
    tooltip: {
      renderMode: "richText",
      confine: true,
      backgroundColor: ink("raised"),
      borderColor: ink("rule"),
      textStyle: { color: ink("ink"), fontSize: 12, lineHeight: 17 },
    },
  };
}

// Braces would start a style tag in a canvas text.
const plain = (text) =>
  text
    .replace(/[{}|]/g, " ")
    .replace(/[\u202a-\u202e\u2066-\u2069]/g, "")
    .slice(0, 80);
const axis = () => ({
  axisLine: { lineStyle: { color: ink("rule") } },
  axisTick: { lineStyle: { color: ink("rule") } },
  axisLabel: { color: ink("muted") },
  nameTextStyle: { color: ink("muted") },
  splitLine: { lineStyle: { color: ink("faint") } },
});
