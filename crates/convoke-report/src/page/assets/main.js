// Starts everything.

document.documentElement.classList.add("live");
byId("work").hidden = false;
startTheme();

// In this order: what is drawn stands where it was measured.
view(["layout", "theme"], measure);
view(["rows"], drawRows);
view(["layout", "theme", "view", "pick", "lit", "scroll"], drawLanes);
view(["layout", "theme", "view", "cursor", "hover", "rows", "log"], drawInstants);
view(["layout", "theme"], drawGroundOfOverview);
view(["layout", "theme", "view", "cursor", "log"], drawOverview);
view(["cursor", "pick"], drawDetail);

startLog();
startMenus();
startPointer();
startOverview();
startKeys();
new ResizeObserver(() => {
  // It also tells of the size it begins with, which has been measured.
  if (lanesBox.clientWidth !== layout.width || lanesBox.clientHeight !== layout.view) changed("layout");
}).observe(lanesBox);
addEventListener("hashchange", () => {
  if (recall()) byId("work").scrollIntoView({ block: "start", behavior: calm.matches ? "auto" : "smooth" });
});
// Once, in the first frame: what follows only needs to know where things are.
measure();
changed("layout", "cursor");
if (recall()) byId("work").scrollIntoView({ block: "start", behavior: "instant" });
// Whoever opens the report of a failure looks for it in the log first.
else if (story.first && story.first.at !== null) showInstant(story.first.at, null, story.first.m);
else if (failures.length) showInstant(failures[0][0], null, picked(failures[0][1]).m);

// For tests and for the curious: where something is drawn, and what is chosen.
window.convoke = Object.freeze({
  where(pick) {
    const what = picked(pick);
    const lane = what && what.m !== null && laneOf(what.m);
    if (!lane) return null;
    const box = canvas.getBoundingClientRect();
    const y = { call: () => callMiddle(what.call), case: () => yOf(lane) + lane.mark + 2 }[what.kind]?.() ?? yOf(lane) + lane.bar + layout.size.bar / 2;
    return { x: box.left + (xOf(what.from) + xOf(what.to)) / 2, y: box.top + y };
  },
  now: () => ({ pick: state.pick, cursor: state.cursor, lane: state.lane, from: state.from, to: state.to, lanes: layout.lanes.length, lines: shown.length, line: atLine, matches: matches.length }),
});
