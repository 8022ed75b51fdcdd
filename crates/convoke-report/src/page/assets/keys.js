// The keyboard, and buttons that do the same.

function startKeys() {
  document.addEventListener("keydown", (event) => {
    const inText = event.target.closest("input, textarea, select, dialog");
    if (inText || event.ctrlKey || event.metaKey || event.altKey) return;
    const onPage = event.target === document.body || event.target.closest("#work");
    const work = KEYS[event.key];
    // Arrows scroll the page unless the timeline has the focus.
    if (!work || (event.key.startsWith("Arrow") && event.target !== lanesBox)) return;
    if ((event.key === "Enter" || event.key === " ") && event.target !== lanesBox) return;
    if (!onPage && event.key === "Escape") return;
    event.preventDefault();
    work(event);
  });
  byId("zoom-in").addEventListener("click", () => zoom(0.5, middle()));
  byId("zoom-out").addEventListener("click", () => zoom(2, middle()));
  byId("fit").addEventListener("click", fit);
  byId("help-open").addEventListener("click", help);
  byId("next-failure").addEventListener("click", () => stepFailure(1));
  byId("next-failure").hidden = failures.length === 0;
}

/** Around what a zoom by key goes: the chosen instant when it is in view. */
function middle() {
  const seen = state.cursor !== null && state.cursor >= state.from && state.cursor <= state.to;
  return seen ? state.cursor : (state.from + state.to) / 2;
}

const KEYS = {
  ArrowLeft: () => pan(-(state.to - state.from) / 10),
  ArrowRight: () => pan((state.to - state.from) / 10),
  ArrowUp: () => stepLane(-1),
  ArrowDown: () => stepLane(1),
  ",": () => stepItem(-1),
  ".": () => stepItem(1),
  "+": () => zoom(0.6, middle()),
  "=": () => zoom(0.6, middle()),
  "-": () => zoom(1 / 0.6, middle()),
  f: fit,
  0: fit,
  e: () => stepFailure(1),
  E: () => stepFailure(-1),
  x: () => state.lane !== null && toggleLane(state.lane),
  t: switchTheme,
  "/": () => byId("find").focus(),
  "?": help,
  Escape: chooseNothing,
  Enter: () => {
    const what = picked(state.pick);
    if (what) zoomTo(what.from, what.to);
  },
};

function help() {
  byId("help").showModal();
}

function stepLane(step) {
  const places = layout.lanes.map((lane) => lane.place);
  const now = places.indexOf(state.lane);
  const next = now < 0 ? (step > 0 ? 0 : places.length - 1) : clamp(now + step, 0, places.length - 1);
  if (!places.length) return;
  state.lane = places[next];
  state.pick = null;
  showLane(state.lane);
  changed("pick", "cursor");
  say(`${members[state.lane].label}, ${members[state.lane].health ?? "not ended"}`);
}

function stepItem(step) {
  if (state.lane === null) state.lane = layout.lanes[0]?.place ?? null;
  if (state.lane === null) return;
  const { steps } = members[state.lane];
  const now = steps.findIndex(([, pick]) => pick === state.pick);
  const at = state.cursor ?? -1;
  const after = steps.findIndex(([from]) => from > at);
  const next = now >= 0 ? now + step : step > 0 ? (after < 0 ? steps.length : after) : steps.findLastIndex(([from]) => from < at);
  if (steps[next]) choose(steps[next][1]);
}

function stepFailure(step) {
  if (!failures.length) return;
  const now = failures.findIndex(([, pick]) => pick === state.pick);
  const next = now < 0 ? (step > 0 ? 0 : failures.length - 1) : (now + step + failures.length) % failures.length;
  const [at, pick] = failures[next];
  const { m } = picked(pick);
  if (state.hidden.delete(m)) changed("layout");
  choose(pick, { at });
}

/** For those who listen. */
function say(text) {
  byId("detail").replaceChildren(make("b", { textContent: text }));
}
