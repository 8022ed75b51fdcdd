// The calls of a lane: waits as hatched spans that say for whom, all others as points.

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
  const middle = y + height / 2 + 0.5;
  const room = ({ from, to }) => Math.min(xOf(to), layout.width) - Math.max(xOf(from), layout.gutter) - 8;
  const write = (text, piece) => {
    const left = Math.max(xOf(piece.from), layout.gutter);
    // The hatch is under the text alone made quiet, so that it can be read.
    context.globalAlpha = 0.82;
    context.fillStyle = colours[tone];
    context.fillRect(left + 2, y + 1, textWidth(context, text) + 6, height - 2);
    context.globalAlpha = 1;
    context.fillStyle = ink;
    context.fillText(text, left + 5, middle);
  };
  context.fillStyle = ink;
  context.globalAlpha = 0.5;
  for (const piece of pieces.slice(1)) if (room(piece) > 6) context.fillRect(Math.round(xOf(piece.from)), y, 1, height);
  context.globalAlpha = 1;
  // Part by part where each has room for its names; else the whole, and who came last.
  const seen = pieces.filter(({ from, to }) => to > state.from && from < state.to);
  const first = seen.length > 1 && firstFitting(context, titles(call, seen[0].set), room(seen[0]));
  if (first && seen.slice(1).every((piece) => textWidth(context, `for ${names(piece.set)}`) <= room(piece))) {
    write(first, seen[0]);
    for (const piece of seen.slice(1)) write(`for ${names(piece.set)}`, piece);
    return;
  }
  const whole = { from: call.at, to: call.until };
  const all = titles(call, told(call, pieces).set);
  const text = firstFitting(context, all, room(whole)) || fitted(context, all.at(-1), room(whole));
  if (text) write(text, whole);
}

/** What may stand in a wait, the fullest first. */
function titles(call, set) {
  const whom = names(set);
  const say = call.say.replace("lava-", "");
  return whom ? [`${say}: for ${whom}`, `${call.id}: for ${whom}`, `${call.id}: ${whom}`, call.id] : [say, call.id];
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
