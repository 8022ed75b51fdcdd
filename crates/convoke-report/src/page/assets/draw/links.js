// What connects lanes: the lines of the syncs, the arrows of the messages.

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

const MOST_LINES = 1500;

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
  // More lines than this are a surface, and take long: an even choice of them looks the same. Those of what is chosen are all there.
  const each = Math.ceil(seen.length / MOST_LINES);
  const drawn = each > 1 ? seen.filter((_, place) => place % each === 0) : seen;
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
  draw(drawn, 1.2, quiet * (seen.length > 600 ? 0.12 : seen.length > 120 ? 0.35 : 0.85));
  draw(chosen, 2.2, 1);
}
