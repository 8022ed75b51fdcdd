// The whole run in a strip: stages, waits and failures of all members, lines that fit the search, and the part in view.

const overview = byId("overview");
/** The run as it is drawn once; only what is over it moves. */
const ground = make("canvas");
let space = 1;

// Aligned with the lanes when they show everything.
const overviewX = (us) => layout.gutter + (us / end) * space;
const overviewTime = (x) => ((x - layout.gutter) / space) * end;

/** Draws what does not change while the reader moves: when it has another size, other members or other colours. */
function drawGroundOfOverview() {
  const [width, height] = [overview.clientWidth, overview.clientHeight];
  const scale = devicePixelRatio || 1;
  space = Math.max(width - layout.gutter - 10, 1);
  overview.width = ground.width = Math.round(width * scale);
  overview.height = ground.height = Math.round(height * scale);
  const context = ground.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.fillStyle = colours.bg;
  context.fillRect(0, 0, width, height);
  const shown = layout.lanes;
  const each = Math.min((height - 10) / Math.max(shown.length, 1), 9);
  const top = (height - each * shown.length) / 2;
  shown.forEach(({ place }, row) => {
    const y = top + row * each;
    const tall = Math.max(each - (each > 3 ? 1 : 0), 0.6);
    const member = members[place];
    for (const [name, from, to] of member.stages) {
      context.fillStyle = stageColour(name)[0];
      context.fillRect(overviewX(from), y, Math.max(overviewX(to) - overviewX(from), 0.7), tall);
    }
    for (const call of member.calls) {
      if (!call.waits) continue;
      context.fillStyle = colours[call.ok === false ? "lost-stripe" : "wait-stripe"];
      context.fillRect(overviewX(call.at), y, Math.max(overviewX(call.until) - overviewX(call.at), 0.7), tall);
    }
  });
  shown.forEach(({ place }, row) => {
    const at = members[place].failed;
    if (at === null) return;
    context.fillStyle = colours.fail;
    context.fillRect(overviewX(at) - 1.5, top + row * each - 1, 3, Math.max(each, 3) + 1);
  });
}

function drawOverview() {
  const [width, height] = [overview.clientWidth, overview.clientHeight];
  const scale = devicePixelRatio || 1;
  const context = overview.getContext("2d");
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.drawImage(ground, 0, 0);
  context.setTransform(scale, 0, 0, scale, 0, 0);
  drawMatches(context, height);
  drawWindow(context, width, height);
}

function drawMatches(context, height) {
  context.fillStyle = colours.accent;
  let last = -9;
  for (const at of matchTimes()) {
    const x = Math.round(overviewX(at));
    if (x > last) context.fillRect(x, height - 5, 1.5, 5);
    last = x;
  }
}

function drawWindow(context, width, height) {
  const [left, right] = [overviewX(Math.max(state.from, 0)), overviewX(Math.min(state.to, end))];
  if (state.from > 0 || state.to < end) {
    context.globalAlpha = 0.62;
    context.fillStyle = colours["panel-2"];
    context.fillRect(layout.gutter, 0, left - layout.gutter, height);
    context.fillRect(right, 0, width - right, height);
    context.globalAlpha = 1;
    context.fillStyle = colours.accent;
    for (const x of [left, right]) {
      context.fillRect(x - 1, 0, 2, height);
      context.beginPath();
      context.roundRect(x - 3.5, height / 2 - 8, 7, 16, 3);
      context.fill();
    }
  }
  if (state.cursor !== null) {
    context.fillStyle = colours.accent;
    context.fillRect(overviewX(state.cursor), 0, 1, height);
  }
}

/** Drags: an edge resizes the part in view, its inside moves it, elsewhere a new one is drawn. */
function startOverview() {
  let grip = null;
  const at = (event) => overviewTime(event.clientX - overview.getBoundingClientRect().left);
  const reach = () => (8 / space) * end;
  overview.addEventListener("pointerdown", (event) => {
    overview.setPointerCapture(event.pointerId);
    const now = at(event);
    const whole = state.from <= 0 && state.to >= end;
    if (!whole && Math.abs(now - state.from) < reach()) grip = { fixed: state.to };
    else if (!whole && Math.abs(now - state.to) < reach()) grip = { fixed: state.from };
    else if (!whole && now > state.from && now < state.to) grip = { move: now - state.from };
    else grip = { fixed: now, fresh: true };
  });
  overview.addEventListener("pointermove", (event) => {
    const now = at(event);
    if (!grip) {
      const whole = state.from <= 0 && state.to >= end;
      const edge = !whole && (Math.abs(now - state.from) < reach() || Math.abs(now - state.to) < reach());
      overview.style.cursor = edge ? "ew-resize" : !whole && now > state.from && now < state.to ? "grab" : "crosshair";
      return;
    }
    if (grip.move !== undefined) setView(now - grip.move, now - grip.move + (state.to - state.from));
    else if (Math.abs(now - grip.fixed) > reach() / 2) setView(Math.min(grip.fixed, now), Math.max(grip.fixed, now));
  });
  overview.addEventListener("pointerup", (event) => {
    const now = at(event);
    if (grip?.fresh && Math.abs(now - grip.fixed) < reach() / 2) setCursor(now);
    grip = null;
  });
  overview.addEventListener("dblclick", fit);
  overview.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(1.0018 ** event.deltaY, clamp(at(event), state.from, state.to));
  }, { passive: false });
}
