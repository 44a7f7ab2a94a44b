// lanes.js: all series under one clock, a lane each, with change points, and what happened as lines through all of them.

(function (lg) {
  "use strict";
  const { h, svg, num, str, list, obj } = lg;

  const LANE = 78, GAP = 26, TOP = 30, LEFT = 74, RIGHT = 14, BOTTOM = 24;
  const COLOURS = 8;
  const time = (text) => { const t = Date.parse(str(text) || ""); return Number.isFinite(t) ? t : null; };
  const clock = (ms) => { const d = new Date(ms); return Number.isFinite(d.getTime()) ? d.toISOString().slice(11, 19) : ""; };

  /** Series of one name share a lane: each process of its own, never joined. */
  function lanesOf(r) {
    const lanes = new Map();
    for (const s of list(obj(r.drawn).series)) {
      const points = list(s.points).filter((p) => Array.isArray(p) && num(p[0]) !== null && num(p[1]) !== null);
      if (points.length < 2) continue;
      const name = str(s.name) || "series";
      if (!lanes.has(name)) lanes.set(name, { name, unit: str(s.unit) || "", kind: str(s.kind), lines: [] });
      lanes.get(name).lines.push({ of: str(s.of), points, change: num(s.change) });
    }
    return [...lanes.values()];
  }

  function valueText(unit, v) {
    if (unit === "B") return lg.bytesText(v);
    if (unit === "s") return lg.secondsText(v);
    return (Math.abs(v) >= 100 ? lg.countText(v) : String(Math.round(v * 10) / 10)) + (unit === "1/s" ? "/s" : "");
  }

  /** Round times about so many apart. */
  function timeTicks(from, to, wanted) {
    const steps = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400].map((s) => s * 1000);
    const step = steps.find((s) => (to - from) / s <= wanted) || steps[steps.length - 1];
    const out = [];
    for (let t = Math.ceil(from / step) * step; t <= to && out.length < 40; t += step) out.push(t);
    return out;
  }

  lg.renderLanes = function (r) {
    const lanes = lanesOf(r);
    const moments = list(r.timeline).map((m) => ({ at: time(m.at), kind: str(m.kind) || "", text: str(m.text) || "" })).filter((m) => m.at !== null);
    if (lanes.length === 0 && moments.length === 0) return null;
    const box = h("div", { class: "lanes" });
    const win = obj(r.window);
    const onset = time(win.onset), last = time(win.to);
    const all = lanes.flatMap((l) => l.lines.flatMap((s) => s.points.map((p) => p[0])));
    let [from, to] = [Math.min(...(all.length ? all : moments.map((m) => m.at))), lg.most(all.length ? all : moments.map((m) => m.at), -Infinity)];
    // The story: some time before memory grew, to some time after the last kill.
    if (onset !== null && last !== null) {
      const span = Math.max(5000, last - onset);
      [from, to] = [Math.max(from, onset - Math.max(20000, span)), Math.min(Math.max(to, last), last + Math.max(8000, span / 2))];
    }
    if (!(to > from)) to = from + 1000;
    const shown = moments.filter((m) => m.at >= from - 1 && m.at <= to + 1);

    function draw() {
      const width = Math.max(420, box.clientWidth || 900);
      const height = TOP + lanes.length * (LANE + GAP) + BOTTOM;
      const x = (t) => LEFT + ((t - from) / (to - from)) * (width - LEFT - RIGHT);
      const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Series of the incident under one clock" });
      for (const t of timeTicks(from, to, width / 110)) {
        root.append(svg("line", { class: "axis", x1: x(t), x2: x(t), y1: TOP, y2: height - BOTTOM }), svg("text", { x: x(t), y: height - 8, "text-anchor": "middle" }, clock(t)));
      }
      shown.forEach((m) => root.append(svg("line", { class: "moment moment-" + m.kind.replace(/[^a-z]/g, ""), x1: x(m.at), x2: x(m.at), y1: TOP, y2: height - BOTTOM })));
      lanes.forEach((lane, row) => {
        const y0 = TOP + GAP + row * (LANE + GAP), y1 = y0 + LANE - 8;
        const inside = lane.lines.map((s) => ({ ...s, points: within(s.points) }));
        const values = inside.flatMap((s) => s.points.map((p) => p[1]));
        const top = lg.most(values, 0) * 1.08 || 1;
        const y = (v) => y1 - (Math.max(0, v) / top) * (LANE - 8);
        root.append(svg("text", { class: "lane-name", x: LEFT, y: y0 - 7 }, lane.name + (lane.lines.length > 1 ? "  (" + lane.lines.length + " processes, each by itself)" : "")));
        root.append(svg("line", { class: "axis", x1: LEFT, x2: width - RIGHT, y1, y2: y1 }));
        root.append(svg("text", { x: LEFT - 8, y: y0 + 8, "text-anchor": "end" }, valueText(lane.unit, top / 1.08)), svg("text", { x: LEFT - 8, y: y1, "text-anchor": "end" }, "0"));
        inside.forEach((s, i) => {
          const colour = `var(--series-${lane.lines.length > 1 ? i % COLOURS : row % COLOURS})`;
          const d = s.points.map((p, n) => (n ? "L" : "M") + x(p[0]).toFixed(1) + " " + y(p[1]).toFixed(1)).join("");
          if (d) root.append(svg("path", { class: "curve", d, stroke: colour }));
          if (s.change !== null && s.change >= from && s.change <= to && s.points.length) {
            const near = s.points.reduce((a, b) => (Math.abs(b[0] - s.change) < Math.abs(a[0] - s.change) ? b : a));
            root.append(svg("circle", { class: "change-point", cx: x(s.change), cy: y(near[1]), r: 4, stroke: colour }, svg("title", null, "change point " + clock(s.change) + "Z" + (s.of ? ", " + s.of : ""))));
          }
        });
      });
      // Numbers of the moments, moved aside where they would cover each other.
      let right = -Infinity;
      shown.forEach((m, n) => {
        // At the right edge the last ones may cover each other: all of them are in the list below.
        const at = Math.min(Math.max(x(m.at), right + 21), width - 11);
        right = at;
        if (m.at >= from) root.append(svg("rect", { class: "flag", x: at - 10, y: 4, width: 20, height: 18, rx: 4 }), svg("text", { class: "flag-text", x: at, y: 17 }, String(n + 1)));
      });
      box.replaceChildren(root);
    }

    /** Points of the time that is shown, with the next one on either side. */
    function within(points) {
      const a = points.findIndex((p) => p[0] >= from), b = points.findLastIndex((p) => p[0] <= to);
      if (a < 0 || b < 0) return [];
      return points.slice(Math.max(0, a), b + 1);
    }

    lg.onWidth(box, draw);
    const earlier = moments.filter((m) => m.at < from - 1);
    const row = (m, n) => h("li", { class: "is-" + m.kind.replace(/[^a-z]/g, "") }, h("span", { class: "no" }, n), h("span", { class: "mono" }, clock(m.at) + "Z"), h("span", null, m.text));
    return lg.section("timeline", "What happened, in order", "Each process is a line of its own: a spike of the one that was started later is none of the one that died. Circles are change points.",
      h("div", { class: "panel" }, box, h("ol", { class: "moments" }, earlier.map((m) => row(m, "\u2190")), shown.map((m, n) => row(m, String(n + 1))))));
  };
})((globalThis.lastgasp = globalThis.lastgasp || {}));
