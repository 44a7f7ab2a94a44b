// ledger.js: where the memory is. Every byte of RSS in a named bucket or in "unknown"; limits that were not set; the state of the GC.

(function (lg) {
  "use strict";
  const { h, num, str, list, obj } = lg;

  function ledger(report) {
    const memory = obj(report.memory);
    const rss = num(memory.rss_bytes);
    const usage = num(memory.usage_bytes);
    const buckets = list(memory.buckets).filter((b) => str(b.name));
    if (buckets.length === 0 && rss === null && usage === null) return null;

    const isUnknown = (b) => b.name === "unknown";
    const look = (b, i) => (isUnknown(b) ? "series-unknown" : "series-" + (i % 8));
    const named = buckets.reduce((sum, b) => sum + Math.max(0, num(b.bytes) || 0), 0);
    const unknown = buckets.find(isUnknown);
    const scale = Math.max(named, rss || 0, 1);

    // Pointing at a segment marks its row, and the other way round.
    const rows = [];
    const segments = [];
    const mark = (i, on) => [rows[i], segments[i]].forEach((e) => e && e.classList.toggle("is-marked", on));
    const marking = (i) => ({ pointerenter: () => mark(i, true), pointerleave: () => { mark(i, false); lg.hideTip(); } });

    buckets.forEach((b, i) => {
      const bytes = num(b.bytes);
      const part = lg.percentText(bytes, rss || named);
      segments[i] = bytes > 0 ? h("i", { class: look(b, i), vars: { width: (100 * bytes) / scale + "%" }, on: { ...marking(i),
        pointermove: (e) => lg.showTip(e.clientX, e.clientY, h("strong", null, b.name), h("p", null, lg.bytesText(bytes), part ? ", " + part + " of RSS" : null), str(b.what) ? h("p", { class: "quiet" }, b.what) : null) } }) : null;
      rows[i] = h("tr", { class: isUnknown(b) ? "is-unknown" : null, on: marking(i) },
        h("th", { scope: "row" }, h("i", { class: "box " + look(b, i) }), b.name),
        h("td", { class: "numeric" }, lg.bytes(bytes)),
        h("td", { class: "numeric quiet" }, part || "\u2013"),
        h("td", null, lg.badge(b.source)),
        h("td", { class: "what" }, str(b.what), isUnknown(b) && bytes < 0 ? h("b", null, " Negative: the named buckets overlap by " + lg.bytesText(-bytes) + ".") : null));
    });
    if (buckets.length > 0 && !unknown) {
      rows.push(h("tr", { class: "is-unknown" }, h("th", { scope: "row" }, h("i", { class: "box series-unknown" }), "unknown"),
        h("td", { class: "numeric" }, "\u2013"), h("td"), h("td"), h("td", { class: "what" }, "This report does not say what was left over.")));
    }

    return h("div", { class: "panel" },
      lg.pairs([["RSS", rss === null ? null : lg.bytes(rss)], ["Charged to the cgroup", usage === null ? null : lg.bytes(usage)],
        ["Limit", num(obj(report.target).limit_bytes) === null ? null : h("span", { title: str(obj(report.target).limit_source) }, lg.limitText(report.target.limit_bytes))],
        ["As of", num(memory.as_of_ms) === null ? null : lg.secondsText(memory.as_of_ms / 1000) + " on the watch clock"]]),
      buckets.length === 0 ? null : [
        h("div", { class: "ledger-bar", role: "img", "aria-label": "RSS by bucket; the table below has the figures" }, segments,
          rss !== null && named > rss * 1.002 ? h("b", { class: "rss-mark", vars: { left: (100 * rss) / scale + "%" } }, h("span", null, "RSS")) : null),
        h("div", { class: "scroller" }, h("table", { class: "data ledger" }, h("caption", { class: "visually-hidden" }, "RSS by bucket"),
          h("thead", null, h("tr", null, ["Bucket", "Bytes", "Of RSS", "Source", "What it is"].map((label, i) =>
            h("th", { scope: "col", class: i === 1 || i === 2 ? "numeric" : null }, label)))),
          h("tbody", null, rows))),
      ]);
  }

  // Rows of {name, bytes, source, what}.
  function table(id, title, total, rows) {
    return h("section", { class: "panel", "aria-labelledby": id },
      h("h3", { id }, title, total === null ? null : [": ", lg.bytes(total)]),
      h("div", { class: "scroller" }, h("table", { class: "data ledger" }, h("tbody", null, rows.map((r) => h("tr", null,
        h("th", { scope: "row" }, r.name), h("td", { class: "numeric" }, lg.bytes(r.bytes)), h("td", null, lg.badge(r.source)), h("td", { class: "what" }, r.what)))))));
  }

  function charge(report) {
    const c = obj(obj(report.memory).charge);
    const rows = list(c.buckets).filter((b) => str(b.name) && num(b.bytes) !== 0);
    return rows.length === 0 ? null : table("charge", "Charged to the cgroup", num(c.usage_bytes), rows);
  }

  function neighbours(report) {
    const others = list(obj(report.neighbours).others).filter((o) => str(o.name));
    const rows = others.map((o) => ({ name: (num(o.processes) || 1) + " \u00d7 " + o.name, bytes: num(o.rss_bytes), source: "exact",
      what: [list(o.pids).filter((p) => num(p) !== null).map((p) => "pid " + p).join(", "), num(o.children) > 0 ? o.children + " started by the target" : null].filter(Boolean).join("; ") }));
    return rows.length === 0 ? null : table("neighbours", "Others under the same limit", num(obj(report.neighbours).rss_bytes), rows);
  }

  function heap(report) {
    const source = str(obj(report.heap).source);
    const of = (o) => (o.pointers === false ? "without pointers" : "with pointers");
    const small = list(obj(report.heap).classes).map((c) => ({ bytes: num(c.object_bytes) || 0, name: lg.countText(c.objects) + " objects of up to " + lg.bytesText(c.size_bytes), what: of(c) }));
    const large = list(obj(report.heap).large).map((l) => ({ bytes: num(l.total_bytes) || 0, name: lg.countText(l.count) + (l.count === 1 ? " object of " : " objects of ") + lg.bytesText(l.size_bytes), what: str(l.element_type) || of(l) }));
    const rows = small.concat(large).filter((r) => r.bytes > 0).sort((a, b) => b.bytes - a.bytes).slice(0, 10).map((r) => ({ ...r, source }));
    return rows.length === 0 ? null : table("heap", "Heap objects, exact by size", num(obj(report.heap).object_bytes), rows);
  }

  function whatIf(report) {
    const rows = list(report.limit_what_if).filter((r) => num(r.limit_bytes) !== null);
    if (rows.length === 0) return null;
    const most = Math.max(1e-9, ...rows.map((r) => Math.max(num(r.high_seconds) || 0, num(r.buys_seconds) || 0)));
    return h("section", { class: "panel", "aria-labelledby": "what-if" },
      h("h3", { id: "what-if" }, "If the limit were higher"),
      h("table", { class: "whatif" }, h("thead", { class: "visually-hidden" }, h("tr", null, ["Limit", "Buys", "Range"].map((t) => h("th", { scope: "col" }, t)))),
        h("tbody", null, rows.map((r) => h("tr", null,
          h("th", { scope: "row" }, lg.limitText(r.limit_bytes)),
          h("td", { class: "numeric" }, h("b", null, num(r.buys_seconds) === null ? "not reached" : "+" + lg.secondsText(r.buys_seconds))),
          h("td", { class: "whatif-bar", title: num(r.low_seconds) === null ? null : lg.secondsText(r.low_seconds) + " to " + lg.secondsText(r.high_seconds) },
            h("div", { class: "track" }, h("i", { vars: { "--fill": (num(r.buys_seconds) || 0) / most } }),
              num(r.low_seconds) === null || num(r.high_seconds) === null ? null
                : h("b", { vars: { left: (100 * r.low_seconds) / most + "%", width: (100 * (r.high_seconds - r.low_seconds)) / most + "%" } }))))))),
      h("p", { class: "quiet" }, "At the measured rate; the thin line is the range from its p10 and p90. ", lg.badge("estimated")));
  }

  function gcState(report) {
    const gc = obj(report.gc);
    const percent = num(gc.percent);
    const pairs = lg.pairs([
      ["Cycles finished", num(gc.cycles) === null ? null : lg.countText(gc.cycles)],
      ["Phase", str(gc.phase)],
      ["GOGC", percent === null ? null : percent < 0 ? "off" : String(percent)],
      ["GOMEMLIMIT", "memory_limit_bytes" in gc ? (num(gc.memory_limit_bytes) === null ? "none" : lg.limitText(gc.memory_limit_bytes)) : null],
      ["Heap live", num(gc.heap_live_bytes) === null ? null : lg.bytes(gc.heap_live_bytes)],
      ["Marked by the last cycle", num(gc.heap_marked_bytes) === null ? null : lg.bytes(gc.heap_marked_bytes)],
      ["Next goal", num(gc.heap_goal_bytes) === null ? null : lg.bytes(gc.heap_goal_bytes)],
    ]);
    return pairs && h("section", { class: "panel", "aria-labelledby": "gc" }, h("h3", { id: "gc" }, "Garbage collector"), pairs);
  }

  lg.renderMemory = function (report) {
    const parts = [ledger(report)];
    for (const pair of [[charge(report), heap(report)], [neighbours(report)], [whatIf(report), gcState(report)]]) {
      const below = pair.filter(Boolean);
      if (below.length > 0) parts.push(h("div", { class: "pair" }, below));
    }
    if (!parts.some(Boolean)) return null;
    return lg.section("memory", "Where the memory is", parts[0] ? "Every byte of RSS is in a named bucket or in \u201cunknown\u201d." : null, parts);
  };
})((globalThis.lastgasp = globalThis.lastgasp || {}));
