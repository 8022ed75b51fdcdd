// The time axis: round instants, the names above the lanes, the chosen instant.

/** Round instants for the axis. */
function ticks() {
  const wanted = (state.to - state.from) / clamp(plotWidth() / 110, 2, 14);
  const rounds = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7, 1.5e7, 3e7, 6e7,
    1.2e8, 3e8, 6e8, 9e8, 1.8e9, 3.6e9, 7.2e9, 1.44e10, 2.88e10, 8.64e10];
  const step = rounds.find((round) => round >= wanted) ?? wanted;
  const list = [];
  for (let at = Math.ceil(Math.max(state.from, 0) / step) * step; at <= state.to; at += step) list.push(at);
  return { step, list };
}

function drawAxis(context, { step, list }) {
  context.fillStyle = colours.panel;
  context.fillRect(0, 0, layout.width, layout.top);
  context.fillStyle = colours.line;
  context.fillRect(0, layout.top - 1, layout.width, 1);
  context.font = SMALL_FONT;
  context.textAlign = "center";
  const digits = step >= 1e6 ? 0 : step >= 1e5 ? 1 : step >= 1e4 ? 2 : step >= 1e3 ? 3 : step >= 100 ? 4 : 6;
  for (const at of list) {
    const x = Math.round(xOf(at));
    context.fillStyle = colours.line;
    context.fillRect(x, layout.axis - 6, 1, 6);
    context.fillStyle = colours.quiet;
    const text = end < 1e6 && step >= 100 ? `${(at / 1e3).toFixed(Math.max(digits - 3, 0))} ms` : instant(at, digits);
    const half = textWidth(context, text) / 2;
    if (x - half > layout.gutter - 30) context.fillText(text, clamp(x, half + 4, layout.width - half - 4), layout.axis / 2);
  }
  context.textAlign = "left";
  if (layout.strip) drawStrip(context);
}

/** The names of syncs and of the first failure, where they do not hide each other. */
function drawStrip(context) {
  const words = story.barriers.filter((barrier) => barrier.released !== null)
    .map((barrier) => [barrier.released, `sync ${barrier.id}`, colours.barrier, `barrier:${barrier.index}`]);
  if (story.first?.at !== null && story.first) words.unshift([story.first.at, "first failure", colours.bad, `fail:${story.first.m}`]);
  for (const [from, , id] of story.stops) words.push([from, `stopped at ${id}`, colours.quiet, null]);
  for (const [from] of story.stuck) words.push([from, "probably stuck", colours["odd-mark"], null]);
  if (story.canceled !== null) words.push([story.canceled, "cancelled", colours["odd-mark"], null]);
  const taken = [];
  layout.words = [];
  for (const [at, text, colour, pick] of words) {
    if (at < state.from || at > state.to) continue;
    const x = xOf(at);
    const width = textWidth(context, text) + 10;
    const left = clamp(x - width / 2, layout.gutter, layout.width - width);
    context.fillStyle = colour;
    context.fillRect(Math.round(x), layout.top - 4, 1.5, 4);
    if (taken.some(([from, to]) => left < to + 4 && left + width > from - 4)) continue;
    taken.push([left, left + width]);
    layout.words.push([left, left + width, pick]);
    context.fillText(text, left + 5, layout.axis + layout.strip / 2 - 2);
  }
}

/** Over the lanes: the instant under the pointer, the chosen one, the time span that is measured, that of the log in view. */
function drawInstants() {
  const context = over.getContext("2d");
  const scale = devicePixelRatio || 1;
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, layout.width, layout.view);
  context.textBaseline = "middle";
  const [first, last] = logSpan();
  if (first !== null && last >= state.from && first <= state.to) {
    const left = Math.max(xOf(first), layout.gutter);
    context.fillStyle = colours.accent;
    context.globalAlpha = 0.55;
    context.fillRect(left, layout.top - 3, Math.max(Math.min(xOf(last), layout.width) - left, 2), 3);
    context.globalAlpha = 1;
  }
  const line = (at, colour, bubble) => {
    if (at === null || at < state.from || at > state.to) return;
    const x = Math.round(xOf(at));
    context.fillStyle = colour;
    context.fillRect(x, layout.axis, 1, layout.view);
    if (!bubble) return;
    context.font = SMALL_FONT;
    const text = instant(at, end < 1e7 ? 4 : 3);
    const width = textWidth(context, text) + 10;
    const left = clamp(x - width / 2, 0, layout.width - width);
    context.beginPath();
    context.roundRect(left, 3, width, layout.axis - 7, 4);
    context.fill();
    context.fillStyle = colours.bg;
    context.fillText(text, left + 5, layout.axis / 2);
  };
  if (state.measure) {
    const [a, b] = [Math.min(...state.measure), Math.max(...state.measure)];
    context.fillStyle = colours.accent;
    context.globalAlpha = 0.16;
    context.fillRect(xOf(a), layout.axis, xOf(b) - xOf(a), layout.view);
    context.globalAlpha = 1;
    context.font = FONT;
    context.fillStyle = colours.accent;
    context.fillText(span(b - a), clamp((xOf(a) + xOf(b)) / 2 - 20, layout.gutter, layout.width - 60), layout.top + 10);
  }
  line(state.hoverAt, colours.quiet, true);
  line(state.cursor, colours.accent, state.hoverAt === null);
}
