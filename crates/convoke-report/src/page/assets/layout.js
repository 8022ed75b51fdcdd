// Where lanes are. A lane has a bar of stages, under it rows of calls, under these marks of results; an open lane also
// its actions, nested, and its suites and cases.

const lanesBox = byId("lanes");
const canvas = byId("canvas");
/** What follows the pointer lies over the lanes, so that they need not be drawn again for it. */
const over = byId("over");
const FONT = "12px system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif";
const SMALL_FONT = FONT.replace("12px", "11px");

const layout = { lanes: [], scroll: 0, height: 0, axis: 26, strip: 0, gutter: 0, width: 0, view: 0, size: null };

const SIZES = {
  large: { pad: 7, bar: 19, call: 17, mark: 6, gap: 2, text: 12 },
  medium: { pad: 4, bar: 15, call: 13, mark: 5, gap: 1, text: 11 },
  small: { pad: 2, bar: 10, call: 8, mark: 3, gap: 1, text: 10 },
};
const DEEP = 17;

function measure() {
  const context = canvas.getContext("2d");
  // As the chosen lane is written.
  context.font = `600 ${FONT}`;
  layout.width = lanesBox.clientWidth;
  const narrow = layout.width < 560;
  const width = (text) => context.measureText(text ?? "").width;
  const longest = members.reduce((most, member) => Math.max(most, width(member.label), width(member.device)), 0);
  layout.gutter = narrow ? 0 : clamp(longest + 50, 90, 220);
  layout.title = narrow ? 17 : 0;
  const shown = members.map((_, place) => place).filter((place) => !state.hidden.has(place));
  layout.size = shown.length <= 9 ? SIZES.large : shown.length <= 22 ? SIZES.medium : SIZES.small;
  const labelled = story.barriers.some((barrier) => barrier.released !== null) || story.first !== null || story.canceled !== null
    || story.stops.length > 0 || story.stuck.length > 0;
  layout.strip = labelled ? 18 : 0;
  layout.top = layout.axis + layout.strip;
  let y = 0;
  layout.lanes = shown.map((place) => {
    const lane = { place, y, ...tracks(members[place], state.open.has(place)) };
    y += lane.height;
    return lane;
  });
  layout.height = y;
  byId("lanes-room").style.height = `${layout.top + y + 4}px`;
  layout.view = lanesBox.clientHeight;
  layout.scroll = lanesBox.scrollTop;
  const scale = devicePixelRatio || 1;
  const [wide, high] = [Math.round(layout.width * scale), Math.round(layout.view * scale)];
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = over.width = wide;
    canvas.height = over.height = high;
    canvas.style.height = `${layout.view}px`;
  }
}

function tracks(member, isOpen) {
  const { pad, bar, call, mark, gap } = layout.size;
  const lane = { bar: pad + layout.title };
  lane.call = lane.bar + bar + gap;
  lane.mark = lane.call + member.rows * (call + 1) + gap;
  let bottom = lane.mark + mark;
  if (isOpen) {
    lane.actions = bottom + 6;
    lane.suites = lane.actions + member.depth * DEEP + 2;
    bottom = lane.suites + (member.suites.length ? DEEP * 2 : 0) + 2;
  }
  lane.height = bottom + pad;
  return lane;
}

const plotWidth = () => layout.width - layout.gutter - 10;
const xOf = (us) => layout.gutter + ((us - state.from) / (state.to - state.from)) * plotWidth();
const timeAt = (x) => state.from + ((x - layout.gutter) / plotWidth()) * (state.to - state.from);
const laneOf = (place) => layout.lanes.find((lane) => lane.place === place);
const yOf = (lane) => layout.top + lane.y - layout.scroll;

/** The middle of the row in which a call stands. */
function callMiddle(call) {
  const lane = laneOf(call.m);
  return lane ? yOf(lane) + lane.call + call.row * (layout.size.call + 1) + layout.size.call / 2 : null;
}

function showLane(place) {
  const lane = laneOf(place);
  if (!lane) return;
  const top = lane.y;
  const room = lanesBox.clientHeight - layout.top;
  if (top < lanesBox.scrollTop) lanesBox.scrollTop = top;
  else if (top + lane.height > lanesBox.scrollTop + room) lanesBox.scrollTop = top + lane.height - room;
}
