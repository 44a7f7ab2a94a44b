// survival.js: curves of survivors, label by label, and what each label says.

(function (lg) {
  "use strict";
  const { h, svg, num, str, list, obj } = lg;

  const W = 460, H = 190, LEFT = 46, BOTTOM = 30, TOP = 12, RIGHT = 10;
  const DASH = [null, "6 3", "2 3", "9 3 2 3", "1 4", "12 4"];

  function figure(label, says) {
    const groups = list(label.groups).map((g) => ({ value: str(g.value) || "?", lives: num(g.lives) || 0, steps: list(g.steps).filter((s) => Array.isArray(s) && num(s[0]) !== null && num(s[1]) !== null) }));
    const last = lg.most(groups.flatMap((g) => g.steps.map((s) => s[0])), 0) * 1.05 || 1;
    const x = (t) => LEFT + (t / last) * (W - LEFT - RIGHT), y = (p) => TOP + (1 - p) * (H - TOP - BOTTOM);
    const root = svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": "Survivors by " + (str(label.name) || "label") });
    for (const p of [0, 0.5, 1]) root.append(svg("line", { class: "axis", x1: LEFT, x2: W - RIGHT, y1: y(p), y2: y(p) }), svg("text", { x: LEFT - 6, y: y(p) + 4, "text-anchor": "end" }, p * 100 + " %"));
    for (const f of [0, 0.5, 1]) root.append(svg("text", { x: x(last * f), y: H - 10, "text-anchor": f === 0 ? "start" : f === 1 ? "end" : "middle" }, "+" + lg.secondsText(last * f)));
    groups.forEach((g, i) => {
      let d = `M${x(0)} ${y(1)}`;
      for (const [t, p] of g.steps) d += `H${x(t).toFixed(1)}V${y(p).toFixed(1)}`;
      d += `H${x(last)}`;
      root.append(svg("path", { class: "curve", d, stroke: `var(--series-${i % 8})`, "stroke-dasharray": DASH[i % DASH.length] }));
    });
    return h("figure", { class: "panel survival" }, h("h3", null, str(label.name) + (says ? ": " + says : "")), root,
      h("ul", { class: "legend" }, groups.map((g, i) => h("li", null, h("span", { class: "box", vars: { background: `var(--series-${i % 8})` } }), g.value + " (" + lg.countText(g.lives) + ")"))));
  }

  lg.renderCohorts = function (r) {
    const labels = list(r.cohorts);
    const curves = list(obj(r.drawn).curves);
    const spread = obj(r.spread);
    if (labels.length === 0 && !str(spread.text)) return null;
    const says = (name) => str(obj(labels.find((l) => str(l.label) === name)).says);
    return lg.section("cohorts", "Who died, and who did not", "Survivors since memory began to grow (Kaplan and Meier), label by label. A label that all share says nothing.",
      curves.length ? h("div", { class: "survival-all" }, curves.map((c) => figure(c, says(str(c.name))))) : null,
      h("div", { class: "panel cohort-table scroller" }, h("table", { class: "grid" },
        h("thead", null, h("tr", null, ["label", "says", "p", "in words"].map((t) => h("th", { scope: "col" }, t)))),
        h("tbody", null, labels.map((l) => h("tr", null, h("th", { scope: "row" }, str(l.label)), h("td", null, str(l.says)),
          h("td", { class: "numeric" }, num(l.p) === null ? "\u2013" : l.p < 0.001 ? l.p.toExponential(0) : l.p.toFixed(2)), h("td", null, str(l.text))))))),
      str(spread.text) ? h("p", { class: "bar-note" }, "Times of death: " + spread.text) : null);
  };
})((globalThis.lastgasp = globalThis.lastgasp || {}));
