// Draws the lanes. Only what is in view is drawn, and of what falls into one pixel only the first.

const widths = new Map();

function textWidth(context, text) {
  const key = context.font + text;
  let width = widths.get(key);
  if (width === undefined) {
    if (widths.size > 20000) widths.clear();
    width = context.measureText(text).width;
    widths.set(key, width);
  }
  return width;
}

/** The text, cut so that it fits; nothing when hardly anything would be left. */
function fitted(context, text, room) {
  if (room < 14) return "";
  const width = textWidth(context, text);
  if (width <= room) return text;
  const count = Math.floor((room - 8) / (width / text.length));
  return count < 3 ? "" : `${text.slice(0, count)}…`;
}

function drawLanes() {
  const context = canvas.getContext("2d");
  const scale = devicePixelRatio || 1;
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.fillStyle = colours.bg;
  context.fillRect(0, 0, layout.width, layout.view);
  context.textBaseline = "middle";
  const seen = layout.lanes.filter((lane) => yOf(lane) + lane.height > layout.top && yOf(lane) < layout.view);
  context.save();
  context.beginPath();
  context.rect(0, layout.top, layout.width, layout.view - layout.top);
  context.clip();
  const steps = ticks();
  drawGround(context, seen, steps);
  context.save();
  context.beginPath();
  context.rect(layout.gutter, layout.top, layout.width - layout.gutter, layout.view - layout.top);
  context.clip();
  for (const lane of seen) drawLane(context, lane);
  drawBarriers(context);
  drawMessages(context);
  for (const lane of seen) drawFailure(context, lane);
  drawPicked(context);
  context.restore();
  for (const lane of seen) drawLabel(context, lane);
  context.restore();
  drawAxis(context, steps);
  drawInstants(context);
}

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

function drawGround(context, seen, steps) {
  for (const lane of seen) {
    const y = yOf(lane);
    if (lane.place === state.lane) {
      context.fillStyle = colours.hover;
      context.fillRect(0, y, layout.width, lane.height);
    }
    context.fillStyle = colours.line;
    context.fillRect(0, Math.round(y + lane.height) - 1, layout.width, 1);
  }
  context.globalAlpha = 0.6;
  context.fillStyle = colours.line;
  for (const at of steps.list) context.fillRect(Math.round(xOf(at)), layout.top, 1, layout.view);
  context.globalAlpha = 1;
  context.fillStyle = colours["odd-bg"];
  context.globalAlpha = 0.55;
  for (const [from, to] of story.stuck) {
    if (to >= state.from && from <= state.to) context.fillRect(xOf(from), layout.top, Math.max(xOf(to) - xOf(from), 2), layout.view);
  }
  context.fillStyle = colours["panel-2"];
  for (const [from, to] of story.stops) {
    if (to >= state.from && from <= state.to) context.fillRect(xOf(from), layout.top, Math.max(xOf(to) - xOf(from), 2), layout.view);
  }
  context.globalAlpha = 1;
}

/** A span with its text. */
function box(context, from, to, y, height, fill, ink, text) {
  if (to < state.from || from > state.to) return;
  const left = Math.max(xOf(from), layout.gutter - 4);
  const width = Math.max(Math.min(xOf(to), layout.width + 4) - left, 1);
  context.fillStyle = fill;
  if (width > 4) {
    context.beginPath();
    context.roundRect(left, y, width - (width > 6 ? 1 : 0), height, Math.min(3, height / 3));
    context.fill();
  } else {
    context.fillRect(left, y, width, height);
  }
  if (!text || height < 12) return;
  const start = Math.max(left, layout.gutter) + 5;
  const shown = fitted(context, text, left + width - start - 4);
  if (shown) {
    context.fillStyle = ink;
    context.fillText(shown, start, y + height / 2 + 0.5);
  }
}

function drawLane(context, lane) {
  const member = members[lane.place];
  const { bar, call, mark } = layout.size;
  const y = yOf(lane);
  context.font = layout.size.text >= 12 ? FONT : SMALL_FONT;
  for (const [name, from, to] of member.stages) {
    const [fill, ink] = stageColour(name);
    const suites = name.startsWith("test") ? member.suites.filter((suite) => suite[1] >= from && suite[1] < to) : [];
    const text = suites.length ? `${name}: ${suites.map((suite) => suite[0]).join(", ")}` : name;
    box(context, from, to, y + lane.bar, bar, fill, ink, text);
  }
  context.font = SMALL_FONT;
  for (const one of member.calls) drawCall(context, one, y + lane.call + one.row * (call + 1), call);
  drawCases(context, member, y + lane.mark, mark);
  if (lane.actions === undefined) return;
  context.font = SMALL_FONT;
  for (const [name, from, to, depth, failure] of member.actions) {
    const [fill, ink] = failure ? [colours.lost, colours["lost-ink"]] : [colours.action, colours["action-ink"]];
    box(context, from, to, y + lane.actions + depth * DEEP, DEEP - 2, fill, ink, name);
  }
  for (const [name, from, to] of member.suites) box(context, from, to, y + lane.suites, DEEP - 2, colours.suite, colours["test-ink"], name);
  for (const [suite, name, result, from, at] of member.cases) {
    if (suite === "lava" || from === null) continue;
    const ink = result === "fail" ? colours["lost-ink"] : colours["test-ink"];
    box(context, from, at, y + lane.suites + DEEP, DEEP - 2, result === "fail" ? colours.lost : colours.case, ink, name);
  }
}

function drawCall(context, call, y, height) {
  if (call.until < state.from || call.at > state.to) return;
  const failed = call.ok === false || call.ok === null;
  if (!call.waits && !(failed && call.kind !== "send")) {
    drawPoint(context, call, y, height, failed);
    return;
  }
  const tone = failed ? "lost" : "wait";
  const fill = hatch(context, colours[tone], colours[`${tone}-stripe`]);
  const pieces = parts(call);
  if (pieces.length === 0) pieces.push({ from: call.at, to: call.until, set: [] });
  box(context, call.at, call.until, y, height, fill, "", "");
  if (height < 12) return;
  const ink = colours[`${tone}-ink`];
  // Neighbours that are too narrow for their names are one for the reader.
  let place = 0;
  let named = false;
  while (place < pieces.length) {
    const piece = pieces[place];
    const left = Math.max(xOf(piece.from), layout.gutter);
    const right = Math.min(xOf(piece.to), layout.width);
    const room = right - left - 8;
    const what = named ? "" : `${call.say.replace("lava-", "")}: `;
    const text = room > 20 ? fitted(context, `${what}for ${names(piece.set)}`, room) : "";
    if (text) {
      named = true;
      // The hatch is under the text alone made quiet, so that it can be read.
      context.globalAlpha = 0.82;
      context.fillStyle = colours[tone];
      context.fillRect(left + 2, y + 1, textWidth(context, text) + 6, height - 2);
      context.globalAlpha = 1;
      context.fillStyle = ink;
      context.fillText(text, left + 5, y + height / 2 + 0.5);
    }
    if (place > 0 && room > 6) {
      context.fillStyle = ink;
      context.globalAlpha = 0.5;
      context.fillRect(Math.round(xOf(piece.from)), y, 1, height);
      context.globalAlpha = 1;
    }
    place += 1;
  }
}

/** A call that took no time worth a span: a send, or a wait for what was there already. */
function drawPoint(context, call, y, height, failed) {
  const x = xOf(call.at);
  const half = Math.min(height / 2 - 0.5, 5);
  const middle = y + height / 2;
  context.fillStyle = failed ? colours.fail : call.kind === "send" ? colours.arrow : call.kind === "sync" ? colours.barrier : colours["odd-mark"];
  context.beginPath();
  if (call.kind === "send") {
    context.moveTo(x, middle - half);
    context.lineTo(x + half, middle);
    context.lineTo(x, middle + half);
    context.lineTo(x - half, middle);
  } else {
    context.arc(x, middle, half * 0.7, 0, 7);
  }
  context.fill();
  if (call.kind !== "send" || height < 12) return;
  // The ID beside it, where nothing else stands.
  const next = members[call.m].calls.find((other) => other.row === call.row && other.at > call.at);
  const room = (next ? xOf(next.at) : layout.width) - x - half - 10;
  if (textWidth(context, call.id) > room) return;
  context.fillStyle = colours.quiet;
  context.fillText(call.id, x + half + 4, middle + 0.5);
}

function drawCases(context, member, y, height) {
  let last = -9;
  const bad = [];
  for (const test of member.cases) {
    if (test[0] === "lava" || test[4] < state.from || test[4] > state.to) continue;
    const x = Math.round(xOf(test[4]));
    if (test[2] === "fail" || test[2] === "unknown") {
      bad.push([x, test[2]]);
    } else if (x > last + 1) {
      context.fillStyle = resultColour(test[2]);
      context.fillRect(x - 1, y, 2, height);
      last = x;
    }
  }
  for (const [x, result] of bad) {
    context.fillStyle = resultColour(result);
    context.fillRect(x - 1.5, y - 1, 3, height + 2);
  }
}

function drawBarriers(context) {
  for (const barrier of story.barriers) {
    const at = barrier.released;
    if (at === null || at < state.from || at > state.to) continue;
    const lanes = barrier.calls.map((call) => laneOf(call.m)).filter(Boolean);
    if (lanes.length === 0) continue;
    const top = Math.min(...lanes.map(yOf));
    const bottom = Math.max(...lanes.map((lane) => yOf(lane) + lane.height));
    const isChosen = state.pick === `barrier:${barrier.index}` || state.hover === `barrier:${barrier.index}`;
    const x = Math.round(xOf(at));
    context.fillStyle = colours.barrier;
    context.globalAlpha = isChosen ? 1 : 0.75;
    context.fillRect(x - (isChosen ? 1 : 0), top, isChosen ? 3 : 1.5, bottom - top);
    context.globalAlpha = 1;
  }
}

/** The line of a message on the screen; null when an end is out of sight for good. */
function curve(message) {
  if (!message.send) return null;
  const [y1, y2] = [callMiddle(message.send), callMiddle(message.wait)];
  if (y1 === null || y2 === null) return null;
  return { x1: xOf(message.send.at), y1, x2: xOf(message.wait.until), y2 };
}

function inSight({ x1, y1, x2, y2 }) {
  return Math.max(x1, x2) >= layout.gutter && Math.min(x1, x2) <= layout.width && Math.max(y1, y2) >= layout.top && Math.min(y1, y2) <= layout.view;
}

function trace(context, { x1, y1, x2, y2 }) {
  const bend = clamp((x2 - x1) / 2, 0, 70);
  context.moveTo(x1, y1);
  if (bend < 6) context.lineTo(x2, y2);
  else context.bezierCurveTo(x1 + bend, y1, x2 - bend, y2, x2, y2);
}

function head(context, { x1, y1, x2, y2 }) {
  const straight = (x2 - x1) / 2 < 6;
  const turn = straight ? Math.atan2(y2 - y1, x2 - x1) : 0;
  const corner = (angle) => [x2 - 7 * Math.cos(turn + angle), y2 - 7 * Math.sin(turn + angle)];
  context.moveTo(x2, y2);
  context.lineTo(...corner(0.45));
  context.lineTo(...corner(-0.45));
  context.closePath();
}

function concerns(message) {
  const word = state.hover?.startsWith("message:") || state.hover?.startsWith("call:") ? state.hover : state.pick;
  return word === `message:${message.index}` || word === `call:${message.wait.index}` || (message.send && word === `call:${message.send.index}`);
}

function drawMessages(context) {
  const seen = [];
  const chosen = [];
  for (const message of messages) {
    if (!message.send || message.wait.until < state.from || message.send.at > state.to) continue;
    const line = curve(message);
    if (!line || !inSight(line)) continue;
    (concerns(message) ? chosen : seen).push(line);
  }
  const draw = (lines, width, alpha) => {
    if (lines.length === 0) return;
    context.globalAlpha = alpha;
    context.strokeStyle = context.fillStyle = colours.arrow;
    context.lineWidth = width;
    context.beginPath();
    for (const line of lines) trace(context, line);
    context.stroke();
    context.beginPath();
    for (const line of lines) head(context, line);
    context.fill();
    context.globalAlpha = 1;
  };
  const quiet = chosen.length > 0 ? 0.5 : 1;
  draw(seen, 1.2, quiet * (seen.length > 600 ? 0.12 : seen.length > 120 ? 0.35 : 0.85));
  draw(chosen, 2.2, 1);
}

function drawFailure(context, lane) {
  const member = members[lane.place];
  if (member.failed === null || member.failed < state.from || member.failed > state.to) return;
  const x = xOf(member.failed);
  const y = yOf(lane) + lane.bar + layout.size.bar / 2;
  const size = Math.min(layout.size.bar / 2 - 1, 7);
  context.fillStyle = colours.bg;
  context.beginPath();
  context.arc(x, y, size + 1.5, 0, 7);
  context.fill();
  context.fillStyle = member.failure.caused ? colours["odd-mark"] : colours.fail;
  context.beginPath();
  context.arc(x, y, size, 0, 7);
  context.fill();
  context.strokeStyle = colours.bg;
  context.lineWidth = 1.6;
  const arm = size * 0.42;
  context.beginPath();
  context.moveTo(x - arm, y - arm);
  context.lineTo(x + arm, y + arm);
  context.moveTo(x + arm, y - arm);
  context.lineTo(x - arm, y + arm);
  context.stroke();
}

function drawPicked(context) {
  const what = picked(state.pick);
  const lane = what && what.m !== null && laneOf(what.m);
  if (!lane || what.kind === "message" || what.kind === "fail") return;
  const { bar, call, mark } = layout.size;
  const y = yOf(lane);
  const [, , place] = state.pick.split(":");
  const [top, height] = {
    stage: [lane.bar, bar],
    call: [lane.call + (what.call?.row ?? 0) * (call + 1), call],
    case: lane.suites && what.test?.[3] !== null ? [lane.suites + DEEP, DEEP - 2] : [lane.mark - 1, mark + 2],
    suite: [lane.suites ?? lane.bar, DEEP - 2],
    action: [(lane.actions ?? lane.bar) + (members[what.m].actions[place]?.[3] ?? 0) * DEEP, DEEP - 2],
  }[what.kind] ?? [lane.bar, bar];
  const left = Math.max(xOf(what.from), layout.gutter - 6);
  const right = Math.min(xOf(what.to), layout.width + 6);
  context.strokeStyle = colours.ink;
  context.lineWidth = 1.8;
  context.beginPath();
  context.roundRect(left - 2, y + top - 1, Math.max(right - left, 4) + 4, height + 2, 4);
  context.stroke();
}

function drawLabel(context, lane) {
  const member = members[lane.place];
  const y = yOf(lane);
  const narrow = layout.gutter === 0;
  if (!narrow) {
    context.fillStyle = lane.place === state.lane ? colours["panel-2"] : colours.bg;
    context.fillRect(0, y, layout.gutter - 6, lane.height - 1);
  }
  context.fillStyle = tints[lane.place];
  context.fillRect(0, y, 3, lane.height - 1);
  const middle = narrow ? y + 11 : y + lane.bar + layout.size.bar / 2;
  const small = layout.size === SIZES.small;
  const word = small ? y + lane.height / 2 : middle;
  context.font = (lane.place === state.lane ? "600 " : "") + (small ? SMALL_FONT : FONT);
  const mark = { Complete: ["✓", colours.good], Incomplete: ["✗", colours.bad], Canceled: ["⊘", colours["odd-mark"]] }[member.health] ?? ["…", colours.quiet];
  context.fillStyle = colours.quiet;
  context.fillText(state.open.has(lane.place) ? "▾" : "▸", 8, word);
  context.fillStyle = mark[1];
  context.fillText(mark[0], 20, word);
  context.fillStyle = colours.ink;
  context.fillText(narrow ? member.label : fitted(context, member.label, layout.gutter - 42), 34, word);
  if (!narrow && layout.size === SIZES.large && member.device && member.device !== member.label) {
    context.font = SMALL_FONT;
    context.fillStyle = colours.quiet;
    context.fillText(fitted(context, member.device, layout.gutter - 42), 34, word + 18);
  }
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
  const [first, last] = logSpan();
  if (first !== null && last >= state.from && first <= state.to) {
    const left = Math.max(xOf(first), layout.gutter);
    context.fillStyle = colours.accent;
    context.globalAlpha = 0.55;
    context.fillRect(left, layout.top - 3, Math.max(Math.min(xOf(last), layout.width) - left, 2), 3);
    context.globalAlpha = 1;
  }
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

function drawInstants(context) {
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
