// heap.js: the heap as a graph: who keeps it alive, by which ways, what is there twice, the largest collections, what is wasted.

(function (lg) {
  "use strict";
  const { h, num, str, list, obj } = lg;

  const WASTE = {
    subslice: "slices that keep a larger array", substring: "strings that keep a longer text", overcapacity: "room that was never used",
    empty: "large and without an element", oversized: "maps much too large for what is in them", boxed: "small values in interfaces",
    "pointer-slice": "[]*T that could be []T",
  };

  const bytesColumn = (key, label, title) =>
    ({ key, label, title, numeric: true, value: (r) => num(r[key]), cell: (r) => lg.bytes(r[key]) });
  const countColumn = (key, label, title, minor) =>
    ({ key, label, title, minor, numeric: true, value: (r) => num(r[key]), cell: (r) => lg.countText(r[key]) });
  const codeColumn = (key, label, text) =>
    ({ key, label, wide: true, value: (r) => text(r), cell: (r) => h("code", { class: "fn" }, text(r)) });
  const named = (key, none) => (r) => str(r[key]) || none;

  /** A part with a heading and a table; null without rows. */
  function part(title, lede, columns, rows, noun) {
    if (rows.length === 0) return null;
    const table = lg.table(title, columns, rows, { limit: 8, noun, id: (row) => rows.indexOf(row) });
    return h("div", { class: "panel heap-part" }, h("h3", null, title), lede ? h("p", { class: "quiet" }, lede) : null, table.element);
  }

  function holderName(root) {
    const name = str(root.name) || "(unknown)";
    if (num(root.goroutines) > 0) return lg.countText(root.goroutines) + (root.goroutines === 1 ? " goroutine in " : " goroutines in ") + name;
    return name;
  }

  function holders(graph) {
    const live = num(graph.live_bytes);
    return part("Who keeps it alive", "What would be garbage without it, and by nothing else.", [
      codeColumn("name", "Holder", holderName),
      { key: "kind", label: "Kind", minor: true, value: named("kind", ""), cell: named("kind", "") },
      { key: "mostly", label: "Mostly", minor: true, value: named("mostly", ""), cell: (r) => (str(r.mostly) ? h("code", null, r.mostly) : "\u2013") },
      bytesColumn("retained_bytes", "Keeps"),
      { key: "share", label: "Of what is live", numeric: true, value: (r) => num(r.retained_bytes), cell: (r) => lg.percentText(num(r.retained_bytes), live) || "\u2013" },
      countColumn("objects", "Objects", null, true),
    ], list(graph.roots), "holders");
  }

  function ways(graph) {
    return part("By which ways", "From a root to what it keeps, in words of the source; ways of the same words are one.", [
      codeColumn("way", "Way", (r) => str(r.way) || list(r.steps).filter(str).join(" ") || "(unknown)"),
      bytesColumn("bytes", "At its end", "Bytes of the objects at its end"),
      bytesColumn("retained_bytes", "Keeps", "With all that they keep alive"),
      countColumn("objects", "Objects", null, true),
    ], list(graph.paths), "ways");
  }

  function sites(graph) {
    return part("Allocated here, kept alive by that", "The memory profile\u2019s samples that are live.", [
      { key: "at", label: "Allocated in", wide: true, value: (r) => str(list(r.stack)[0]) || "", cell: (r) => h("span", { class: "site" },
        h("code", { class: "fn" }, lg.shortFunction(list(r.stack)[0])), str(r.at) ? h("code", { class: "place" }, r.at) : null) },
      codeColumn("kept_by", "Kept by", named("kept_by", "(unknown)")),
      bytesColumn("bytes", "About", "Reckoned from the samples"),
      countColumn("sampled", "Samples", null, true),
    ], list(graph.sites), "sites");
  }

  function types(graph) {
    return part("Types", null, [
      codeColumn("type", "Type", named("type", "unknown")),
      countColumn("objects", "Objects"),
      bytesColumn("bytes", "Their own"),
      bytesColumn("retained_bytes", "Keep", "What each of them keeps alive, nothing counted twice"),
    ], list(graph.types), "types");
  }

  const holderOfCopies = (x) =>
    (num(x.goroutines) > 0 ? lg.countText(x.goroutines) + (x.goroutines === 1 ? " goroutine in " : " goroutines in ") : "") + (str(x.function) || "(unknown)");

  function copies(graph) {
    return part("Copies of one content", "Collections that are alive at once and equal.", [
      codeColumn("type", "Type", named("type", "unknown")),
      countColumn("copies", "Copies"),
      countColumn("elements", "Elements each", null, true),
      bytesColumn("bytes_each", "Each"),
      bytesColumn("total_bytes", "Together"),
      bytesColumn("savable_bytes", "One would save"),
      { key: "equal", label: "Equal", minor: true, value: named("equal", ""), title: "content: all of it was compared; shape: type, length and size are equal",
        cell: (r) => h("span", { class: "block" }, named("equal", "\u2013")(r)) },
      { key: "holders", label: "Held by, built in", wide: true, value: (r) => list(r.holders).length, cell: (r) => [
        list(r.holders).slice(0, 3).map((x) => h("div", null, h("code", { class: "fn" }, holderOfCopies(obj(x))))),
        str(r.site) ? h("div", { class: "quiet" }, "built in ", h("code", null, r.site), str(r.site_at) ? " " + r.site_at : null) : null] },
    ], list(graph.copies), "groups");
  }

  /** Elements against time, the capture at the right: a line of 120 by 26. */
  function sparkline(c) {
    const looks = list(c.looks).map((l) => [num(obj(l).ms_ago), num(obj(l).elements)]).filter(([ms, n]) => ms !== null && n !== null && ms >= 0 && n >= 0);
    const now = num(c.elements);
    if (now === null || now < 0 || looks.length < 2) return null;
    const points = [...looks, [0, now]].sort((a, b) => b[0] - a[0]);
    const first = Math.max(1, points[0][0]);
    const most = lg.most(points.map(([, n]) => n), 1);
    const at = ([ms, n]) => (((first - ms) / first) * 118 + 1).toFixed(1) + "," + (24 - (n / most) * 22).toFixed(1);
    return lg.svg("svg", { class: "spark", viewBox: "0 0 120 26", width: 120, height: 26, role: "img",
      "aria-label": "from " + lg.countText(points[0][1]) + " to " + lg.countText(now) + " elements in " + lg.secondsText(points[0][0] / 1000) },
      lg.svg("path", { d: "M" + points.map(at).join("L") }));
  }

  function census(graph) {
    return part("The largest collections", "With their elements at each look of the flight ring, where it knows them.", [
      codeColumn("owner", "Kept by", named("owner", "(unknown)")),
      { key: "type", label: "Type", minor: true, value: named("type", ""), cell: (r) => h("code", null,
        (num(r.count) > 1 ? lg.countText(r.count) + " \u00d7 " : "") + (str(r.type) || "unknown")) },
      countColumn("elements", "Elements"),
      { key: "before", label: "Before", numeric: true, minor: true, value: (r) => num(r.before), cell: (r) => (num(r.before) === null ? "\u2013"
        : [lg.countText(r.before), num(r.before_ms_ago) === null ? null : h("small", { class: "block" }, lg.secondsText(r.before_ms_ago / 1000) + " ago")]) },
      { key: "looks", label: "Over time", minor: true, value: (r) => list(r.looks).length, cell: (r) => sparkline(r) || "\u2013" },
      bytesColumn("bytes", "Its own"),
      bytesColumn("retained_bytes", "Keeps"),
      { key: "fill", label: "Full", numeric: true, minor: true, value: (r) => num(r.fill), cell: (r) => (num(r.fill) > 0 ? lg.percentText(Math.min(1, r.fill), 1) : "\u2013") },
    ], list(graph.census), "collections");
  }

  function waste(graph) {
    return part("Kept and not used", null, [
      { key: "kind", label: "What", wide: true, value: named("kind", ""), cell: (r) => [
        num(r.count) === null ? null : lg.countText(r.count) + ": ", lg.entry(WASTE, str(r.kind) || "") || str(r.kind) || "unknown"] },
      codeColumn("owner", "Kept by", named("owner", "(unknown)")),
      { key: "type", label: "Type", minor: true, value: named("type", ""), cell: (r) => h("code", null, str(r.type) || "unknown") },
      bytesColumn("kept_bytes", "Keeps"),
      bytesColumn("used_bytes", "Uses"),
      bytesColumn("wasted_bytes", "For nothing"),
    ], list(graph.waste), "owners");
  }

  /** How far it can be trusted, in one paragraph. */
  function caution(graph) {
    const said = [];
    const typed = lg.percentText(num(graph.typed_share), 1);
    if (typed) said.push("The types of " + typed + " of these bytes are known.");
    if (graph.of_one_moment === false && graph.source !== "core") said.push("It was not read of one moment: live and garbage are not told apart exactly.");
    if (graph.conservative === true) {
      const some = num(graph.conservative_goroutines);
      said.push("What " + (some === 1 ? "1 goroutine holds" : (some > 1 ? lg.countText(some) + " " : "") + "goroutines hold") +
        " was taken from every word of the stack, in use or not.");
    }
    const not = list(graph.roots_not_read).filter(str);
    if (not.length > 0) said.push("What is held only by " + not.join(" or ") + " counts as garbage.");
    const gaps = list(graph.gaps).filter(str);
    if (gaps.length > 0) said.push("Not read: " + gaps.join("; ") + ".");
    return said.length === 0 ? null : h("p", { class: "quiet heap-caution" }, said.join(" "));
  }

  const SOURCES = { core: "a core file", live: "the process, while it stood still", dead: "the process after the kernel had killed it" };

  lg.renderHeap = function (report) {
    const graph = obj(report.graph);
    if (num(graph.live_bytes) === null) return null;
    const map = lg.treemap(graph);
    const source = str(graph.source);
    return lg.section("held", "The heap, by who keeps it",
      [lg.bytesText(graph.live_bytes) + " in " + lg.countText(graph.objects) + " objects are reachable, " + lg.bytesText(graph.garbage_bytes) + " are garbage",
        source ? "; read from " + (lg.entry(SOURCES, source) || source) : null,
        "."],
      map || caution(graph) ? h("div", { class: "panel heap-part" }, map, caution(graph)) : null,
      holders(graph), copies(graph), census(graph), waste(graph), ways(graph), sites(graph), types(graph));
  };
})((globalThis.lastgasp = globalThis.lastgasp || {}));
