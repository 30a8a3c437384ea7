// Numbers and words as the page spells them.

const LOCALE = "en-GB";
const whole = (n) => Math.round(n).toLocaleString(LOCALE);
const percent = (share, digits = 1) =>
  share === null || share === undefined ? "–" : `${(100 * share).toFixed(digits)} %`;
const signed = (share) => `${share > 0 ? "+" : share < 0 ? "−" : "±"}${Math.abs(100 * share).toFixed(1)}`;
const decimal = (x, digits = 3) =>
  x === null || x === undefined ? "–" : x.toFixed(digits).replace("-", "−");
const sum = (numbers) => numbers.reduce((total, n) => total + n, 0);

function short(n) {
  if (n >= 1e6) return `${(n / 1e6).toFixed(n >= 1e7 ? 0 : 1)}M`;
  if (n >= 1e4) return `${(n / 1e3).toFixed(0)}k`;
  if (n >= 1e3) return `${(n / 1e3).toFixed(1).replace(".0", "")}k`;
  return String(Math.round(n));
}

function duration(seconds) {
  if (seconds === null || seconds === undefined) return null;
  if (seconds < 100) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 100 ? `${minutes} min ${Math.round(seconds % 60)} s` : `${(seconds / 3600).toFixed(1)} h`;
}

const STOPS = {
  answered: "The policy ended its answer, or the search ended as its algorithm means it to.",
  environment_done: "The task's world said that the episode is over.",
  max_depth: "The step or depth limit was reached without an answer.",
  max_tokens: "The policy was cut off at max_tokens.",
  context_overflow: "The prompt no longer fitted into the model's context.",
  bad_format: "The policy's text could not be read as a step or an answer.",
  budget_tokens: "The token budget refused the next call.",
  budget_calls: "The call budget refused the next call.",
  budget_money: "The money budget refused the next call.",
  budget_seconds: "The time budget ran out.",
  cancelled: "The search no longer needed it.",
  failed: "Every candidate was lost to a failure.",
};

const BOUNDARIES = {
  backend: "A model could not answer.",
  sandbox: "A sandbox could not run.",
  environment: "A task's world broke.",
  reward: "A reward could not be computed.",
  format: "A model's text could not be parsed.",
};

const REWARDS = {
  none: "no reward: nothing but the policy's own draws decides",
  tool: "a program decides (a calculator, tests, a search); it doesn't see the answer key",
  rule: "a fixed rule decides; it doesn't see the answer key",
  learned: "a trained reward model decides; it doesn't see the answer key",
  judge: "a language model is asked for its opinion; it doesn't see the answer key",
  oracle: "it sees the answer key: an upper bound on what selection could reach, never a result",
};

const spaced = (name) => name.replaceAll("_", " ");
