// main.js: reads the document and draws the sections; one that cannot be drawn says so and costs no other.

(function (lg) {
  "use strict";
  const { h, str, list, obj, num } = lg;

  const SECTIONS = [
    ["Verdict", "verdict", lg.renderIncidentVerdict],
    ["Do now", "do-now", lg.renderActs],
    ["First aid", "checks", lg.renderChecks],
    ["Timeline", "timeline", lg.renderLanes],
    ["Order", "order", lg.renderOrder],
    ["Causes", "ranking", lg.renderRanking],
    ["Cohorts", "cohorts", lg.renderCohorts],
    ["What if", "what-if", lg.renderWhatIfs],
    ["Evidence", "evidence", lg.renderRest],
  ];

  let report = {};
  let trouble = null;
  try {
    report = obj(JSON.parse(document.getElementById("report").textContent));
  } catch (error) {
    trouble = "The document in this page cannot be read: " + error.message;
  }
  const instances = obj(report.instances);
  lg.append(document.getElementById("masthead"), [
    h("div", { class: "brand" }, "lastgasp", h("span", { "aria-hidden": "true" })),
    h("div", { class: "whose" }, h("strong", null, str(report.service) || "?"),
      num(instances.killed) !== null ? h("span", null, lg.countText(instances.killed) + " of " + lg.countText(instances.seen) + " instances") : null,
      str(obj(report.window).from) ? h("span", null, lg.timeText(obj(report.window).from)) : null)]);
  const main = document.getElementById("main");
  if (trouble) main.append(h("p", { class: "panel", role: "alert" }, trouble));
  for (const [name, id, render] of SECTIONS) {
    let node = null;
    try {
      node = render(report);
    } catch (error) {
      node = h("section", { id, class: "section" }, h("p", { class: "panel" }, "This part could not be drawn: " + error.message));
    }
    if (node === null) continue;
    main.append(node);
    document.getElementById("contents").append(h("a", { href: "#" + id }, name));
  }
  lg.startDrawing();
  const earlier = list(report.earlier);
  lg.append(document.getElementById("colophon"), [
    earlier.length ? h("p", null, earlier.length + " other incidents in this time: " + earlier.slice(0, 5).map((e) => (str(e.service) || "?") + " " + (lg.timeText(e.from) || "")).join("; ")) : null,
    h("p", null, "1 GB = 10\u2079 bytes; times are UTC. This file is complete: it asks the network for nothing.")]);
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
})((globalThis.lastgasp = globalThis.lastgasp || {}));
