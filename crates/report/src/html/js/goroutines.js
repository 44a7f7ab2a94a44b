// goroutines.js: how many, in which state, and the groups that share a stack.

(function (lg) {
  "use strict";
  const { h, num, str, list, obj } = lg;

  lg.renderGoroutines = function (report) {
    const goroutines = obj(report.goroutines);
    const states = list(goroutines.by_state).filter((s) => str(s.state) && num(s.count) > 0).sort((a, b) => b.count - a.count);
    const groups = list(goroutines.groups).map((group, index) => ({ ...group, index }));
    if (states.length === 0 && groups.length === 0 && num(goroutines.total) === null) return null;

    const inSite = groups.some((g) => g.in_site === true);
    const site = lg.verdictSite(report);
    const most = Math.max(1, ...groups.map((g) => num(g.count) || 0));
    const topFrame = (g) => obj(list(g.stack)[0]);

    const columns = [
      { key: "count", label: "Count", numeric: true, value: (g) => num(g.count),
        cell: (g) => h("span", { class: "cell-bar", vars: { "--fill": (num(g.count) || 0) / most } }, lg.countText(g.count)) },
      { key: "state", label: "State", value: (g) => str(g.state) || "", cell: (g) => [str(g.state) || "\u2013",
        str(g.wait_reason) && g.wait_reason !== g.state ? h("small", { class: "quiet block" }, g.wait_reason) : null] },
      { key: "top", label: "Top frame", wide: true, value: (g) => str(topFrame(g).function) || "", cell: (g) => h("span", { class: "site" },
        h("code", { class: "fn", title: topFrame(g).function }, lg.shortFunction(topFrame(g).function)),
        lg.placeText(topFrame(g)) ? h("code", { class: "place" }, lg.placeText(topFrame(g))) : null,
        g.in_site === true ? h("span", { class: "tag" }, "in the site") : null,
        g.approximate === true ? h("span", { class: "tag tag-plain", title: "The registers of a running goroutine were not to be had; its stack was reconstructed." }, "approximate") : null) },
      { key: "created", label: "Created by", wide: true, minor: true, value: (g) => createdBy(g) || "", cell: (g) => h("code", { class: "place" }, createdBy(g) || "\u2013") },
    ];

    /** `created_by` is a function name, or a frame like those of a stack. */
    function createdBy(g) {
      return str(g.created_by) || str(obj(g.created_by).function);
    }

    const table = groups.length === 0 ? null : lg.table("Goroutine groups", columns, groups, {
      limit: 12, sort: "count", noun: "groups", id: (g) => g.index,
      rowClass: (g) => (g.in_site === true ? "is-guilty" : ""),
      detail: (g) => [lg.stack(g.stack), createdBy(g) ? h("p", { class: "quiet" }, "created by ", h("code", null, createdBy(g)),
        lg.placeText(obj(g.created_by)) ? [" at ", h("code", null, lg.placeText(obj(g.created_by)))] : null) : null],
    });

    const toggle = !inSite || groups.length < 2 ? null : h("label", { class: "check" },
      h("input", { type: "checkbox", on: { change: (e) => table.setRows(e.target.checked ? groups.filter((g) => g.in_site === true) : groups) } }),
      "only those inside ", site ? h("code", null, lg.shortFunction(site.function)) : "the verdict\u2019s site");

    const counted = states.reduce((sum, s) => sum + s.count, 0);
    return lg.section("goroutines", "Goroutines",
      [lg.countText(goroutines.total), " in all",
        num(goroutines.running) === null ? null : ", " + lg.countText(goroutines.running) + " running",
        num(goroutines.in_site) > 0 ? ", " + lg.countText(goroutines.in_site) + " with the verdict\u2019s function on their stack" : null, "."],
      h("div", { class: "panel" },
        states.length === 0 ? null : h("div", { class: "strip", "aria-hidden": "true" }, states.map((s, i) =>
          h("i", { class: "series-" + (i % 8), title: s.state + ": " + lg.countText(s.count), vars: { "flex-grow": s.count } }))),
        h("div", { class: "bar" },
          states.length === 0 ? h("span") : h("ul", { class: "legend" }, states.map((s, i) =>
            h("li", null, h("i", { class: "box series-" + (i % 8) }), s.state, " ", h("b", null, lg.countText(s.count)),
              lg.percentText(s.count, counted) ? h("span", { class: "quiet" }, " " + lg.percentText(s.count, counted)) : null))),
          toggle),
        table && table.element));
  };
})((globalThis.lastgasp = globalThis.lastgasp || {}));
