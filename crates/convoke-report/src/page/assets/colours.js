// The colours of the style sheet for the canvas, read again when they change.

let colours = {};
const patterns = new Map();

function readColours() {
  const style = getComputedStyle(document.documentElement);
  const names = ["bg", "panel", "panel-2", "ink", "quiet", "line", "accent", "select", "hover", "deploy", "deploy-ink", "boot", "boot-ink",
    "test", "test-ink", "command", "command-ink", "finalize", "finalize-ink", "assembling", "assembling-ink", "action", "action-ink",
    "suite", "case", "wait", "wait-stripe", "wait-ink", "lost", "lost-stripe", "lost-ink", "arrow", "barrier", "pass", "fail",
    "odd-mark", "skip-mark", "odd-bg", "bad", "bad-bg", "good"];
  colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  patterns.clear();
}

/** A hatch of two colours. */
function hatch(context, base, stripe) {
  const key = `${base}${stripe}`;
  if (!patterns.has(key)) {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 8;
    const ink = tile.getContext("2d");
    ink.fillStyle = base;
    ink.fillRect(0, 0, 8, 8);
    ink.strokeStyle = stripe;
    ink.lineWidth = 1.6;
    ink.beginPath();
    for (const shift of [-8, 0, 8]) {
      ink.moveTo(shift - 1, 9);
      ink.lineTo(shift + 9, -1);
    }
    ink.stroke();
    patterns.set(key, context.createPattern(tile, "repeat"));
  }
  return patterns.get(key);
}

function stageColour(name) {
  const word = name.split(" ")[0];
  const known = { assembling: "assembling", delayed: "assembling", deploy: "deploy", boot: "boot", test: "test", command: "command", finalize: "finalize" };
  const colour = known[word] ?? "finalize";
  return [colours[colour], colours[`${colour}-ink`]];
}

const resultColour = (result) => colours[{ pass: "pass", fail: "fail", skip: "skip-mark" }[result] ?? "odd-mark"];

/** A hue for each role, a shade for each of its members. */
const tints = (() => {
  const roles = [...new Set(members.map((member) => member.role || member.label))];
  return members.map((member) => `hsl(${(roles.indexOf(member.role || member.label) * 137 + 210) % 360} 60% 52%)`);
})();

const dark = matchMedia("(prefers-color-scheme: dark)");

function themeNow() {
  return document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light");
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  readColours();
  byId("theme").textContent = theme === "dark" ? "☀" : "☾";
  changed("view", "theme");
}

function startTheme() {
  let kept = null;
  try {
    kept = localStorage.getItem("convoke-theme");
  } catch {
    // A page without an origin has no storage; the system decides.
  }
  setTheme(kept === "dark" || kept === "light" ? kept : themeNow());
  dark.addEventListener("change", () => setTheme(dark.matches ? "dark" : "light"));
  byId("theme").addEventListener("click", switchTheme);
}

function switchTheme() {
  const theme = themeNow() === "dark" ? "light" : "dark";
  setTheme(theme);
  try {
    localStorage.setItem("convoke-theme", theme);
  } catch {
    // As above.
  }
}
