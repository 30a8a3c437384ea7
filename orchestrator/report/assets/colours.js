// Colours: one for each family of strategies (told apart by colour-blind eyes too), a scale for scores.

const dark = matchMedia("(prefers-color-scheme: dark)");
const HUES = {
  light: ["#0068a8", "#c2510a", "#00805f", "#a8467c", "#7a6a00", "#5b4fb3", "#2f7fb8", "#8a3b2a"],
  dark: ["#56b4e9", "#f0894a", "#3cc49b", "#e08fbd", "#d3c04a", "#a79cf0", "#8fd0f5", "#e0a090"],
};
const RAMP = {
  light: ["#f3ead2", "#cfe0c3", "#8cc3b5", "#3f8fa8", "#164a7c"],
  dark: ["#3b3a35", "#3f5a52", "#3a8580", "#5fb7b8", "#c9f2e4"],
};

const theme = () => (dark.matches ? "dark" : "light");
const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const familyOf = (thing) => thing.family || thing.name;

function families(report) {
  const names = [...new Set([...report.strategies, ...report.curves].map(familyOf))];
  const baselines = new Set(
    [...report.strategies, ...report.curves].filter((one) => one.baseline).map(familyOf),
  );
  const coloured = names.filter((name) => !baselines.has(name));
  return (thing) => {
    const name = familyOf(thing);
    return baselines.has(name)
      ? ink("ink")
      : HUES[theme()][Math.max(0, coloured.indexOf(name)) % HUES.light.length];
  };
}

function ramp(share) {
  const stops = RAMP[theme()];
  const place = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
  const i = Math.min(Math.floor(place), stops.length - 2);
  const channel = (hex, k) => parseInt(hex.slice(1 + 2 * k, 3 + 2 * k), 16);
  const mixed = [0, 1, 2].map((k) =>
    Math.round(channel(stops[i], k) + (place - i) * (channel(stops[i + 1], k) - channel(stops[i], k))),
  );
  return `rgb(${mixed.join(",")})`;
}
