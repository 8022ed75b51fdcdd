// Mouse and fingers on the lanes.
//
// drag        moves along the axis, and the lanes up and down
// Shift drag  measures a time span; letting go zooms to it
// wheel       scrolls; with Ctrl, or on the axis, zooms; sideways, or with Shift, moves
// pinch       zooms
// click       chooses what is there and shows the log at that instant; on a name opens the lane

function startPointer() {
  const touches = new Map();
  let drag = null;
  const point = (event) => {
    const place = canvas.getBoundingClientRect();
    return [event.clientX - place.left, event.clientY - place.top];
  };

  lanesBox.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || event.offsetX > lanesBox.clientWidth) return;
    const [x, y] = point(event);
    touches.set(event.pointerId, [x, y]);
    if (touches.size === 2) {
      drag = { pinch: spread(touches) };
      return;
    }
    const measured = event.shiftKey && x > layout.gutter;
    drag = { x, y, lastX: x, lastY: y, moved: false, measured, touch: event.pointerType === "touch" };
    if (measured) state.measure = [timeAt(x), timeAt(x)];
    if (!drag.touch) lanesBox.setPointerCapture(event.pointerId);
  });

  lanesBox.addEventListener("pointermove", (event) => {
    const [x, y] = point(event);
    if (!drag) return hoverAt(x, y, event.pointerType);
    if (touches.has(event.pointerId)) touches.set(event.pointerId, [x, y]);
    if (drag.pinch) {
      if (touches.size < 2) return;
      const now = spread(touches);
      zoom(drag.pinch.width / Math.max(now.width, 1), timeAt(now.middle));
      pan(((drag.pinch.middle - now.middle) / plotWidth()) * (state.to - state.from));
      drag.pinch = now;
      return;
    }
    if (Math.hypot(x - drag.x, y - drag.y) > 4) drag.moved = true;
    if (!drag.moved) return;
    if (drag.measured) {
      state.measure[1] = timeAt(Math.max(x, layout.gutter));
      changed("cursor");
    } else {
      pan(((drag.lastX - x) / plotWidth()) * (state.to - state.from));
      if (!drag.touch) lanesBox.scrollTop += drag.lastY - y;
      lanesBox.style.cursor = "grabbing";
    }
    [drag.lastX, drag.lastY] = [x, y];
    hideTip();
  });

  const done = (event) => {
    touches.delete(event.pointerId);
    if (!drag) return;
    const was = drag;
    drag = null;
    lanesBox.style.cursor = "";
    if (was.pinch || event.type === "pointercancel") return;
    if (was.measured) {
      const [a, b] = [Math.min(...state.measure), Math.max(...state.measure)];
      state.measure = null;
      changed("cursor");
      if (was.moved) moveView(a, b);
    } else if (!was.moved) {
      press(was.x, was.y);
    }
  };
  lanesBox.addEventListener("pointerup", done);
  lanesBox.addEventListener("pointercancel", done);
  lanesBox.addEventListener("pointerleave", () => {
    if (state.hover) changed("lit");
    [state.hover, state.hoverAt] = [null, null];
    hideTip();
    changed("hover");
  });
  lanesBox.addEventListener("dblclick", (event) => {
    const [x, y] = point(event);
    const { pick, label } = hit(x, y);
    const what = picked(pick);
    if (label) return;
    if (what && what.to > what.from) zoomTo(what.from, what.to);
    else zoom(0.4, timeAt(x));
  });
  lanesBox.addEventListener("wheel", (event) => {
    const [x, y] = point(event);
    if (event.ctrlKey || event.metaKey || y < layout.top) {
      event.preventDefault();
      zoom(1.0022 ** clamp(event.deltaY, -240, 240), clamp(timeAt(x), state.from, state.to));
    } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      pan((((event.deltaX || event.deltaY) * 1.2) / plotWidth()) * (state.to - state.from));
    }
  }, { passive: false });
  lanesBox.addEventListener("scroll", () => {
    layout.scroll = lanesBox.scrollTop;
    changed("scroll");
  }, { passive: true });
}

function spread(touches) {
  const [[a], [b]] = [...touches.values()];
  return { width: Math.abs(a - b), middle: (a + b) / 2 };
}

function press(x, y) {
  const { lane, pick, label } = hit(x, y);
  if (label) {
    state.lane = lane;
    toggleLane(lane);
    return;
  }
  if (lane !== null) state.lane = lane;
  const what = picked(pick);
  if (!what) {
    state.pick = null;
    changed("pick");
    if (x >= layout.gutter) setCursor(timeAt(x));
    return;
  }
  choose(pick, { at: clamp(timeAt(x), what.from, what.to), still: true });
}

function toggleLane(place) {
  if (state.open.has(place)) state.open.delete(place);
  else state.open.add(place);
  changed("layout");
}

function hoverAt(x, y, type) {
  if (type === "touch") return;
  const { lane, pick, label } = hit(x, y);
  state.hoverAt = x >= layout.gutter ? timeAt(x) : null;
  if (state.hover !== pick) changed("lit");
  state.hover = pick;
  lanesBox.style.cursor = pick || label ? "pointer" : "";
  changed("hover");
  if (pick) showTip(x, y, ...describe(pick));
  else if (label) showTip(x, y, members[lane].label, `${members[lane].device ?? ""} ${members[lane].health ?? ""}`.trim());
  else hideTip();
}

function showTip(x, y, title, ...lines) {
  const tip = byId("tip");
  tip.replaceChildren(make("b", { textContent: title }), ...lines.filter(Boolean).map((line) => make("div", { textContent: line })));
  tip.hidden = false;
  const chart = byId("chart").getBoundingClientRect();
  const box = canvas.getBoundingClientRect();
  const left = x + box.left - chart.left + 14;
  tip.style.left = `${Math.max(Math.min(left, chart.width - tip.offsetWidth - 6), 4)}px`;
  const below = y + box.top - chart.top + 18;
  const fits = box.top + y + 18 + tip.offsetHeight < innerHeight;
  tip.style.top = `${fits ? below : below - 30 - tip.offsetHeight}px`;
}

function hideTip() {
  byId("tip").hidden = true;
}
