// main.js: reads the report, draws the sections in order, and follows links to sites. Must come last.

(function (lg) {
  "use strict";
  const { h, num, str, obj } = lg;

  // name in the navigation, id, what is missing if it cannot be drawn, renderer
  const SECTIONS = [
    ["Verdict", "verdict", null, (r) => [lg.renderVerdict(r), lg.renderNumbers(r), lg.renderActions(r)]],
    ["pprof", "pprof", "a comparison with pprof", lg.renderPprof],
    ["Timeline", "timeline", "a timeline", lg.renderTimeline],
    ["Sites", "sites", "allocation sites", lg.renderSites],
    ["Goroutines", "goroutines", "goroutines", lg.renderGoroutines],
    ["Blocked", "blocked", "verdicts on blocked goroutines", lg.renderBlocked],
    ["Heap", "held", "a graph of the heap", lg.renderHeap],
    ["Memory", "memory", "an account of memory", lg.renderMemory],
    ["Findings", "findings", "findings", lg.renderFindings],
    ["Source", "source", null, lg.renderSource],
    ["Changes", "changes", "change feeds", lg.renderChanges],
    ["Provenance", "provenance", "provenance", lg.renderProvenance],
  ];

  const PHASES = { "pre-kill": "captured before the kill", "post-kill": "captured after the kill", manual: "captured by hand" };

  function readReport() {
    try {
      return { report: obj(JSON.parse(document.getElementById("report").textContent)), trouble: null };
    } catch (error) {
      return { report: {}, trouble: "The report inside this file is damaged (" + error.message + ")." };
    }
  }

  function drawMasthead(report) {
    const target = obj(report.target);
    const capture = obj(report.capture);
    const phase = str(capture.phase);
    document.getElementById("masthead").append(
      h("div", { class: "brand" }, h("b", null, "lastgasp"), h("span", { "aria-hidden": "true" })),
      h("div", { class: "whose" },
        h("strong", null, str(target.service) || "A Go process"),
        [num(target.pid) === null ? null : "pid " + target.pid, str(target.go_version), phase && (lg.entry(PHASES, phase) || phase), lg.timeText(capture.taken_at)]
          .filter(Boolean).map((text) => h("span", null, text)),
        capture.complete === false ? h("span", { class: "tag" }, "incomplete: see the gaps") : null));
  }

  /** One section must not take the page down with it: a failure is shown in its place. */
  function drawSection(report, [, id, , render]) {
    try {
      return [render(report)].flat(Infinity).filter(Boolean);
    } catch (error) {
      console.error(error);
      return [h("section", { id, class: "section" }, h("p", { class: "panel" }, "This part could not be drawn: " + error.message))];
    }
  }

  function drawColophon(missing) {
    document.getElementById("colophon").append(
      missing.length === 0 ? "" : h("p", null, "Not in this report: " + missing.join(", ") + "."),
      h("ul", { class: "legend" }, ["exact", "sampled", "estimated"].map((s) => h("li", null, lg.badge(s),
        { exact: "read directly", sampled: "scaled up from a sample", estimated: "computed under an assumption" }[s]))),
      h("p", null, "1 GB = 10\u2079 bytes; point at a figure for the exact count. This file is complete: it asks the network for nothing."));
  }

  /** "#site=12" opens site 12. */
  function followHash() {
    const m = /^#site=(-?\d+)$/.exec(location.hash);
    if (m && lg.openSite) lg.openSite(Number(m[1]));
  }

  /** Mark the section in view in the navigation. */
  function watchSections(links) {
    const visible = new Set();
    const observer = new IntersectionObserver((entries) => {
      for (const e of entries) visible[e.isIntersecting ? "add" : "delete"](e.target.id);
      const first = links.find(([id]) => visible.has(id));
      if (first) links.forEach(([id, link]) => (id === first[0] ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current")));
    }, { rootMargin: "-56px 0px -55% 0px" });
    links.forEach(([id]) => observer.observe(document.getElementById(id)));
  }

  const { report, trouble } = readReport();
  drawMasthead(report);
  const main = document.getElementById("main");
  if (trouble) main.append(h("p", { class: "panel trouble", role: "alert" }, trouble));
  const links = [];
  const missing = [];
  for (const section of SECTIONS) {
    const [name, id, absent] = section;
    const nodes = drawSection(report, section);
    if (nodes.length === 0) {
      if (absent) missing.push(absent);
      continue;
    }
    main.append(...nodes);
    links.push([id, h("a", { href: "#" + id }, name)]);
  }
  document.getElementById("contents").append(...links.map(([, link]) => link));
  lg.startDrawing();
  drawColophon(missing);
  watchSections(links);

  addEventListener("hashchange", followHash);
  document.addEventListener("click", (e) => {
    // A second click on the link of the site that is already in the address changes nothing there: open it all the same.
    const link = e.target.closest('a[href^="#site="]');
    if (link && link.getAttribute("href") === location.hash) followHash();
  });
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
  addEventListener("scroll", lg.hideTip, { passive: true });
  followHash();
})((globalThis.lastgasp = globalThis.lastgasp || {}));
