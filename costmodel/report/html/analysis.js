"use strict";
// The table of a page (#table): sorting, searching, and the marks of plots that select its rows by their tokens.
// data-rows says what its rows are; a column with data-u is added up: "" counts, "ms" times, after "±" differences.
(() => {
  const root = document.documentElement, byId = (id) => document.getElementById(id);
  const table = byId("table");
  if (!table) return;
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells], noun = table.dataset.rows || "operators";
  const rows = [...body.rows], marks = [...document.querySelectorAll(".m[data-t]")];
  const search = byId("search"), bar = byId("bar");
  const tokens = new Map(rows.map((row) => [row, new Set([row.id, ...(row.dataset.s || "").split(" ")])]));
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));

  // Numbers as people read them, as in the table.
  const short = (value) => {
    const units = ["", " k", " M", " G", " T", " P", " E"], sign = value < 0 ? "-" : "";
    let place = 0, size = Math.abs(value);
    while (size >= 999.95 && place < units.length - 1) { size /= 1000; place += 1; }
    return sign + (place ? size.toPrecision(3) : String(size)) + units[place];
  };
  const value = (cell) => {
    const text = cell.dataset.v ?? cell.textContent, number = Number(text);
    return text === "" || Number.isNaN(number) ? text.toLowerCase() : number;
  };

  // A token of a mark in the address selects rows: the back button, and links that people send, work.
  // Links to sections leave the selection as it is.
  let current = "";
  const alone = /^[od]\d+$/;  // o12: the row itself, which the browser scrolls to; d12: the same, which it does not
  const chosen = () => {
    const token = location.hash.slice(1);
    if (token.length < 2 || rows.some((row) => tokens.get(row).has(token))) current = token.length < 2 ? "" : token;
    return current;
  };
  const sums = (shown) => heads.map((head, place) => {
    const unit = head.dataset.u;
    if (unit === undefined) return "";
    const total = (some) => some.reduce((sum, row) => sum + Number(value(row.cells[place]) || 0), 0);
    const part = total(shown), whole = total(rows), differs = unit.startsWith("±"), plus = differs && part > 0 ? "+" : "";
    const share = whole && !differs ? ` (${(100 * part / whole).toFixed(1)} %)` : "", name = head.textContent;
    if (!unit.endsWith("ms")) return `${plus}${short(part)} ${name}`;
    return `${name.replace(/ ms$/, "")} ${plus}${part.toPrecision(3)} ms${share}`;
  }).filter(Boolean).join(", ");

  const update = () => {
    const token = chosen(), words = search.value.toLowerCase().split(/\s+/).filter(Boolean), on = new Set();
    const single = alone.test(token);  // one row's own token keeps the others in sight
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
    const added = sums(shown);
    byId("chosen").textContent = bar.hidden ? "" : `${shown.length} of ${rows.length} ${noun}${added ? `: ${added}` : ""}`;
  };
  // Marks of the plot that was clicked share the letters of their tokens: of these only the clicked one is on.
  const letters = (token) => token.replace(/(\D)\d+$/, "$1");
  const sameKind = (mark, token) => letters(mark.dataset.t) === letters(token);
  const select = (token) => { location.hash = token === chosen() ? "-" : token; update(); };
  const clear = () => { search.value = ""; location.hash = "-"; update(); };

  document.addEventListener("click", (event) => {
    const mark = event.target.closest?.(".m[data-t]");
    if (!mark || (!mark.closest("a") && !mark.closest(".walk"))) return;
    event.preventDefault();
    select(mark.dataset.t);
  });

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

  search.addEventListener("input", update);
  byId("clear").addEventListener("click", clear);
  byId("show").addEventListener("click", () => {
    const row = alone.test(chosen()) && rows.find((one) => tokens.get(one).has(chosen()) && !one.hidden);
    row ? row.scrollIntoView({ block: "center" }) : table.closest("section").scrollIntoView();
  });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") clear(); });
  addEventListener("hashchange", update);
  update();
})();
