"use strict";
(() => {
  const root = document.documentElement, byId = (id) => document.getElementById(id);
  const table = byId("table"), body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const rows = [...body.rows], marks = [...document.querySelectorAll(".m[data-t]")];
  const search = byId("search"), tip = byId("tip"), bar = byId("bar"), theme = byId("theme");
  const tokens = new Map(rows.map((row) => [row, new Set([row.id, ...(row.dataset.s || "").split(" ")])]));
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  root.classList.add("js");

  // Numbers as people read them, as in the table.
  const short = (value) => {
    const units = ["", " k", " M", " G", " T", " P", " E"];
    let place = 0;
    while (value >= 999.95 && place < units.length - 1) { value /= 1000; place += 1; }
    return (place ? value.toPrecision(3) : String(value)) + units[place];
  };
  const value = (cell) => {
    const text = cell.dataset.v ?? cell.textContent, number = Number(text);
    return text === "" || Number.isNaN(number) ? text.toLowerCase() : number;
  };

  // A token of a mark in the address selects rows: the back button, and links that people send, work.
  // Links to sections leave the selection as it is.
  let current = "";
  const chosen = () => {
    const token = location.hash.slice(1);
    if (token.length < 2 || rows.some((row) => tokens.get(row).has(token))) current = token.length < 2 ? "" : token;
    return current;
  };
  const sums = (shown) => heads.map((head, place) => {
    if (head.dataset.u === undefined) return "";
    const total = (some) => some.reduce((sum, row) => sum + Number(value(row.cells[place]) || 0), 0);
    const part = total(shown), whole = total(rows), share = whole ? ` (${(100 * part / whole).toFixed(1)} %)` : "";
    const name = head.textContent;
    return head.dataset.u ? `${name.replace(/ ms$/, "")} ${part.toPrecision(3)} ms${share}` : `${short(part)} ${name}`;
  }).filter(Boolean).join(", ");

  const update = () => {
    const token = chosen(), words = search.value.toLowerCase().split(/\s+/).filter(Boolean), on = new Set();
    const single = /^o\d+$/.test(token);  // a row's own link keeps the others in sight
    const shown = rows.filter((row) => {
      const selected = !token || tokens.get(row).has(token);
      if (token && selected) tokens.get(row).forEach((one) => on.add(one));
      const kept = words.every((word) => texts.get(row).includes(word));
      row.hidden = !(kept && (selected || single));
      return kept && selected;
    });
    for (const mark of marks) mark.classList.toggle("on", mark.dataset.t === token || ((single || !sameKind(mark, token)) && on.has(mark.dataset.t)));
    root.classList.toggle("selecting", Boolean(token));
    bar.hidden = !token && !words.length;
    byId("chosen").textContent = bar.hidden ? "" : `${shown.length} of ${rows.length} operators: ${sums(shown)}`;
  };
  // Marks of the plot that was clicked share the letters of their tokens: of these only the clicked one is on.
  const letters = (token) => token.replace(/(\D)\d+$/, "$1");
  const sameKind = (mark, token) => letters(mark.dataset.t) === letters(token);
  const select = (token) => { location.hash = token === chosen() ? "-" : token; update(); };
  const clear = () => { search.value = ""; location.hash = "-"; update(); };

  // What a mark is: its main operator's name, and the words that it carries.
  const told = (mark) => {
    const row = byId(`o${mark.dataset.o}`);
    return [row && row.querySelector("th").textContent, mark.dataset.d].filter(Boolean).join(": ");
  };
  const tell = (mark, x, y) => {
    tip.textContent = told(mark);
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(x + 12, innerWidth - box.width - 8))}px`;
    tip.style.top = `${y + box.height + 24 > innerHeight ? y - box.height - 12 : y + 16}px`;
  };
  const hush = () => { tip.hidden = true; };
  document.addEventListener("pointermove", (event) => {
    const mark = event.target.closest?.(".m[data-d]");
    mark ? tell(mark, event.clientX, event.clientY) : hush();
  });
  document.addEventListener("focusin", (event) => {
    const mark = event.target.closest?.("svg a")?.querySelector(".m");
    if (mark) { const box = mark.getBoundingClientRect(); tell(mark, box.left, box.bottom); } else hush();
  });
  document.addEventListener("scroll", hush, { passive: true });
  document.addEventListener("click", (event) => {
    const mark = event.target.closest?.(".m[data-t]");
    if (!mark || (!mark.closest("a") && !mark.closest(".walk"))) return;
    event.preventDefault();
    select(mark.dataset.t);
  });

  // One stop of the tab key a plot: arrows walk over its marks from left to right, Enter selects.
  for (const walk of document.querySelectorAll(".walk")) {
    const own = [...walk.querySelectorAll(".m[data-t]")];
    const left = (mark) => parseFloat(mark.getAttribute("cx") ?? mark.getAttribute("x"));
    own.sort((a, b) => left(a) - left(b));
    let place = -1;
    walk.tabIndex = 0;
    walk.setAttribute("role", "group");
    walk.setAttribute("aria-label", `${walk.dataset.name}. Arrow keys walk over it, Enter selects operators.`);
    const leave = () => { own[place]?.classList.remove("here"); hush(); };
    walk.addEventListener("blur", leave);
    walk.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Enter" && own[place]) select(own[place].dataset.t);
      if (!own.length || !(step || event.key === "Home" || event.key === "End")) return;
      event.preventDefault();
      leave();
      if (event.key === "Home") place = 0;
      else if (event.key === "End") place = own.length - 1;
      else place = Math.max(0, Math.min(own.length - 1, place + step));
      own[place].classList.add("here");
      const box = own[place].getBoundingClientRect();
      tell(own[place], box.left, box.bottom);
    });
  }

  heads.forEach((head, place) => head.querySelector("button").addEventListener("click", () => {
    const first = rows[0] && typeof value(rows[0].cells[place]) === "number" && place ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const order = head.getAttribute("aria-sort") === first ? other : first, sign = order === "ascending" ? 1 : -1;
    heads.forEach((one) => one.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", order);
    const keys = new Map(rows.map((row) => [row, value(row.cells[place])]));
    const compare = (a, b) => (typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? -1 : 1);
    body.append(...[...rows].sort((a, b) => sign * compare(keys.get(a), keys.get(b))));
  }));

  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
  const name = () => { theme.textContent = dark() ? "Light" : "Dark"; theme.setAttribute("aria-label", `${theme.textContent} theme`); };
  theme.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; name(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
  name();

  search.addEventListener("input", update);
  byId("clear").addEventListener("click", clear);
  byId("show").addEventListener("click", () => byId("operators").scrollIntoView());
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") clear(); });
  addEventListener("hashchange", update);
  update();
})();
