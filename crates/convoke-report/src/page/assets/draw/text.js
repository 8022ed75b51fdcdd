// Text that fits, and a span with its text.

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

/** The first of these texts that fits whole. */
const firstFitting = (context, texts, room) => texts.find((text) => textWidth(context, text) <= room);

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
