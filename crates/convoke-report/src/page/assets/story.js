// The data of the page, with what the views need to find things quickly.

const story = JSON.parse(byId("story-data").textContent);
const members = story.members;
const end = Math.max(story.end, 1);

for (const member of members) {
  member.calls = [];
  member.fails = member.cases.some((test) => test[0] !== "lava" && test[2] === "fail");
  member.depth = member.actions.reduce((most, action) => Math.max(most, action[3] + 1), 0);
}
story.calls.forEach((call, index) => {
  call.index = index;
  call.until = call.end ?? end;
  call.waits = call.for.length > 0;
  if (call.m !== null) members[call.m].calls.push(call);
});

// Calls of one member that overlap stand in rows of their own.
for (const member of members) {
  const free = [];
  for (const call of member.calls) {
    let row = free.findIndex((until) => until <= call.at);
    if (row < 0) row = free.length;
    free[row] = call.until;
    call.row = Math.min(row, 2);
  }
  member.rows = clamp(free.length, 1, 3);
}

const messages = story.messages.map(([send, wait, sender, last], index) => ({
  index, send: send === null ? null : story.calls[send], wait: story.calls[wait], sender, last,
}));

/** The messages that a call sent or took. */
const messagesOf = new Map();
for (const message of messages) {
  for (const call of [message.send, message.wait]) {
    if (!call) continue;
    if (!messagesOf.has(call.index)) messagesOf.set(call.index, []);
    messagesOf.get(call.index).push(message);
  }
}

story.barriers.forEach((barrier, index) => {
  barrier.index = index;
  barrier.calls = barrier.calls.map((call) => story.calls[call]);
  for (const call of barrier.calls) call.barrier = barrier;
});

/** Names for people: at most `most`, then how many more. */
function names(places, most = 3) {
  if (places.length === members.length - 1 && places.length > most) return "all others";
  const labels = places.slice(0, most).map((place) => members[place].label);
  return labels.join(", ") + (places.length > most ? ` and ${places.length - most} more` : "");
}

/** Whom a call waited for, part by part: `{from, to, set}`. Of a `lava-wait` whose sender is known afterwards, that one. */
function parts(call) {
  if (call.by !== null && call.waits) return [{ from: call.at, to: call.until, set: [call.by] }];
  return call.for.map(([from, set], place) => ({
    from: place === 0 ? call.at : from,
    to: call.for[place + 1]?.[0] ?? call.until,
    set: story.sets[set],
  }));
}

/** The part by which a wait is told: the last one; where it failed the longest, for at its end there is often nobody left. */
function told(call, pieces) {
  const length = (piece) => piece.to - piece.from;
  return call.ok ? pieces.at(-1) : pieces.reduce((most, piece) => (length(piece) > length(most) ? piece : most));
}

// What a member did, in order of time, for stepping through it.
for (const [place, member] of members.entries()) {
  const steps = [];
  member.stages.forEach((stage, index) => steps.push([stage[1], `stage:${place}:${index}`]));
  for (const call of member.calls) steps.push([call.at, `call:${call.index}`]);
  member.cases.forEach((test, index) => {
    if (test[0] !== "lava") steps.push([test[4], `case:${place}:${index}`]);
  });
  if (member.failed !== null) steps.push([member.failed, `fail:${place}`]);
  member.steps = steps.sort((a, b) => a[0] - b[0]);
}

/** Everything that failed, in order of time: a call when it was refused, not when it was made. */
const failures = [];
for (const [place, member] of members.entries()) {
  if (member.failed !== null) failures.push([member.failed, `fail:${place}`]);
  member.cases.forEach((test, index) => {
    if (test[2] === "fail" && test[0] !== "lava") failures.push([test[4], `case:${place}:${index}`]);
  });
}
for (const call of story.calls) if (call.ok === false) failures.push([call.until, `call:${call.index}`]);
failures.sort((a, b) => a[0] - b[0]);

/** What a pick is: `{kind, m, from, to, …}`; null when it names nothing. */
function picked(pick) {
  const [kind, first, second] = (pick ?? "").split(":");
  const one = Number(first);
  const two = Number(second);
  switch (kind) {
    case "call": {
      const call = story.calls[one];
      return call && { kind, m: call.m, from: call.at, to: call.until, call };
    }
    case "message": {
      const message = messages[one];
      return message && { kind, m: message.wait.m, from: message.send?.at ?? message.wait.until, to: message.wait.until, message };
    }
    case "barrier": {
      const barrier = story.barriers[one];
      const from = barrier && Math.min(...barrier.calls.map((call) => call.at));
      return barrier && { kind, m: null, from, to: barrier.released ?? end, barrier };
    }
    case "stage": {
      const stage = members[one]?.stages[two];
      return stage && { kind, m: one, from: stage[1], to: stage[2], name: stage[0] };
    }
    case "action": {
      const action = members[one]?.actions[two];
      return action && { kind, m: one, from: action[1], to: action[2], name: action[0], failure: action[4] };
    }
    case "suite": {
      const suite = members[one]?.suites[two];
      return suite && { kind, m: one, from: suite[1], to: suite[2], name: suite[0] };
    }
    case "case": {
      const test = members[one]?.cases[two];
      return test && { kind, m: one, from: test[3] ?? test[4], to: test[4], test };
    }
    case "fail": {
      const member = members[one];
      return member && member.failed !== null ? { kind, m: one, from: member.failed, to: member.failed, failure: member.failure } : null;
    }
    default:
      return null;
  }
}
