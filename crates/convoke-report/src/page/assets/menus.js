// Which members and which levels are shown.

const LEVEL_GROUPS = [["console", "tnf", "Console and input"], ["signals", "p", "Signals of the test shell"], ["results", "r", "Results"], ["errors", "ex", "Errors"], ["warnings", "w", "Warnings"], ["info", "iv", "Info"], ["debug", "d", "Debug"]];

function startMenus() {
  startMembers();
  startLevels();
  document.addEventListener("pointerdown", (event) => {
    for (const menu of document.querySelectorAll(".menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll(".menu[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
      event.stopPropagation();
    }
  }, true);
}

function choice(text, isOn, count, flip) {
  const input = make("input", { type: "checkbox", checked: isOn });
  input.addEventListener("change", () => flip(input.checked));
  const label = make("label", {}, input, text, count === null ? "" : make("span", { className: "n", textContent: count.toLocaleString("en") }));
  return [label, input];
}

function startMembers() {
  const box = byId("pick-members").querySelector(".choices");
  const counts = members.map(() => 0);
  for (const member of log.members) if (member !== null) counts[member] += 1;
  const roles = new Map();
  members.forEach((member, place) => {
    const role = member.role || "members";
    if (!roles.has(role)) roles.set(role, []);
    roles.get(role).push(place);
  });
  const inputs = [];
  const update = () => {
    for (const refresh of inputs) refresh();
    const shown = members.length - state.hidden.size;
    byId("pick-members").querySelector("b").textContent = state.hidden.size ? `${shown} of ${members.length}` : "";
    filterLog();
    changed("layout");
  };
  const set = (places, isOn) => {
    for (const place of places) isOn ? state.hidden.delete(place) : state.hidden.add(place);
    update();
  };
  const every = members.map((_, place) => place);
  const button = (text, work) => {
    const made = make("button", { type: "button", textContent: text });
    made.addEventListener("click", work);
    return made;
  };
  box.append(make("div", { className: "buttons" }, button("All", () => set(every, true)), button("None", () => set(every, false)),
    button("Failed", () => {
      state.hidden = new Set(every.filter((place) => members[place].health === "Complete" && !members[place].fails));
      update();
    })));
  for (const [role, places] of roles) {
    if (places.length > 1) {
      const [label, input] = choice(role, true, null, (isOn) => set(places, isOn));
      label.className = "role";
      box.append(label);
      inputs.push(() => {
        const on = places.filter((place) => !state.hidden.has(place)).length;
        input.checked = on > 0;
        input.indeterminate = on > 0 && on < places.length;
      });
    }
    for (const place of places) {
      const [label, input] = choice(members[place].label, true, counts[place], (isOn) => set([place], isOn));
      if (places.length > 1) label.className = "of-role";
      box.append(label);
      inputs.push(() => { input.checked = !state.hidden.has(place); });
    }
  }
}

function startLevels() {
  const box = byId("pick-levels").querySelector(".choices");
  const counts = {};
  for (const level of log.levels) counts[level] = (counts[level] ?? 0) + 1;
  for (const [, letters, text] of LEVEL_GROUPS) {
    const count = [...letters].reduce((sum, letter) => sum + (counts[letter] ?? 0), 0);
    const [label] = choice(text, true, count, (isOn) => {
      for (const letter of letters) isOn ? state.levels.add(letter) : state.levels.delete(letter);
      const off = LEVEL_GROUPS.filter(([, some]) => !state.levels.has(some[0])).length;
      byId("pick-levels").querySelector("b").textContent = off ? `${LEVEL_GROUPS.length - off} of ${LEVEL_GROUPS.length}` : "";
      filterLog();
    });
    box.append(label);
  }
}
