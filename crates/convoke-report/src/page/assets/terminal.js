// Console text with its colours: the escape sequences that choose them become classes, all others are left out. What is
// no text at all is shown as its picture.

const ESCAPES = /\x1b\[([0-9;:?]*)([@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[()][0-9A-Za-z]|\x1b[@-Z\\-_=>78]|\x1b/g;
const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;

function plain(text) {
  return text.replace(ESCAPES, "").replace(CONTROLS, (letter) => {
    const code = letter.charCodeAt(0);
    if (code === 13) return "";
    return code < 32 ? String.fromCharCode(0x2400 + code) : code === 127 ? "\u2421" : "\ufffd";
  });
}

/** Pieces of a text: `[text, classes]`. */
function pieces(text) {
  if (!text.includes("\x1b")) return [[plain(text), ""]];
  const out = [];
  const style = { colour: "", bold: false, dim: false, italic: false, line: false };
  let last = 0;
  const push = (piece) => {
    const words = [style.colour, style.bold && "ab", style.dim && "ad", style.italic && "ai", style.line && "au"];
    if (piece) out.push([plain(piece), words.filter(Boolean).join(" ")]);
  };
  for (const found of text.matchAll(ESCAPES)) {
    push(text.slice(last, found.index));
    last = found.index + found[0].length;
    if (found[2] === "m") restyle(style, found[1]);
  }
  push(text.slice(last));
  return out;
}

function restyle(style, codes) {
  const list = codes.split(/[;:]/).map(Number);
  for (let place = 0; place < list.length; place += 1) {
    const code = list[place];
    if (code === 0) Object.assign(style, { colour: "", bold: false, dim: false, italic: false, line: false });
    else if (code === 1) style.bold = true;
    else if (code === 2) style.dim = true;
    else if (code === 3) style.italic = true;
    else if (code === 4) style.line = true;
    else if (code === 22) style.bold = style.dim = false;
    else if (code === 23) style.italic = false;
    else if (code === 24) style.line = false;
    else if (code >= 30 && code <= 37) style.colour = `a${code - 30}`;
    else if (code >= 90 && code <= 97) style.colour = `a${code - 90}`;
    else if (code === 39) style.colour = "";
    // Colours by number or by parts: too many to keep all readable, so they are text.
    else if (code === 38 || code === 48) place += list[place + 1] === 5 ? 2 : 4;
  }
}
