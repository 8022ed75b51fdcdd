// What stands out: failures, the chosen thing, and the names of the lanes.

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

/** A sign and its colour. A member that ended well and whose tests did not is neither good nor lost. */
function healthMark(member) {
  switch (member.health) {
    case "Complete":
      return member.fails ? ["!", colours.bad] : ["✓", colours.good];
    case "Incomplete":
      return ["✗", colours.bad];
    case "Canceled":
      return ["⊘", colours["odd-mark"]];
    default:
      return ["○", colours.quiet];
  }
}

function drawLabel(context, lane) {
  const member = members[lane.place];
  const y = yOf(lane);
  const narrow = layout.gutter === 0;
  // Who failed first is to be found at once.
  const isFirst = story.first?.m === lane.place;
  if (!narrow) {
    context.fillStyle = isFirst ? colours["bad-bg"] : lane.place === state.lane ? colours["panel-2"] : colours.bg;
    context.fillRect(0, y, layout.gutter - 6, lane.height - 1);
  }
  context.fillStyle = tints[lane.place];
  context.fillRect(0, y, 3, lane.height - 1);
  const middle = narrow ? y + 11 : y + lane.bar + layout.size.bar / 2;
  const small = layout.size === SIZES.small;
  const word = small ? y + lane.height / 2 : middle;
  context.font = (lane.place === state.lane || isFirst ? "600 " : "") + (small ? SMALL_FONT : FONT);
  const mark = healthMark(member);
  context.fillStyle = colours.quiet;
  context.fillText(state.open.has(lane.place) ? "▾" : "▸", 8, word);
  context.fillStyle = mark[1];
  context.fillText(mark[0], 20, word);
  context.fillStyle = isFirst ? colours.bad : colours.ink;
  context.fillText(narrow ? member.label : fitted(context, member.label, layout.gutter - 42), 34, word);
  if (!narrow && layout.size === SIZES.large && member.device && member.device !== member.label) {
    context.font = SMALL_FONT;
    context.fillStyle = colours.quiet;
    context.fillText(fitted(context, member.device, layout.gutter - 42), 34, word + 18);
  }
}
