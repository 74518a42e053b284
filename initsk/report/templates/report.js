"use strict";
// Sorting and choosing. Without JavaScript, the page shows every table and picture.

function sortBy(table, heading, column) {
  const down = heading.getAttribute("aria-sort") === "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", down ? "descending" : "ascending");
  const value = (row) => row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
  const compare = (first, second) => {
    const [a, b] = [value(first), value(second)];
    const [x, y] = [Number(a.replace("inf", "Infinity")), Number(b.replace("inf", "Infinity"))];
    const missing = (number, text) => Number.isNaN(number) && (text === "nan" || text === "None" || text === "-");
    // Missing values stay last.
    if (missing(x, a) || missing(y, b)) return missing(x, a) - missing(y, b);
    const order = Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, undefined, { numeric: true }) : x - y || 0;
    return down ? -order : order;
  };
  table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
}

function makeSortable(table) {
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sortBy(table, heading, column));
    heading.append(button);
  });
}

// Shows one panel of a picture, or all of them.
function zoom(figure, part) {
  const svg = figure.querySelector("svg");
  const whole = (svg.dataset.whole ??= [svg.getAttribute("viewBox"), svg.getAttribute("width"), svg.getAttribute("height"), svg.style.minWidth].join("|"));
  const [box, width, height, minWidth] = whole.split("|");
  const chosen = part === "" ? null : JSON.parse(figure.dataset.boxes)[Number(part)];
  svg.setAttribute("viewBox", chosen ? chosen.join(" ") : box);
  svg.setAttribute("width", chosen ? `${1.7 * chosen[2]}pt` : width);
  svg.setAttribute("height", chosen ? `${1.7 * chosen[3]}pt` : height);
  svg.style.minWidth = chosen ? "0" : minWidth;
}

function wire(form) {
  const section = form.closest("section");
  const [subject, part, stage] = ["subject", "part", "stage"].map((name) => form.elements.namedItem(name));
  const names = stage ? JSON.parse(stage.dataset.names) : [];
  const show = () => {
    for (const item of section.querySelectorAll(".subsection")) {
      item.hidden = Boolean(subject && subject.value && item.dataset.subject !== subject.value);
    }
    for (const figure of section.querySelectorAll("figure[data-stage]")) {
      figure.hidden = figure.dataset.stage !== names[stage.value];
    }
    for (const figure of part ? section.querySelectorAll("figure") : []) zoom(figure, part.value);
    if (stage) {
      form.querySelector("output").value = names[stage.value];
      stage.setAttribute("aria-valuetext", names[stage.value]);
    }
  };
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const button of form.querySelectorAll("button")) {
    button.addEventListener("click", () => { stage.value = button.value; show(); });
  }
  form.hidden = false;
  show();
}

// Only boxes that scroll can have the keyboard's focus.
function updateFocus() {
  for (const box of document.querySelectorAll(".scroll")) box.tabIndex = box.scrollWidth > box.clientWidth ? 0 : -1;
}

for (const table of document.querySelectorAll("table")) makeSortable(table);
for (const form of document.querySelectorAll(".controls")) wire(form);
window.addEventListener("resize", updateFocus);
updateFocus();
