// What is shown and chosen. Views say what they depend on, and are drawn at most once a frame. The address of the page
// names the chosen instant and the zoom.

const state = {
  from: 0,
  to: end,
  /** The chosen instant. */
  cursor: null,
  /** The chosen thing, see picked(). */
  pick: null,
  /** The chosen lane. */
  lane: null,
  hover: null,
  hoverAt: null,
  measure: null,
  hidden: new Set(),
  open: new Set(),
  levels: new Set("tnprdfivwexg"),
};

const views = [];
let asked = new Set();
let frame = 0;

/** Draws whenever one of `words` changed. */
function view(words, draw) {
  views.push([new Set(words), draw]);
}

function changed(...words) {
  for (const word of words) asked.add(word);
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    const now = asked;
    asked = new Set();
    for (const [wanted, draw] of views) {
      if ([...now].some((word) => wanted.has(word))) draw(now);
    }
  });
}

const SMALLEST = 20;
let moving = 0;

function setView(from, to) {
  const width = clamp(to - from, Math.min(SMALLEST, end), end * 1.04);
  const margin = end * 0.02;
  const start = clamp(from, -margin, end + margin - width);
  [state.from, state.to] = [start, start + width];
  changed("view");
  remember();
}

/** The same, in a few frames where motion is welcome. */
function moveView(from, to) {
  cancelAnimationFrame(moving);
  if (calm.matches) return setView(from, to);
  const [a, b] = [state.from, state.to];
  const begin = performance.now();
  const step = (now) => {
    const part = clamp((now - begin) / 160, 0, 1);
    const eased = 1 - (1 - part) ** 3;
    setView(a + (from - a) * eased, b + (to - b) * eased);
    if (part < 1) moving = requestAnimationFrame(step);
  };
  moving = requestAnimationFrame(step);
}

function zoom(factor, around) {
  cancelAnimationFrame(moving);
  const width = (state.to - state.from) * factor;
  const part = (around - state.from) / (state.to - state.from);
  setView(around - width * part, around + width * (1 - part));
}

function pan(us) {
  cancelAnimationFrame(moving);
  setView(state.from + us, state.to + us);
}

function fit() {
  moveView(0, end);
}

function zoomTo(from, to) {
  const margin = Math.max((to - from) * 0.12, SMALLEST);
  moveView(from - margin, to + margin);
}

/** Brings an instant into view without changing the zoom. */
function reveal(from, to) {
  const width = state.to - state.from;
  if (from >= state.from && from <= state.to) return;
  moveView(from - width / 3, from + (width * 2) / 3);
}

function setCursor(at, options = {}) {
  state.cursor = at === null ? null : clamp(at, 0, end);
  changed("cursor");
  if (state.cursor !== null && !options.quiet) showInstant(state.cursor, options.line ?? null, options.member ?? state.lane);
  remember();
}

function choose(pick, options = {}) {
  const what = picked(pick);
  state.pick = what ? pick : null;
  changed("pick");
  if (!what) return remember();
  if (what.m !== null && what.m !== undefined) state.lane = what.m;
  const line = what.kind === "case" ? what.test[5] : null;
  // For a wait the interesting instant is where it was pressed; from the keyboard and from links it is its start.
  setCursor(options.at ?? what.from, { line, member: what.m ?? null });
  if (!options.still) {
    reveal(what.from, what.to);
    if (what.m !== null && what.m !== undefined) showLane(what.m);
  }
}

function chooseNothing() {
  [state.pick, state.lane, state.measure] = [null, null, null];
  setCursor(null);
  changed("pick");
}

/** The address as it was last read or written. One that is newer is about to be read. */
let known = location.hash;

const remember = settled(250, () => {
  if (location.hash !== known) return;
  const parts = [];
  if (state.cursor !== null) parts.push(`t=${(state.cursor / 1e6).toFixed(6)}`);
  if (state.pick) parts.push(`sel=${state.pick}`);
  else if (state.lane !== null && state.cursor !== null) parts.push(`m=${members[state.lane].id}`);
  if (state.from !== 0 || state.to !== end) parts.push(`z=${(state.from / 1e6).toFixed(6)}~${(state.to / 1e6).toFixed(6)}`);
  const hash = parts.length ? `#${parts.join("&")}` : "";
  if (location.hash !== hash && (hash || location.hash.includes("="))) {
    history.replaceState(null, "", hash || location.pathname + location.search);
    known = location.hash;
  }
});

/** Takes what the address says; whether it said anything. */
function recall() {
  known = location.hash;
  const words = new URLSearchParams(known.slice(1));
  if (!words.has("t") && !words.has("sel") && !words.has("z")) return false;
  const us = (text) => Math.round(Number(text) * 1e6);
  const zoomed = (words.get("z") ?? "").split("~").map(us);
  if (zoomed.length === 2 && zoomed.every(Number.isFinite) && zoomed[0] < zoomed[1]) setView(...zoomed);
  const lane = members.findIndex((member) => String(member.id) === words.get("m"));
  if (lane >= 0) state.lane = lane;
  const at = us(words.get("t") ?? "x");
  if (picked(words.get("sel"))) {
    choose(words.get("sel"), { at: Number.isFinite(at) ? at : undefined });
  } else if (Number.isFinite(at)) {
    state.pick = null;
    setCursor(at);
    reveal(at, at);
    if (lane >= 0) showLane(lane);
    changed("pick");
  }
  return true;
}
