"use strict";
// What every page has: the theme, what marks tell, and walking over a plot's marks with the keyboard.
(() => {
  const root = document.documentElement, byId = (id) => document.getElementById(id);
  const tip = byId("tip"), theme = byId("theme");
  root.classList.add("js");

  // What a mark is: the name of the row that it belongs to, and the words that it carries.
  const told = (mark) => {
    const row = mark.dataset.o && byId(`o${mark.dataset.o}`);
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
    const mark = event.target.closest?.("svg a")?.querySelector(".m[data-d]");
    if (mark) { const box = mark.getBoundingClientRect(); tell(mark, box.left, box.bottom); } else hush();
  });
  document.addEventListener("scroll", hush, { passive: true });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hush(); });

  // One stop of the tab key a plot: arrows walk over its marks from left to right, Enter is a click on one.
  for (const walk of document.querySelectorAll(".walk")) {
    const own = [...walk.querySelectorAll(".m[data-t]")];
    const left = (mark) => parseFloat(mark.getAttribute("cx") ?? mark.getAttribute("x"));
    own.sort((a, b) => left(a) - left(b));
    let place = -1;
    walk.tabIndex = 0;
    walk.setAttribute("role", "group");
    walk.setAttribute("aria-label", `${walk.dataset.name}. Arrow keys walk over it, Enter selects.`);
    const leave = () => { own[place]?.classList.remove("here"); hush(); };
    walk.addEventListener("blur", leave);
    walk.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Enter" && own[place]) own[place].dispatchEvent(new MouseEvent("click", { bubbles: true }));
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

  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
  const name = () => { theme.textContent = dark() ? "Light" : "Dark"; theme.setAttribute("aria-label", `${theme.textContent} theme`); };
  theme.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; name(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
  name();
})();
