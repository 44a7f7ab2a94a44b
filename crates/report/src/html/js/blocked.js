// blocked.js: blocked goroutines by verdict, what each case of a select waits for, and who waits for whom over locks.

(function (lg) {
  "use strict";
  const { h, num, str, list, obj } = lg;

  const TIERS = {
    proved: "will never be woken: nothing that can still run leads to what they wait for",
    suspect: "may never be woken: inference, or a reference that could not be read",
    stalled: "wait for the world outside, without a deadline",
    immortal: "woken by their own ticker for ever",
    healthy: "somebody can wake them",
  };
  const TONE = { proved: "tier-proved", suspect: "tier-suspect", stalled: "tier-stalled", immortal: "tier-immortal" };

  const tier = (name) => h("span", { class: "tier " + (lg.entry(TONE, name) || "tier-healthy"), title: lg.entry(TIERS, name) || "" }, name);

  function spot(s) {
    return str(s.function) ? [h("code", { class: "fn", title: s.function }, lg.shortFunction(s.function)), lg.placeText(s) ? h("code", { class: "place" }, lg.placeText(s)) : null] : "\u2013";
  }

  /** A thing that is waited for, in a line. */
  function waitText(w) {
    const of = [];
    if (str(w.element_type)) of.push("of " + w.element_type);
    if (num(w.capacity) !== null) of.push(w.capacity === 0 ? "unbuffered" : lg.countText(w.length) + " of " + lg.countText(w.capacity) + " in its buffer");
    if (w.closed === true) of.push("closed");
    if (num(w.senders) > 0) of.push(lg.countText(w.senders) + " would send");
    if (num(w.receivers) > 0) of.push(lg.countText(w.receivers) + " would receive");
    if (num(w.waiters) > 0) of.push(lg.countText(w.waiters) + " wait");
    if (num(w.missing_done) !== null) of.push("missing Done: " + w.missing_done);
    if (num(w.readers) > 0) of.push(lg.countText(w.readers) + " read");
    if (str(w.what)) of.push(w.what);
    if (str(w.peer)) of.push("to " + w.peer);
    if (str(w.connection_state)) of.push(w.connection_state);
    if (w.deadline === false) of.push("no deadline");
    if (w.deadline === true) of.push("with a deadline");
    if (num(w.timer_period_ns) > 0) of.push("a ticker of " + lg.secondsText(w.timer_period_ns / 1e9));
    if (str(w.way)) of.push(w.way);
    return of.join(", ");
  }

  function waits(rows) {
    const all = list(rows).map(obj);
    if (all.length === 0) return null;
    return h("div", null, h("h4", null, all.length > 1 ? "Its cases" : "Waits for"), h("ol", { class: "waits" }, all.map((w) => h("li", null,
      h("b", null, str(w.operation) || "waits"), " ", str(w.kind) || "", " ", h("span", { class: "quiet" }, waitText(w)),
      str(w.address) ? [" ", h("code", { class: "place" }, w.address)] : null,
      list(w.referrers).length === 0 ? null : h("ul", null, list(w.referrers).map(obj).map((r) => h("li", { class: "quiet" },
        num(r.goid) ? "goroutine " + r.goid + ", " : null, str(r.place) || "", " ", h("code", null, str(r.name) || ""), r.can_run === true ? " (can run)" : null)))))));
  }

  function detail(g) {
    return [
      h("p", null, str(g.sentence) || str(g.cause) || ""),
      waits(g.waits_on),
      list(g.holders).length === 0 ? null : h("div", null, h("h4", null, "Held up by"), h("ul", null, list(g.holders).map(obj).map((x) => h("li", null,
        "goroutine " + (num(x.goid) === null ? "?" : x.goid) + " in ", h("code", null, str(x.function) || "(unknown)"), " ", str(x.does) || "", " ",
        h("span", { class: "quiet" }, "(" + [str(x.sureness), str(x.sign)].filter(Boolean).join(": ") + ")"))))),
      list(g.rivals).length === 0 ? null : h("div", null, h("h4", null, "Or else"), h("ul", null, list(g.rivals).map(obj).map((r) => h("li", null, str(r.cause) || "",
        str(r.because) ? h("span", { class: "quiet" }, " (what would tell: " + r.because + ")") : null)))),
      str(g.cure) ? h("p", null, h("b", null, "Cure: "), g.cure) : null,
      list(g.examples).length === 0 ? null : h("p", { class: "quiet" }, "for example goroutine " + list(g.examples).filter((n) => num(n) !== null).join(", ")),
    ];
  }

  function groups(rows) {
    const table = lg.table("Blocked goroutines by verdict", [
      { key: "count", label: "Count", numeric: true, value: (g) => num(g.count), cell: (g) => lg.countText(g.count) },
      { key: "tier", label: "Verdict", value: (g) => Object.keys(TIERS).indexOf(str(g.tier)), cell: (g) => tier(str(g.tier) || "?") },
      { key: "code", label: "Cause", value: (g) => str(g.code) || "", cell: (g) => [str(g.code) ? h("code", null, g.code) : "\u2013",
        str(g.code) && str(g.sureness) && g.sureness !== "sure" ? h("small", { class: "quiet block" }, g.sureness) : null] },
      { key: "waits", label: "Wait in", wide: true, value: (g) => str(obj(g.waits_in).function) || "", cell: (g) => h("span", { class: "site" }, spot(obj(g.waits_in))) },
      { key: "created", label: "Started by", wide: true, minor: true, value: (g) => str(obj(g.created_by).function) || "", cell: (g) => h("span", { class: "site" }, spot(obj(g.created_by))) },
      { key: "held", label: "Hold alone", numeric: true, value: (g) => num(g.retained_bytes), cell: (g) => lg.bytes(g.retained_bytes) },
      { key: "oldest", label: "Oldest", numeric: true, minor: true, value: (g) => num(g.oldest_wait_ns), cell: (g) => (num(g.oldest_wait_ns) > 0 ? lg.secondsText(g.oldest_wait_ns / 1e9) : "\u2013") },
    ], rows, { limit: 12, noun: "groups", id: (g) => g.index, detail });
    return table.element;
  }

  const BOX = { w: 232, h: 62, gapX: 120, gapY: 22 };
  const short = (text, most) => (text.length > most ? text.slice(0, most - 1) + "\u2026" : text);

  /** Who waits for whom: each goroutine waits for one lock at most, so that every way leads right, to who does not, or into a ring. */
  function waitFor(graph) {
    const nodes = list(graph.nodes).map(obj).filter((n) => num(n.goid) !== null);
    const edges = list(graph.edges).map(obj).filter((e) => num(e.from) !== null);
    if (edges.length === 0 || nodes.length === 0) return null;
    const out = new Map(edges.map((e) => [e.from, e]));
    const known = new Map(nodes.map((n) => [n.goid, n]));
    const depthOf = (id) => {
      let depth = 0;
      for (let at = id, seen = 0; seen <= nodes.length; seen += 1) {
        const n = known.get(at);
        const e = out.get(at);
        if (!n || n.in_ring === true || !e || num(e.to) === null || !known.has(e.to)) return depth;
        depth += 1;
        at = e.to;
      }
      return depth;
    };
    const depths = new Map(nodes.map((n) => [n.goid, depthOf(n.goid)]));
    const deepest = Math.max(0, ...depths.values());
    const rows = new Map();
    const place = new Map();
    for (const n of nodes) {
      const column = deepest - depths.get(n.goid);
      const row = rows.get(column) || 0;
      rows.set(column, row + 1);
      place.set(n.goid, { x: column * (BOX.w + BOX.gapX) + 2, y: row * (BOX.h + BOX.gapY) + 2, column });
    }
    const width = (deepest + 1) * (BOX.w + BOX.gapX);
    const height = Math.max(...rows.values()) * (BOX.h + BOX.gapY);
    const s = lg.svg;
    const text = (x, y, cls, content) => s("text", { x, y, class: cls }, content);
    const lines = edges.map((e) => {
      const a = place.get(e.from);
      const b = num(e.to) === null ? null : place.get(e.to);
      if (!a) return null;
      const label = short(str(e.lock) || "a lock", 40) + (str(e.sureness) === "possible" ? " (may hold it)" : "");
      const x1 = a.x + BOX.w;
      const y1 = a.y + BOX.h / 2;
      if (!b) return [s("path", { class: "wait", d: "M" + x1 + "," + y1 + "h60" }), text(x1 + 64, y1 + 4, "wait-label", "? holder not known")];
      const y2 = b.y + BOX.h / 2 + (a.column === b.column ? 10 : 0);
      const d = a.column === b.column
        ? "M" + x1 + "," + y1 + "C" + (x1 + 70) + "," + y1 + " " + (x1 + 70) + "," + y2 + " " + (b.x + BOX.w + 7) + "," + y2
        : "M" + x1 + "," + y1 + "C" + (x1 + 60) + "," + y1 + " " + (b.x - 60) + "," + y2 + " " + (b.x - 7) + "," + y2;
      const tip = a.column === b.column ? "M" + (b.x + BOX.w) + "," + y2 + "l8,-4v8z" : "M" + b.x + "," + y2 + "l-8,-4v8z";
      return s("g", { class: str(e.sureness) === "possible" ? "edge is-possible" : "edge" }, s("title", null, (str(e.lock) || "") + " " + (str(e.address) || "")),
        s("path", { class: "wait", d }), s("path", { class: "tip-of-wait", d: tip }));
    });
    const boxes = nodes.map((n) => {
      const p = place.get(n.goid);
      const e = out.get(n.goid);
      const alike = num(n.alike) > 0 ? " and " + lg.countText(n.alike) + " more" : "";
      return s("g", { class: n.in_ring === true ? "box-of-wait is-ring" : e ? "box-of-wait" : "box-of-wait is-end" },
        s("title", null, [str(n.function), str(n.does)].filter(Boolean).join(" ")),
        s("rect", { x: p.x, y: p.y, width: BOX.w, height: BOX.h, rx: 6 }),
        text(p.x + 10, p.y + 18, "who", "goroutine " + n.goid + alike),
        text(p.x + 10, p.y + 35, "where", short(lg.shortFunction(str(n.function) || "(unknown)"), 34)),
        text(p.x + 10, p.y + 52, "what", short(e ? "for " + (str(e.lock) || "a lock") : str(n.does) || "", 38)));
    });
    return h("div", { class: "panel heap-part" }, h("h3", null, "Who waits for whom over locks"),
      h("p", { class: "quiet" }, "An arrow leads from who waits for a lock to who seems to hold it: Go\u2019s mutexes record no owner, and a dashed one is no more than possible. A ring is framed."),
      h("div", { class: "wait-graph" }, s("svg", { viewBox: "0 0 " + width + " " + height, width, height, role: "img", "aria-label": edges.length + " waits for locks" }, lines, boxes)));
  }

  lg.renderBlocked = function (report) {
    const goroutines = obj(report.goroutines);
    const rows = list(goroutines.verdict_groups).map((g, index) => ({ ...obj(g), index }));
    const tiers = obj(goroutines.tiers);
    const onsets = obj(goroutines.onsets);
    const counted = Object.keys(TIERS).filter((t) => num(tiers[t]) > 0);
    if (rows.length === 0 && counted.length === 0 && !str(onsets.sentence)) return null;
    return lg.section("blocked", "Blocked goroutines",
      [num(tiers.blocked) === null ? null : lg.countText(tiers.blocked) + " blocked. ", "What is proved, what is suspected, and why."],
      h("div", { class: "panel" },
        str(onsets.sentence) ? h("p", null, onsets.sentence, ".") : null,
        list(goroutines.no_proof).length === 0 ? null : h("p", { class: "quiet" }, "Nothing is proved: ", list(goroutines.no_proof).filter(str).join("; "), "."),
        counted.length === 0 ? null : h("ul", { class: "legend" }, counted.map((t) => h("li", null, tier(t), " ", h("b", null, lg.countText(tiers[t])), h("span", { class: "quiet" }, " ", TIERS[t])))),
        rows.length === 0 ? null : groups(rows)),
      waitFor(obj(goroutines.wait_for)));
  };
})((globalThis.lastgasp = globalThis.lastgasp || {}));
