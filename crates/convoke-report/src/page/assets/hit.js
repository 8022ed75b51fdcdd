// What is under a point of the lanes.

/** `{lane, pick, label}`: the lane, what is there, whether the point is on the lane's name. */
function hit(x, y) {
  if (y < layout.top) {
    const word = (layout.words ?? []).find(([left, right]) => y > layout.axis && x >= left && x <= right);
    return { lane: null, pick: word?.[2] ?? null, axis: true };
  }
  const lane = layout.lanes.find((one) => y >= yOf(one) && y < yOf(one) + one.height);
  if (!lane) return { lane: null, pick: null };
  const inside = y - yOf(lane);
  if (x < layout.gutter || (layout.gutter === 0 && inside < layout.title)) return { lane: lane.place, pick: null, label: true };
  return { lane: lane.place, pick: hitFailure(lane, x, inside) ?? hitCall(lane, x, inside) ?? hitLine(x, y) ?? hitSpan(lane, x, inside) };
}

function hitFailure(lane, x, inside) {
  const member = members[lane.place];
  const near = member.failed !== null && Math.abs(x - xOf(member.failed)) < 8 && inside >= lane.bar && inside < lane.bar + layout.size.bar;
  return near ? `fail:${lane.place}` : null;
}

function hitCall(lane, x, inside) {
  const { call } = layout.size;
  const row = Math.floor((inside - lane.call) / (call + 1));
  if (inside < lane.call || inside >= lane.mark) return null;
  let best = null;
  let least = 7;
  for (const one of members[lane.place].calls) {
    if (one.row !== row) continue;
    const [from, to] = [xOf(one.at), one.waits || one.ok === false ? xOf(one.until) : xOf(one.at)];
    const away = x < from ? from - x : x > to ? x - to : 0;
    // Of what is equally near, the narrowest is harder to hit otherwise.
    if (away < least || (away === 0 && least === 0 && to - from < 12)) {
      best = `call:${one.index}`;
      least = away;
    }
  }
  return best;
}

/** Messages and barriers. */
function hitLine(x, y) {
  let best = null;
  let least = 5;
  let budget = 500;
  for (const message of messages) {
    if (!message.send || message.wait.until < state.from || message.send.at > state.to) continue;
    const line = curve(message);
    if (!line || !inSight(line)) continue;
    if ((budget -= 1) < 0) break;
    const away = distance(line, x, y);
    if (away < least) {
      best = `message:${message.index}`;
      least = away;
    }
  }
  for (const barrier of story.barriers) {
    if (barrier.released === null) continue;
    const away = Math.abs(x - xOf(barrier.released));
    if (away < Math.min(least, 4)) {
      best = `barrier:${barrier.index}`;
      least = away;
    }
  }
  return best;
}

function distance({ x1, y1, x2, y2 }, x, y) {
  if (x < Math.min(x1, x2) - 6 || x > Math.max(x1, x2) + 6 || y < Math.min(y1, y2) - 6 || y > Math.max(y1, y2) + 6) return Infinity;
  const bend = clamp((x2 - x1) / 2, 0, 70);
  const bent = bend >= 6;
  let least = Infinity;
  let [px, py] = [x1, y1];
  for (let step = 1; step <= 24; step += 1) {
    const t = step / 24;
    const u = 1 - t;
    const nx = bent ? u ** 3 * x1 + 3 * u * u * t * (x1 + bend) + 3 * u * t * t * (x2 - bend) + t ** 3 * x2 : x1 + (x2 - x1) * t;
    const ny = bent ? u ** 3 * y1 + 3 * u * u * t * y1 + 3 * u * t * t * y2 + t ** 3 * y2 : y1 + (y2 - y1) * t;
    const [dx, dy] = [nx - px, ny - py];
    const part = clamp(((x - px) * dx + (y - py) * dy) / (dx * dx + dy * dy || 1), 0, 1);
    least = Math.min(least, Math.hypot(x - px - dx * part, y - py - dy * part));
    [px, py] = [nx, ny];
  }
  return least;
}

function hitSpan(lane, x, inside) {
  const member = members[lane.place];
  const at = timeAt(x);
  const slack = ((state.to - state.from) / plotWidth()) * 2;
  const within = ([from, to]) => at >= from - slack && at <= to + slack;
  if (inside >= lane.bar && inside < lane.call) {
    const place = member.stages.findIndex(([, from, to]) => within([from, to]));
    return place < 0 ? null : `stage:${lane.place}:${place}`;
  }
  if (inside >= lane.mark - 2 && inside < (lane.actions ?? lane.height)) {
    return nearestCase(lane.place, x, 6);
  }
  if (lane.actions === undefined || inside < lane.actions) return null;
  if (inside < lane.suites) {
    const depth = Math.floor((inside - lane.actions) / DEEP);
    const place = member.actions.findLastIndex(([, from, to, deep]) => deep === depth && within([from, to]));
    return place < 0 ? null : `action:${lane.place}:${place}`;
  }
  if (inside < lane.suites + DEEP) {
    const place = member.suites.findIndex(([, from, to]) => within([from, to]));
    return place < 0 ? null : `suite:${lane.place}:${place}`;
  }
  const place = member.cases.findIndex(([suite, , , from, to]) => suite !== "lava" && from !== null && within([from, to]));
  return place < 0 ? null : `case:${lane.place}:${place}`;
}

function nearestCase(place, x, most) {
  let best = null;
  let least = most;
  members[place].cases.forEach((test, index) => {
    if (test[0] === "lava") return;
    const away = Math.abs(xOf(test[4]) - x) - (test[2] === "pass" ? 0 : 1);
    if (away < least) {
      best = `case:${place}:${index}`;
      least = away;
    }
  });
  return best;
}
