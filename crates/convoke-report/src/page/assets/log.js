// The merged log: filtered, searched, and drawn as far as it is in view.

const log = (() => {
  const data = JSON.parse(byId("log-data").textContent);
  const times = new Float64Array(data.t.length);
  let now = 0;
  data.t.forEach((step, index) => {
    now += step;
    times[index] = now;
  });
  return { times, members: data.m, levels: data.l, texts: data.x, lower: null };
})();

const LEVELS = { t: "console", n: "input", p: "signal", r: "result", d: "debug", f: "feedback", i: "info", v: "event", w: "warning", e: "error", x: "exception", g: "gap" };
const ROW = 20;
const logBox = byId("log");

/** Lines that pass the filters; lines that fit the search, as places in `shown`. */
let shown = [];
let matches = [];
let match = -1;
let fits = null;
let query = "";
let onlyMatches = false;
let atLine = -1;
/** The window of the log when its rows were drawn. */
const seen = { top: 0, height: 0 };

function startLog() {
  const longest = members.reduce((most, member) => Math.max(most, member.label.length), 5);
  logBox.style.setProperty("--who", `${clamp(longest * 7.4 + 22, 70, 200)}px`);
  logBox.addEventListener("scroll", () => {
    changed("rows");
  }, { passive: true });
  logBox.addEventListener("click", (event) => {
    const row = event.target.closest(".row");
    if (row && getSelection().isCollapsed) chooseLine(Number(row.dataset.line));
  });
  logBox.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 20, PageUp: -20 }[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    const place = clamp(placeOf(atLine) + step, 0, shown.length - 1);
    if (shown.length) chooseLine(shown[place]);
  });
  const input = byId("find");
  input.addEventListener("input", settled(70, () => search(input.value)));
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") stepMatch(event.shiftKey ? -1 : 1);
    if (event.key === "Escape") {
      input.value = "";
      search("");
      lanesBox.focus();
    }
  });
  byId("find-next").addEventListener("click", () => stepMatch(1));
  byId("find-prev").addEventListener("click", () => stepMatch(-1));
  byId("find-only").addEventListener("click", (event) => {
    onlyMatches = !onlyMatches;
    event.target.setAttribute("aria-pressed", String(onlyMatches));
    filterLog();
  });
  new ResizeObserver(() => changed("rows")).observe(logBox);
  startResize();
  filterLog();
}

/** A text, or /a regular expression/, ignoring case. */
function search(text) {
  query = text;
  fits = null;
  const expression = text.match(/^\/(.+)\/$/);
  if (expression) {
    try {
      const wanted = new RegExp(expression[1], "i");
      fits = (line) => wanted.test(log.texts[line]);
    } catch {
      fits = () => false;
    }
  } else if (text) {
    log.lower ??= log.texts.map((line) => line.toLowerCase());
    const wanted = text.toLowerCase();
    fits = (line) => log.lower[line].includes(wanted);
  }
  filterLog();
}

function filterLog() {
  const keep = shown.length ? shown[clamp(Math.floor(logBox.scrollTop / ROW), 0, shown.length - 1)] : 0;
  const all = log.texts.length;
  shown = [];
  for (let line = 0; line < all; line += 1) {
    const member = log.members[line];
    if (member !== null && state.hidden.has(member)) continue;
    if (!state.levels.has(log.levels[line])) continue;
    if (onlyMatches && fits && !fits(line)) continue;
    shown.push(line);
  }
  matches = [];
  if (fits) shown.forEach((line, place) => fits(line) && matches.push(place));
  match = matches.length ? clamp(matches.findIndex((place) => shown[place] >= Math.max(atLine, 0)), 0, matches.length) : -1;
  byId("find-prev").disabled = byId("find-next").disabled = matches.length === 0;
  byId("log-room").style.height = `${Math.max(shown.length * ROW, 1)}px`;
  logBox.setAttribute("aria-rowcount", String(shown.length));
  sayFound();
  logBox.scrollTop = Math.max(placeOf(atLine >= 0 ? atLine : keep), 0) * ROW - (atLine >= 0 ? logBox.clientHeight / 3 : 0);
  if (fits && matches.length) showPlace(matches[match]);
  changed("rows", "log");
}

function sayFound() {
  const hidden = log.texts.length - shown.length;
  const count = (number) => number.toLocaleString("en");
  byId("found").textContent = !fits
    ? (hidden ? `${count(shown.length)} of ${count(log.texts.length)} lines` : `${count(log.texts.length)} lines`)
    : matches.length ? `${count(match + 1)} / ${count(matches.length)}` : "nothing found";
}

function stepMatch(step) {
  if (!matches.length) return;
  // From where the reader is, not from the last match.
  if (atLine >= 0) {
    const here = placeOf(atLine);
    const next = step > 0 ? matches.findIndex((place) => place > here) : matches.findLastIndex((place) => place < here);
    match = next < 0 ? (step > 0 ? 0 : matches.length - 1) : next;
  } else {
    match = (match + step + matches.length) % matches.length;
  }
  sayFound();
  chooseLine(shown[matches[match]]);
}

/** The instants of the lines that fit the search. */
function* matchTimes() {
  for (const place of matches) yield log.times[shown[place]];
}

/** The first place in `shown` that is not before this line. */
function placeOf(line) {
  const place = lastUpTo(shown, line);
  return shown[place] === line ? place : place + 1;
}

function chooseLine(line) {
  state.pick = null;
  if (log.members[line] !== null) state.lane = log.members[line];
  setCursor(log.times[line], { line, member: log.members[line] });
  reveal(state.cursor, state.cursor);
  changed("pick");
}

/** Brings the log to an instant: to this line, or to the last one of the member (of anybody) that was there by then. */
function showInstant(at, line, member) {
  if (line === null) {
    const last = lastUpTo(log.times, at);
    line = last;
    if (member !== null && !state.hidden.has(member)) {
      // Not far back: a member that was silent for long has nothing to do with this instant.
      for (let back = last; back >= 0 && last - back < 400; back -= 1) {
        if (log.members[back] === member && state.levels.has(log.levels[back])) {
          line = log.times[last] - log.times[back] > (state.to - state.from) / 20 ? last : back;
          break;
        }
      }
    }
  }
  atLine = Math.max(line, 0);
  if (shown.length) showPlace(clamp(shown[placeOf(atLine)] === atLine ? placeOf(atLine) : placeOf(atLine) - 1, 0, shown.length - 1));
  changed("log");
}

function showPlace(place) {
  const [top, bottom] = [logBox.scrollTop, logBox.scrollTop + logBox.clientHeight];
  const y = place * ROW;
  if (y < top + ROW || y > bottom - 2 * ROW) logBox.scrollTop = y - logBox.clientHeight / 3;
  changed("rows");
}

/** First and last instant of the lines in view. */
function logSpan() {
  if (!shown.length) return [null, null];
  const first = clamp(Math.floor(seen.top / ROW), 0, shown.length - 1);
  const last = clamp(Math.floor((seen.top + seen.height) / ROW) - 1, first, shown.length - 1);
  return [log.times[shown[first]], log.times[shown[last]]];
}

function drawRows() {
  const rows = byId("log-rows");
  seen.top = logBox.scrollTop;
  seen.height = logBox.clientHeight;
  if (!shown.length) {
    rows.style.transform = "";
    rows.replaceChildren(make("div", { className: "log-empty", textContent: "No line passes the filters." }));
    return;
  }
  const first = clamp(Math.floor(seen.top / ROW) - 4, 0, shown.length - 1);
  const last = clamp(Math.ceil((seen.top + seen.height) / ROW) + 4, first, shown.length - 1);
  rows.style.transform = `translateY(${first * ROW}px)`;
  const here = shown[placeOf(atLine)] === atLine ? atLine : shown[placeOf(atLine) - 1];
  const out = [];
  for (let place = first; place <= last; place += 1) out.push(drawRow(shown[place], place, here));
  rows.replaceChildren(...out);
}

function drawRow(line, place, here) {
  const level = log.levels[line];
  const member = log.members[line];
  const row = make("div", { className: `row ${level}` });
  row.dataset.line = line;
  row.setAttribute("role", "row");
  row.setAttribute("aria-rowindex", String(place + 1));
  if (line === here && atLine >= 0) row.classList.add("at");
  if (level === "r") row.classList.add(/: (pass|fail)/.exec(log.texts[line])?.[1] ?? "odd");
  const cell = (name, text) => {
    const part = make("span", { className: name, textContent: text });
    part.setAttribute("role", "cell");
    row.append(part);
    return part;
  };
  cell("t", instant(log.times[line], end < 1e9 ? 4 : 3).replace(" s", ""));
  const who = cell("who", member === null ? "group" : members[member].label);
  if (member !== null) who.style.setProperty("--tint", tints[member]);
  cell("lvl", LEVELS[level]);
  const text = cell("txt", "");
  for (const [piece, words] of pieces(log.texts[line])) text.append(words ? make("span", { className: words, textContent: piece }) : piece);
  if (fits) markMatches(text, place === matches[match]);
  return row;
}

/** Marks what fits the search in the texts of an element. */
function markMatches(element, isHere) {
  const expression = query.match(/^\/(.+)\/$/);
  let wanted = null;
  try {
    wanted = new RegExp(expression ? expression[1] : query.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "gi");
  } catch {
    return;
  }
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) texts.push(walker.currentNode);
  for (const node of texts) {
    const parts = [];
    let last = 0;
    for (const found of node.data.matchAll(wanted)) {
      if (!found[0]) continue;
      parts.push(node.data.slice(last, found.index), make("mark", { textContent: found[0], className: isHere ? "now" : "" }));
      last = found.index + found[0].length;
    }
    if (parts.length) node.replaceWith(...parts, node.data.slice(last));
  }
}

/** The edge under the log changes its height. */
function startResize() {
  const edge = byId("resize");
  const set = (height) => logBox.style.setProperty("--log-height", `${clamp(height, 120, innerHeight * 0.9)}px`);
  edge.addEventListener("pointerdown", (event) => edge.setPointerCapture(event.pointerId));
  edge.addEventListener("pointermove", (event) => {
    if (edge.hasPointerCapture(event.pointerId)) set(event.clientY - logBox.getBoundingClientRect().top);
  });
  edge.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 40, ArrowUp: -40 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    set(logBox.clientHeight + step);
  });
}
