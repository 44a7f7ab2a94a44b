// timeline.js: memory against time, with the limit, the window, GC cycles, events, and the goroutine count beneath.
//
// One SVG holds both charts, so that they share the time axis and the crosshair. It is redrawn when the width or the zoom changes.

(function (lg) {
  "use strict";
  const { h, svg, num, str, list, obj } = lg;

  // Each series differs in dash as well as in colour.
  const SERIES = [
    { key: "usage_bytes", name: "cgroup usage", css: "usage" },
    { key: "rss_bytes", name: "RSS", css: "rss" },
    { key: "heap_live_bytes", name: "Go heap live", css: "heap" },
  ];
  const MEMORY_HEIGHT = 270;
  const COUNT_HEIGHT = 72;
  const LANE = 19; // height of one row of event labels

  /** About `wanted` round values between low and high. */
  function ticks(low, high, wanted) {
    const raw = (high - low) / wanted;
    if (!(raw > 0)) return [low];
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = power * ([1, 2, 5, 10].find((m) => m * power >= raw) || 10);
    const values = [];
    // Counted, for where a step is less than what a large number can tell apart nothing would be added.
    for (let i = 0, v; i <= 2 * wanted && (v = (Math.ceil(low / step) + i) * step) <= high + step * 1e-6; i += 1) values.push(Math.abs(v) < step * 1e-6 ? 0 : v);
    return values;
  }

  const eventClass = (kind) => "event event-" + (str(kind) || "").toLowerCase().replace(/[^a-z]+/g, "-");

  lg.renderTimeline = function (report) {
    const timeline = obj(report.timeline);
    const win = obj(report.window);
    const samples = list(timeline.samples).filter((s) => num(s.t_ms) !== null).sort((a, b) => a.t_ms - b.t_ms);
    const events = list(timeline.events).filter((e) => num(e.t_ms) !== null).sort((a, b) => a.t_ms - b.t_ms);
    if (samples.length < 2) return null;

    // ---- what there is to draw
    const series = SERIES.filter((s) => samples.some((p) => num(p[s.key]) !== null));
    const hasCount = samples.some((p) => num(p.goroutines) !== null);
    if (series.length === 0 && !hasCount) return null;
    const onset = num(win.onset_ms);
    const zero = onset !== null ? onset : samples[0].t_ms;
    const clock = (t) => (t - zero > 0 ? "+" : "") + lg.secondsText((t - zero) / 1000);
    const highest = lg.most(samples.flatMap((p) => series.map((s) => num(p[s.key]) || 0)), 1);
    const limit = num(timeline.limit_bytes) !== null ? timeline.limit_bytes : num(obj(report.target).limit_bytes);
    const limitFits = limit !== null && limit <= highest * 4;
    const top = Math.max(highest, limitFits ? limit : 0) * 1.05;
    const mostGoroutines = lg.most(samples.map((p) => num(p.goroutines) || 0), 1) * 1.12;
    // A sample after which the GC counter is higher than before it: a cycle finished between the two.
    const gcAt = samples.filter((p, i) => i > 0 && num(p.gc_cycles) !== null && p.gc_cycles > samples[i - 1].gc_cycles).map((p) => p.t_ms);

    // ---- which part of the watch is shown
    const edges = [...samples, ...events].map((p) => p.t_ms);
    const whole = [-lg.most(edges.map((t) => -t), -Infinity), lg.most(edges, -Infinity)];
    // All of one moment: some width all the same, or nothing had a place.
    if (whole[1] === whole[0]) whole[1] += Math.max(1, Math.abs(whole[0]) * 1e-9);
    const burst = burstRange();
    let view = burst || whole;

    /** The window with room on both sides, if it is a small part of the watch; else null. */
    function burstRange() {
      const end = num(win.end_ms);
      if (onset === null || end === null || end <= onset || end - onset > 0.4 * (whole[1] - whole[0])) return null;
      const length = end - onset;
      const lastEvent = Math.max(end, ...events.map((e) => e.t_ms).filter((t) => t < end + length));
      return [Math.max(whole[0], onset - length), Math.min(whole[1], lastEvent + 0.15 * length)];
    }

    const canvas = svg("svg", { class: "timeline-svg", role: "img", tabindex: "0", "aria-label": summary() });
    const buttons = h("div", { class: "switch", role: "group", "aria-label": "Part of the watch" });
    const holder = h("div", { class: "timeline-holder" }, canvas);
    let cursor = null; // index of the sample under the crosshair
    let geometry = null; // scales of the last drawing, for the pointer

    function summary() {
      const last = samples.at(-1);
      return "Memory over " + lg.secondsText((whole[1] - whole[0]) / 1000) + ". " +
        series.map((s) => s.name + " " + lg.bytesText(samples[0][s.key]) + " to " + lg.bytesText(last[s.key])).join(", ") +
        (limit === null ? "" : ". Limit " + lg.limitText(limit)) + ". Use the arrow keys to read single samples.";
    }

    // ---- drawing

    function draw() {
      const width = Math.max(280, holder.clientWidth || 960);
      const left = width < 520 ? 52 : 64;
      const right = width - 14;
      const x = (t) => left + ((t - view[0]) / (view[1] - view[0])) * (right - left);
      const shownEvents = events.filter((e) => e.t_ms >= view[0] && e.t_ms <= view[1]);
      const lanes = placeLabels(shownEvents, x, right);
      const memoryTop = 12 + lanes.count * LANE;
      const memoryBottom = memoryTop + MEMORY_HEIGHT;
      const countTop = memoryBottom + 34;
      const countBottom = countTop + COUNT_HEIGHT;
      const plotBottom = hasCount ? countBottom : memoryBottom;
      const height = plotBottom + 34;
      const y = (v) => memoryBottom - (v / top) * MEMORY_HEIGHT;
      const yCount = (v) => countBottom - (v / mostGoroutines) * COUNT_HEIGHT;
      geometry = { x, y, yCount, left, right, memoryTop, plotBottom };

      canvas.replaceChildren();
      canvas.setAttribute("viewBox", "0 0 " + width + " " + height);
      canvas.append(svg("defs", null,
        svg("clipPath", { id: "plot" }, svg("rect", { x: left, y: 0, width: right - left, height }))));

      // The window between onset and end.
      if (onset !== null && num(win.end_ms) !== null) {
        const from = Math.max(left, x(onset));
        const to = Math.min(right, x(win.end_ms));
        if (to > from) canvas.append(svg("rect", { class: "shade", x: from, y: memoryTop, width: to - from, height: plotBottom - memoryTop }));
      }

      // Grid and axes.
      for (const v of ticks(0, top, 5)) {
        canvas.append(svg("line", { class: "grid", x1: left, x2: right, y1: y(v), y2: y(v) }),
          svg("text", { class: "tick", x: left - 8, y: y(v) + 4, "text-anchor": "end" }, v === 0 ? "0" : tickBytes(v)));
      }
      const seconds = ticks((view[0] - zero) / 1000, (view[1] - zero) / 1000, Math.max(5, Math.floor(width / 90)));
      for (const s of seconds) {
        const at = x(zero + s * 1000);
        canvas.append(svg("line", { class: "grid grid-time", x1: at, x2: at, y1: memoryTop, y2: plotBottom }),
          svg("text", { class: "tick", x: at, y: plotBottom + 18, "text-anchor": "middle" }, s === 0 ? (onset === null ? "0" : "onset") : tickSeconds(s)));
      }
      if (hasCount) {
        canvas.append(svg("text", { class: "panel-name", x: left, y: countTop - 9 }, "goroutines"));
        for (const v of ticks(0, mostGoroutines, 2)) {
          canvas.append(svg("line", { class: "grid", x1: left, x2: right, y1: yCount(v), y2: yCount(v) }),
            svg("text", { class: "tick", x: left - 8, y: yCount(v) + 4, "text-anchor": "end" }, lg.countText(v)));
        }
      }

      // The series, clipped to the plot.
      const plot = svg("g", { "clip-path": "url(#plot)" });
      if (series.length > 0) plot.append(svg("path", { class: "area area-" + series[0].css, d: areaPath(series[0].key, x, y, memoryBottom) }));
      for (const s of [...series].reverse()) plot.append(svg("path", { class: "line line-" + s.css, d: linePath(s.key, x, y) }));
      if (hasCount) {
        plot.append(svg("path", { class: "area area-count", d: areaPath("goroutines", x, yCount, countBottom) }),
          svg("path", { class: "line line-count", d: linePath("goroutines", x, yCount) }));
      }
      for (const t of gcAt) {
        const at = x(t);
        plot.append(svg("path", { class: "gc-mark", d: "M" + (at - 4) + " " + (memoryBottom + 7) + "h8l-4 -7z" }, svg("title", null, "A GC cycle finished")));
      }
      canvas.append(plot);

      // The limit.
      if (limitFits) {
        canvas.append(svg("line", { class: "limit", x1: left, x2: right, y1: y(limit), y2: y(limit) }),
          svg("text", { class: "limit-name", x: left + 6, y: y(limit) - 6 }, "limit " + lg.limitText(limit)));
      }

      // Events, last, so that nothing hides them.
      shownEvents.forEach((event, i) => {
        const at = x(event.t_ms);
        const place = lanes.places[i];
        const group = svg("g", { class: eventClass(event.kind) },
          svg("line", { x1: at, x2: at, y1: place ? place.y + LANE - 4 : memoryTop, y2: plotBottom }),
          svg("title", null, clock(event.t_ms) + " " + (str(event.text) || str(event.kind) || "event")));
        if (place) {
          group.append(svg("rect", { x: place.x, y: place.y, width: place.width, height: LANE - 4, rx: 3 }),
            svg("text", { x: place.x + place.width / 2, y: place.y + 11.5, "text-anchor": "middle" }, place.label));
        }
        canvas.append(group);
      });

      canvas.append(svg("g", { class: "crosshair" }));
      drawCursor();
      drawButtons();
    }

    /** Event labels in rows above the plot, none over another. Beyond six rows a marker stays without a label. */
    function placeLabels(shown, x, right) {
      const ends = [];
      const places = shown.map((event) => {
        const label = str(event.kind) || "event";
        const width = Math.ceil(lg.clean(label).length * 6.4) + 12;
        const from = Math.min(Math.max(2, x(event.t_ms) - width / 2), right + 12 - width);
        let lane = ends.findIndex((end) => end + 3 <= from);
        if (lane < 0) lane = ends.length;
        if (lane >= 6) return null;
        ends[lane] = from + width;
        return { x: from, y: 4 + lane * LANE, width, label };
      });
      return { places, count: ends.length };
    }

    const tickBytes = (v) => lg.bytesText(v).replace(/(\.\d*?)0+ /, "$1 ").replace(". ", " ");
    const tickSeconds = (s) => (s > 0 ? "+" : "\u2212") + (Math.abs(s) < 120 ? Number(Math.abs(s).toPrecision(3)) + " s" : lg.secondsText(Math.abs(s)));

    /** A line that breaks where a value is missing. */
    function linePath(key, x, y) {
      let d = "";
      let pen = false;
      for (const p of samples) {
        const v = num(p[key]);
        if (v !== null) d += (pen ? "L" : "M") + x(p.t_ms).toFixed(1) + " " + y(v).toFixed(1);
        pen = v !== null;
      }
      return d;
    }

    function areaPath(key, x, y, bottom) {
      const points = samples.filter((p) => num(p[key]) !== null);
      if (points.length === 0) return "";
      return "M" + x(points[0].t_ms).toFixed(1) + " " + bottom +
        points.map((p) => "L" + x(p.t_ms).toFixed(1) + " " + y(p[key]).toFixed(1)).join("") +
        "L" + x(points.at(-1).t_ms).toFixed(1) + " " + bottom + "Z";
    }

    // ---- the crosshair

    function drawCursor() {
      const group = canvas.querySelector(".crosshair");
      if (!group) return;
      group.replaceChildren();
      if (cursor === null) return;
      const p = samples[cursor];
      const at = geometry.x(p.t_ms);
      if (at < geometry.left || at > geometry.right) return;
      group.append(svg("line", { x1: at, x2: at, y1: geometry.memoryTop, y2: geometry.plotBottom }));
      for (const s of series) {
        if (num(p[s.key]) !== null) group.append(svg("circle", { class: "dot-" + s.css, cx: at, cy: geometry.y(p[s.key]), r: 3.5 }));
      }
      if (num(p.goroutines) !== null) group.append(svg("circle", { class: "dot-count", cx: at, cy: geometry.yCount(p.goroutines), r: 3 }));
    }

    function tipFor(index) {
      const p = samples[index];
      const near = events.filter((e) => Math.abs(e.t_ms - p.t_ms) <= (view[1] - view[0]) * 0.008);
      return [
        h("strong", null, clock(p.t_ms), onset === null ? "" : " from onset"),
        h("table", null, h("tbody", null,
          series.map((s) => h("tr", null, h("th", null, h("i", { class: "swatch swatch-" + s.css }), s.name), h("td", null, lg.bytesText(p[s.key])))),
          num(p.goroutines) === null ? null : h("tr", null, h("th", null, h("i", { class: "swatch swatch-count" }), "goroutines"), h("td", null, lg.countText(p.goroutines))),
          num(p.gc_cycles) === null ? null : h("tr", null, h("th", null, "GC cycles"), h("td", null, lg.countText(p.gc_cycles))),
          h("tr", null, h("th", null, "watch clock"), h("td", null, lg.secondsText(p.t_ms / 1000))))),
        near.map((e) => h("p", { class: "tip-event" }, h("b", null, str(e.kind) || "event"), " ", str(e.text))),
      ];
    }

    /** Time at a pointer position (the drawing is scaled to the box on paper and in between two redraws). */
    function timeAt(event) {
      const box = canvas.getBoundingClientRect();
      const px = (event.clientX - box.left) * (canvas.viewBox.baseVal.width / box.width);
      const share = (px - geometry.left) / (geometry.right - geometry.left);
      return view[0] + Math.min(1, Math.max(0, share)) * (view[1] - view[0]);
    }

    function nearest(t) {
      let low = 0;
      let high = samples.length - 1;
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (samples[middle].t_ms < t) low = middle;
        else high = middle;
      }
      return t - samples[low].t_ms <= samples[high].t_ms - t ? low : high;
    }

    let dragFrom = null;
    canvas.addEventListener("pointerdown", (e) => { if (e.pointerType === "mouse" && e.button === 0) dragFrom = timeAt(e); });
    canvas.addEventListener("pointermove", (e) => {
      cursor = nearest(timeAt(e));
      drawCursor();
      if (dragFrom !== null) {
        const [a, b] = [dragFrom, timeAt(e)].sort((m, n) => m - n).map(geometry.x);
        canvas.querySelector(".crosshair").append(svg("rect", { class: "brush", x: a, width: b - a, y: geometry.memoryTop, height: geometry.plotBottom - geometry.memoryTop }));
      }
      lg.showTip(e.clientX, e.clientY, tipFor(cursor));
    });
    canvas.addEventListener("pointerleave", () => { cursor = null; dragFrom = null; drawCursor(); lg.hideTip(); });
    canvas.addEventListener("pointerup", (e) => {
      const from = dragFrom;
      dragFrom = null;
      if (from === null) return;
      const range = [from, timeAt(e)].sort((m, n) => m - n);
      if (range[1] - range[0] > (view[1] - view[0]) * 0.02) show(range);
      else drawCursor();
    });
    canvas.addEventListener("dblclick", () => show(whole));
    canvas.addEventListener("keydown", (e) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
      if (e.key === "Escape") show(burst || whole);
      if (!step) return;
      e.preventDefault();
      const start = cursor === null ? nearest(step > 0 ? view[0] : view[1]) : cursor + step * (e.shiftKey ? 10 : 1);
      cursor = Math.min(samples.length - 1, Math.max(0, start));
      const t = samples[cursor].t_ms;
      if (t < view[0] || t > view[1]) show(whole);
      drawCursor();
      const box = canvas.getBoundingClientRect();
      lg.showTip(box.left + geometry.x(t) * (box.width / canvas.viewBox.baseVal.width), box.top + 60, tipFor(cursor));
    });
    canvas.addEventListener("blur", () => { cursor = null; drawCursor(); lg.hideTip(); });

    // ---- zoom

    function show(range) {
      view = range;
      draw();
    }

    function drawButtons() {
      const choices = [["The window", burst], ["Whole watch", whole]].filter(([, range]) => range !== null);
      const custom = !choices.some(([, range]) => range === view);
      buttons.replaceChildren(...choices.map(([label, range]) =>
        h("button", { type: "button", "aria-pressed": String(range === view), on: { click: () => show(range) } }, label)));
      buttons.hidden = choices.length < 2 && !custom;
    }

    lg.onWidth(holder, draw);

    const legend = h("ul", { class: "legend" },
      series.map((s) => h("li", null, h("i", { class: "swatch swatch-" + s.css }), s.name)),
      limit === null ? null : h("li", null, h("i", { class: "swatch swatch-limit" }), "limit ", lg.limitText(limit), limitFits ? null : " (above this chart)"),
      onset === null ? null : h("li", null, h("i", { class: "swatch swatch-window" }), "window"),
      gcAt.length === 0 ? null : h("li", null, h("i", { class: "swatch-gc" }, "\u25b2"), "GC cycle finished"));

    const eventRows = events.map((e) => h("li", { class: eventClass(e.kind) },
      h("time", null, clock(e.t_ms)), h("b", null, str(e.kind) || "event"), h("span", null, str(e.text))));
    const eventList = h("ol", { class: "events" }, eventRows);

    return lg.section("timeline", "Timeline",
      (onset === null ? "Time counts from the first sample." : "Time counts from the onset.") + " Drag to zoom, double-click for the whole watch.",
      h("div", { class: "panel" },
        h("div", { class: "bar" }, legend, buttons), holder,
        events.length === 0 ? null : events.length <= 10 ? eventList
          : h("details", { class: "fold" }, h("summary", null, lg.countText(events.length) + " events"), eventList)));
  };
})((globalThis.lastgasp = globalThis.lastgasp || {}));
