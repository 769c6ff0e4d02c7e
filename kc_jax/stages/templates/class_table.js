"use strict";
// Sorts, searches and pages the rows that the page carries. The document holds one page of them.
(() => {
  const PAGE = 50;
  const { columns } = JSON.parse(document.getElementById("rows").textContent);
  const count = columns[0].values.length;
  const find = (id) => document.getElementById(id);
  const search = find("search"), vertical = find("vertical"), table = find("classes");
  const headers = [...table.querySelectorAll("thead th")];
  const isNumber = (column) => column.kind === "count" || column.kind === "percent";
  let order = [...Array(count).keys()];  // All rows, as sorted.
  let matches = order;  // Those that are searched for.
  let start = 0;

  function shown(column, row) {
    const value = column.values[row];
    if (value === null) return "–";
    if (column.kind === "choice") return column.options[value];
    if (column.kind === "count") return value.toLocaleString("en-US");
    return column.kind === "percent" ? (value / 10).toFixed(1) : value;
  }

  // What rows are compared by: numbers, or text in lower case.
  function keys(column) {
    if (!isNumber(column) && !column.keys) {
      column.keys = column.values.map((_, row) => shown(column, row).toLowerCase());
    }
    return column.keys ?? column.values;
  }

  function sort(index) {
    const before = headers[index].getAttribute("aria-sort");
    const rises = before === "none" ? !isNumber(columns[index]) : before === "descending";
    const values = keys(columns[index]), sign = rises ? 1 : -1;
    order = [...Array(count).keys()].sort((a, b) => {
      const x = values[a], y = values[b];
      if (x === y) return a - b;
      if (x === null) return 1;  // Classes that were not judged come last either way.
      if (y === null) return -1;
      return x < y ? -sign : sign;
    });
    headers.forEach((header) => header.setAttribute("aria-sort", "none"));
    headers[index].setAttribute("aria-sort", rises ? "ascending" : "descending");
    filter();
  }

  function filter() {
    const words = search.value.toLowerCase();
    const texts = columns.filter((column) => column.kind === "text").map(keys);
    const chosen = vertical && vertical.selectedIndex > 0 ? vertical.selectedIndex - 1 : null;
    const verticals = columns.find((column) => column.kind === "choice");
    matches = order.filter((row) =>
      (chosen === null || verticals.values[row] === chosen) &&
      (!words || texts.some((text) => text[row].includes(words))));
    show(0);
  }

  function show(first) {
    start = Math.max(0, Math.min(first, PAGE * Math.floor((matches.length - 1) / PAGE)));
    const rows = matches.slice(start, start + PAGE);
    table.tBodies[0].replaceChildren(...rows.map((row) => {
      const line = document.createElement("tr");
      columns.forEach((column, index) => {
        const cell = document.createElement(index ? "td" : "th");
        if (!index) cell.scope = "row";
        if (!isNumber(column)) cell.className = "text";
        cell.textContent = shown(column, row);
        line.append(cell);
      });
      return line;
    }));
    const number = (value) => value.toLocaleString("en-US");
    find("shown").textContent = matches.length
      ? `${number(start + 1)}–${number(start + rows.length)} of ${number(matches.length)}` : "none";
    find("first").disabled = find("previous").disabled = start === 0;
    find("next").disabled = find("last").disabled = start + PAGE >= matches.length;
  }

  function save() {
    const quote = (text) => `"${text.replaceAll('"', '""')}"`;
    const unit = (column) => (column.kind === "percent" ? " AP (%)" : "");
    const value = (column, row) => {
      if (column.values[row] === null) return "";
      return column.kind === "count" ? column.values[row] : quote(shown(column, row));
    };
    const lines = [columns.map((column) => quote(column.title + unit(column))),
      ...matches.map((row) => columns.map((column) => value(column, row)))];
    const link = document.createElement("a");
    const blob = new Blob(lines.map((line) => `${line.join(",")}\n`), { type: "text/csv" });
    link.href = URL.createObjectURL(blob);
    link.download = "classes.csv";
    link.click();
    URL.revokeObjectURL(link.href);
  }

  headers.forEach((header, index) => {
    header.firstElementChild.addEventListener("click", () => sort(index));
  });
  search.addEventListener("input", filter);
  vertical?.addEventListener("change", filter);
  find("save").addEventListener("click", save);
  find("first").addEventListener("click", () => show(0));
  find("previous").addEventListener("click", () => show(start - PAGE));
  find("next").addEventListener("click", () => show(start + PAGE));
  find("last").addEventListener("click", () => show(matches.length));
  show(0);
})();
