"use strict";
// The page of a search: the design whose row is selected stands in the panel (#design), drawn from the page's data.
(() => {
  const byId = (id) => document.getElementById(id);
  const records = JSON.parse(byId("data").textContent), panel = byId("design"), limits = byId("limits");
  const slots = [...panel.querySelectorAll(".slot")], plots = [...document.querySelectorAll("#front .plot")];
  const [unit, gap] = [7, 2];  // pixels of a unit's height, and between two, as in stages.py
  let chosen = 1;

  const made = (name, attributes, ...contents) => {
    const drawn = ["svg", "rect"].includes(name);
    const element = drawn ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...contents);
    return element;
  };
  const bars = (first, other, count, widest) => {
    const rects = [];
    for (let row = 0; row < count; row += 1) {
      let start = 0;
      for (const [part, channels] of row ? other : first) {
        rects.push(made("rect", { class: part, x: start, y: row * (unit + gap), width: channels, height: unit }));
        start += channels;
      }
    }
    const height = count * (unit + gap) - gap;
    const box = { viewBox: `0 0 ${widest} ${height}`, height, preserveAspectRatio: "none", "aria-hidden": "true" };
    return made("svg", box, ...rects);
  };
  const sum = (bar) => bar.reduce((total, [, channels]) => total + channels, 0);
  const drawing = (pieces) => {
    const widest = Math.max(...pieces.map((piece) => sum(piece[3])));
    return pieces.map(([name, size, said, first, other, count]) => made("li", {},
      made("p", {}, made("b", {}, name), " ", made("span", { class: "muted" }, size)),
      made("p", { class: "muted" }, said), bars(first, other, count, widest)));
  };

  // A ring in every plot around the design, on whatever platform its point belongs to.
  const ring = (number) => {
    for (const plot of plots) {
      const circle = plot.querySelector(".ring"), places = records[number - 1].places[plots.indexOf(plot)];
      circle.setAttribute("cx", places[0]);
      circle.setAttribute("cy", places[1]);
    }
  };
  const show = (number) => {
    const record = records[number - 1];
    chosen = number;
    slots.forEach((slot, place) => { slot.textContent = record.slots[place]; });
    if (limits) limits.className = record.exceeds ? "exceeded" : "kept";
    panel.querySelector(".pieces").replaceChildren(...drawing(record.pieces));
    panel.scrollTop = 0;
    ring(number);
    document.querySelector("tr.chosen")?.classList.remove("chosen");
    byId(`o${number}`).classList.add("chosen");
  };
  const look = document.createElement("button");
  look.type = "button";
  look.textContent = "Show design";
  byId("bar").insertBefore(look, byId("show"));
  look.addEventListener("click", () => panel.scrollIntoView({ block: "start" }));
  const follow = () => {
    const token = location.hash.slice(1), single = /^[od](\d+)$/.exec(token);
    if (single && records[single[1] - 1]) show(Number(single[1]));
    else if (token.length < 2) show(1);
    look.hidden = !single;
    if (single && !byId("bar").hidden) byId("chosen").textContent = records[chosen - 1].slots.slice(0, 2).join(": ");
  };

  // Fingers are wider than points: a touch between them takes the nearest.
  for (const plot of plots) plot.addEventListener("click", (event) => {
    if (event.target.closest(".m")) return;
    let nearest = null, least = 24;
    for (const mark of plot.querySelectorAll(".m[data-t]")) {
      const box = mark.getBoundingClientRect();
      const away = Math.hypot(event.clientX - box.x - box.width / 2, event.clientY - box.y - box.height / 2);
      if (away < least) [nearest, least] = [mark, away];
    }
    if (nearest) nearest.dispatchEvent(new MouseEvent("click", { bubbles: true }));
  });

  const select = (element) => {
    const range = document.createRange();
    range.selectNodeContents(element);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
  };
  for (const button of document.querySelectorAll(".copy")) button.addEventListener("click", async () => {
    const code = button.parentElement.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      select(code);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  byId("save").addEventListener("click", () => {
    const text = `${JSON.stringify(records[chosen - 1].file, null, 1)}\n`;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = "design.json";
    link.click();
    URL.revokeObjectURL(link.href);
  });
  addEventListener("hashchange", follow);
  show(1);
  follow();
})();
