// What is chosen, in words.

/** Title and lines. */
function describe(pick) {
  const what = picked(pick);
  if (!what) return [""];
  const member = what.m !== null && what.m !== undefined ? members[what.m] : null;
  const time = `${instant(what.from)} to ${instant(what.to)}, ${span(what.to - what.from)}`;
  switch (what.kind) {
    case "call":
      return [`${member?.label ?? "a member"}: ${what.call.say}`, ...describeCall(what.call)];
    case "message": {
      const { send, wait, last, sender } = what.message;
      const data = send ? send.data.map(([key, value]) => `${key}=${value}`).join(" ") : "";
      const from = send ? members[send.m].label : sender;
      const way = last ? "came while the wait was open and ended it" : send && send.at < wait.at ? "was there before the wait" : "was one of several";
      return [`${wait.id}: ${from} → ${members[wait.m].label}`, data, `sent at ${instant(what.from)}, taken at ${instant(what.to)}; ${way}`];
    }
    case "barrier": {
      const { calls, released, id } = what.barrier;
      const sorted = [...calls].sort((a, b) => a.at - b.at);
      const last = sorted.at(-1);
      if (released === null) return [`lava-sync ${id}: never complete`, `${calls.length} calls`];
      return [`lava-sync ${id}`, `${new Set(calls.map((call) => call.m)).size} members; first ${members[sorted[0].m].label} at ${instant(sorted[0].at)}`,
        `last ${members[last.m].label} at ${instant(last.at)}; let go at ${instant(released)}`];
    }
    case "stage":
      return [`${member.label}: ${what.name}`, time];
    case "suite":
      return [`${member.label}: suite ${what.name}`, time];
    case "action":
      return [`${member.label}: ${what.name}`, time, what.failure ?? ""];
    case "case": {
      const [suite, name, result, , , , measured] = what.test;
      return [`${member.label}: ${suite} ${name}: ${result}`, measured ?? "", what.to > what.from ? time : `at ${instant(what.to)}`];
    }
    default:
      return [`${member.label} failed`, `at ${instant(what.from)}`, `${what.failure.class}: ${what.failure.text}`];
  }
}

function describeCall(call) {
  const lines = [];
  const data = call.data.map(([key, value]) => `${key}=${value}`).join(" ");
  if (data) lines.push(data);
  const took = span(call.until - call.at);
  if (call.waits) {
    const pieces = parts(call);
    const at = state.hover === `call:${call.index}` && state.hoverAt !== null ? state.hoverAt : null;
    const now = at === null ? null : pieces.find((piece) => at >= piece.from && at < piece.to);
    const last = pieces.length < 2 ? "" : call.ok ? "last " : "longest ";
    const others = call.by === null ? 0 : story.sets[call.for.at(-1)[1]].length - 1;
    const any = others > 0 ? `; ${others} more could have sent it` : "";
    lines.push(`made at ${instant(call.at)}, waited ${took}, ${last}for ${names(told(call, pieces).set, 6)}${any}`);
    if (now && pieces.length > 1) lines.push(`at ${instant(at)}: for ${names(now.set, 8)}`);
  } else {
    lines.push(call.kind === "send" ? `sent at ${instant(call.at)}` : `made at ${instant(call.at)}, answered after ${took}`);
  }
  if (call.ok === false) lines.push(call.why ?? "failed");
  if (call.ok === null) lines.push("never answered");
  return lines;
}

function drawDetail() {
  const box = byId("detail");
  const what = picked(state.pick);
  if (!what) {
    box.replaceChildren(...(state.cursor === null ? idle() : instantWords()));
    return;
  }
  const [title, ...lines] = describe(state.pick);
  const failed = (what.kind === "call" && what.call.ok !== true) || what.kind === "fail";
  const out = [make("b", { textContent: title })];
  lines.filter(Boolean).forEach((line, place) => {
    const isBad = (failed && place === lines.filter(Boolean).length - 1) || (what.kind === "action" && line === what.failure);
    out.push(make("span", { textContent: line, className: isBad ? "bad" : "" }));
  });
  const jump = (text, pick) => {
    const button = make("button", { type: "button", textContent: text });
    button.addEventListener("click", () => choose(pick));
    return button;
  };
  if (what.kind === "call") {
    const mine = messagesOf.get(what.call.index) ?? [];
    for (const message of mine.slice(0, 6)) {
      if (message.wait === what.call && message.send) out.push(jump(`← sent by ${members[message.send.m].label}`, `call:${message.send.index}`));
      else if (message.send === what.call) out.push(jump(`→ taken by ${members[message.wait.m].label}`, `call:${message.wait.index}`));
    }
    if (what.call.barrier && what.call.barrier.released !== null) out.push(jump("the sync of all", `barrier:${what.call.barrier.index}`));
  }
  if (what.kind === "message") {
    if (what.message.send) out.push(jump("the send", `call:${what.message.send.index}`));
    out.push(jump("the wait", `call:${what.message.wait.index}`));
  }
  if (what.kind === "barrier") {
    const last = [...what.barrier.calls].sort((a, b) => b.at - a.at)[0];
    out.push(jump(`the last to come: ${members[last.m].label}`, `call:${last.index}`));
  }
  box.replaceChildren(...out);
}

function idle() {
  const touch = matchMedia("(pointer: coarse)").matches;
  return [make("span", { className: "quiet", textContent: touch
    ? "Tap anything to see what it is and the log at that instant; pinch to zoom."
    : "Click anything to see what it is and the log at that instant. ? shows keys and gestures." })];
}

function instantWords() {
  const out = [make("b", { textContent: instant(state.cursor, 6) })];
  if (story.started !== null) {
    out.push(make("span", { className: "quiet", textContent: new Date(story.started + state.cursor / 1e3).toISOString().replace("T", " ").replace("Z", " UTC") }));
  }
  const waiting = story.calls.filter((call) => call.waits && call.at <= state.cursor && call.until > state.cursor && call.m !== null);
  for (const call of waiting.slice(0, 4)) {
    const piece = parts(call).findLast((part) => part.from <= state.cursor);
    out.push(make("span", {}, `${members[call.m].label} waits for ${names(piece?.set ?? [])}`));
  }
  if (waiting.length > 4) out.push(make("span", { className: "quiet", textContent: `and ${waiting.length - 4} more wait` }));
  const text = atLine >= 0 ? plain(log.texts[atLine]) : "";
  if (text.length > (logBox.clientWidth - 290) / 7.3) out.push(make("div", { className: "line", textContent: text }));
  return out;
}
