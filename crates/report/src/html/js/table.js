// table.js: one sortable table with rows that open, used for allocation sites and goroutine groups.

(function (lg) {
  "use strict";
  const { h } = lg;

  /**
   * columns: {key, label, value(row) to sort by, cell(row) to show, numeric, title,
   *           wide (needs room), minor (left out on a narrow screen)}
   * options: limit   rows shown before "Show all"
   *          sort    key of the column to sort by at first (descending); none keeps the order given
   *          detail  (row) => nodes shown beneath an opened row
   *          id      (row) => a key by which open() finds the row
   *          rowClass(row), onOpen(row), noun ("sites")
   * Returns {element, setRows(rows), setSort(key), open(id)}.
   */
  lg.table = function (caption, columns, rows, options) {
    let shown = rows;
    let sort = options.sort || null;
    let descending = true;
    let all = false;
    const opened = new Set();
    const classOf = (column) => ["numeric", "wide", "minor"].filter((name) => column[name]).join(" ");

    const headRow = h("tr");
    const body = h("tbody");
    const more = h("button", { class: "more", type: "button", on: { click: () => { all = !all; drawBody(); } } });
    const scroller = h("div", { class: "scroller" },
      h("table", { class: options.detail ? "data has-detail" : "data" }, h("caption", { class: "visually-hidden" }, caption), h("thead", null, headRow), body));

    function sorted() {
      const column = columns.find((c) => c.key === sort);
      if (!column) return shown;
      const sign = descending ? -1 : 1;
      return [...shown].sort((a, b) => {
        const x = column.value(a);
        const y = column.value(b);
        if (x === null || x === undefined) return y === null || y === undefined ? 0 : 1; // no value: always last
        if (y === null || y === undefined) return -1;
        return sign * (typeof x === "string" ? x.localeCompare(y) : x - y);
      });
    }

    function drawHead() {
      headRow.replaceChildren(...columns.map((column) => {
        const active = column.key === sort;
        const arrow = active ? (descending ? "\u2193" : "\u2191") : "";
        return h("th", { scope: "col", class: classOf(column),
          "aria-sort": active ? (descending ? "descending" : "ascending") : null },
          h("button", { type: "button", title: column.title, on: { click: () => {
            descending = active ? !descending : Boolean(column.numeric);
            sort = column.key;
            drawHead();
            drawBody();
            headRow.querySelectorAll("button")[columns.indexOf(column)].focus();
          } } }, column.label, h("span", { class: "arrow", "aria-hidden": "true" }, arrow)));
      }));
    }

    function toggle(row) {
      const id = options.id(row);
      if (!opened.delete(id)) {
        opened.add(id);
        if (options.onOpen) options.onOpen(row);
      }
      drawBody();
      const button = body.querySelector('button[data-row="' + CSS.escape(String(id)) + '"]');
      if (button) button.focus({ preventScroll: true });
    }

    function drawRow(row) {
      const id = options.id(row);
      const isOpen = opened.has(id);
      const cells = columns.map((column, i) =>
        h("td", { class: classOf(column) },
          i === 0 && options.detail
            ? h("button", { class: "disclose", type: "button", "data-row": id, "aria-expanded": String(isOpen), "aria-label": "Show the stack" },
              isOpen ? "\u25be" : "\u25b8")
            : null,
          column.cell(row)));
      const tr = h("tr", { class: "row " + (isOpen ? "is-open " : "") + ((options.rowClass && options.rowClass(row)) || ""),
        on: { click: () => { if (options.detail && String(getSelection()) === "") toggle(row); } } }, cells);
      if (!isOpen) return [tr];
      return [tr, h("tr", { class: "detail" }, h("td", { colspan: columns.length }, h("div", { class: "detail-box" }, options.detail(row))))];
    }

    function drawBody() {
      const ordered = sorted();
      const visible = all ? ordered : ordered.slice(0, options.limit);
      body.replaceChildren(...visible.flatMap(drawRow));
      if (visible.length === 0) body.append(h("tr", null, h("td", { colspan: columns.length, class: "quiet" }, "Nothing matches.")));
      more.hidden = ordered.length <= options.limit;
      more.textContent = all ? "Show the first " + options.limit : "Show all " + lg.countText(ordered.length) + " " + options.noun;
    }

    drawHead();
    drawBody();
    return {
      element: h("div", { class: "table" }, scroller, more),
      setRows(next) { shown = next; drawBody(); },
      setSort(key) { sort = key; descending = true; drawHead(); drawBody(); },
      /** Open one row, and bring it into view if `scroll`; false if there is no such row. */
      open(id, scroll) {
        const position = sorted().findIndex((row) => options.id(row) === id);
        if (position < 0) return false;
        if (position >= options.limit) all = true;
        opened.add(id);
        drawBody();
        const button = body.querySelector('button[data-row="' + CSS.escape(String(id)) + '"]');
        if (button && scroll) button.closest("tr").scrollIntoView({ block: "center" });
        return true;
      },
    };
  };
})((globalThis.lastgasp = globalThis.lastgasp || {}));
