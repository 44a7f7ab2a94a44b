// verdict.js: the answer. The verdict card, the key numbers, what to do now, what it is not, and what pprof would have shown.

(function (lg) {
  "use strict";
  const { h, num, str, list, obj } = lg;

  /** The site which the verdict names, or null. Site -1 ("other sites") counts. */
  lg.verdictSite = function (report) {
    const id = num(obj(report.verdict).site);
    return id === null ? null : list(obj(report.profile).sites).find((site) => site.id === id) || null;
  };

  /** The sentence, with the guilty function set in monospace where the sentence names it. */
  function sentenceNodes(sentence, site) {
    const full = site && str(site.function);
    if (!full) return [sentence];
    const names = [full, lg.shortFunction(full), full.slice(full.lastIndexOf(".") + 1)];
    for (const name of names) {
      const at = name.length > 2 ? sentence.indexOf(name) : -1;
      if (at >= 0) return [sentence.slice(0, at), h("code", null, name), sentence.slice(at + name.length)];
    }
    return [sentence];
  }

  function confidence(verdict) {
    const value = num(verdict.confidence);
    const terms = list(verdict.confidence_terms).filter((t) => str(t.term) && num(t.value) !== null);
    if (value === null && terms.length === 0) return null;
    const most = Math.max(...terms.map((t) => Math.abs(t.value)), 1e-9);
    return h("aside", { class: "confidence", "aria-label": "Confidence" },
      value === null ? null : h("p", { class: "confidence-value" }, h("strong", null, value.toFixed(2)), " confidence"),
      list(verdict.rivals).some((r) => obj(r).state === "open") ? h("p", { class: "quiet" }, "0.60 at most, as long as a rival is open") : null,
      value === null ? null : h("div", { class: "meter", vars: { "--fill": Math.min(1, Math.max(0, value)) }, "aria-hidden": "true" }),
      terms.length === 0 ? null : h("table", { class: "terms" },
        h("caption", null, "What speaks for it, and against"),
        h("tbody", null, terms.map((t) => h("tr", null,
          h("th", { scope: "row" }, t.term),
          h("td", { class: "numeric" }, (t.value > 0 ? "+" : t.value < 0 ? "\u2212" : "") + Math.abs(t.value).toFixed(2)),
          h("td", { class: "term-bar", "aria-hidden": "true" },
            h("i", { class: t.value < 0 ? "against" : null, vars: { "--fill": Math.abs(t.value) / most } })))))));
  }

  lg.renderVerdict = function (report) {
    const verdict = obj(report.verdict);
    const site = lg.verdictSite(report);
    const level = str(verdict.level);
    const sentence = str(verdict.sentence) || (level === "none"
      ? "No finding. Nothing in this capture points at one cause."
      : str(verdict.title) || "This report carries no verdict.");
    const place = site && lg.placeText(site);
    const side = confidence(verdict);
    return h("section", { id: "verdict", class: "verdict verdict-" + (level || "absent") + (side ? "" : " verdict-alone"), "aria-labelledby": "verdict-title" },
      h("div", { class: "verdict-main" },
        h("p", { class: "eyebrow" }, lg.level(level), str(verdict.title) && sentence !== verdict.title ? h("span", null, verdict.title) : null,
          str(verdict.code) ? h("code", { class: "rule", title: "lastgasp explain " + verdict.code }, verdict.code) : null),
        h("h1", { id: "verdict-title" }, sentenceNodes(sentence, site)),
        site ? h("a", { class: "culprit", href: "#site=" + site.id },
          h("code", { class: "fn" }, str(site.function) || "(unknown function)"),
          place ? h("code", { class: "place" }, place) : null) : null,
        str(obj(report.death).sentence) ? h("p", { class: "quiet" }, report.death.sentence, ".") : null,
        lg.facts(verdict.facts)),
      side);
  };

  // ---- key numbers ---------------------------------------------------------------------------------------------------

  function tile(label, value, note) {
    return h("div", { class: "tile" }, h("dt", null, label), h("dd", null, value, note ? h("small", null, note) : null));
  }

  /** The what-if row for twice the present limit; else the first one above it. */
  function doubledLimit(report) {
    const limit = num(obj(report.target).limit_bytes);
    const rows = list(report.limit_what_if).filter((r) => num(r.limit_bytes) !== null && num(r.buys_seconds) !== null);
    if (limit === null) return rows[0] || null;
    return rows.find((r) => Math.abs(r.limit_bytes / limit - 2) < 0.01) || rows.find((r) => r.limit_bytes > limit) || null;
  }

  lg.renderNumbers = function (report) {
    const win = obj(report.window);
    const goroutines = obj(report.goroutines);
    const stopped = num(obj(report.capture).stopped_ns);
    const tiles = [];
    if (num(win.growth_bytes) === null) {
      // A capture of a calm process: where it stands, since there is no growth to tell.
      const rss = num(obj(report.memory).rss_bytes);
      const limit = num(obj(report.target).limit_bytes);
      const live = num(obj(report.gc).heap_live_bytes);
      if (rss !== null) tiles.push(tile("RSS", lg.bytes(rss), limit === null ? null : "of a limit of " + lg.limitText(limit)));
      if (live !== null) tiles.push(tile("Go heap live", lg.bytes(live), null));
    }
    if (num(win.growth_bytes) !== null) {
      const ends = num(win.start_bytes) !== null && num(win.end_bytes) !== null
        ? lg.bytesText(win.start_bytes) + " \u2192 " + lg.bytesText(win.end_bytes) : null;
      tiles.push(tile("Growth", lg.bytes(win.growth_bytes, lg.signedBytesText), ends));
    }
    if (num(win.seconds) !== null) {
      const gc = num(win.gc_cycles);
      tiles.push(tile("Window", lg.secondsText(win.seconds),
        gc === null ? null : lg.countText(gc) + (gc === 1 ? " GC cycle" : " GC cycles") + " finished in it"));
    }
    if (num(win.rate_bytes_per_s) !== null) {
      const range = num(win.rate_low_bytes_per_s) !== null && num(win.rate_high_bytes_per_s) !== null
        ? "p10\u2013p90: " + lg.bytesText(win.rate_low_bytes_per_s) + "/s \u2013 " + lg.bytesText(win.rate_high_bytes_per_s) + "/s" : null;
      tiles.push(tile("Rate", [lg.bytes(win.rate_bytes_per_s), "/s"], range));
    }
    if (num(goroutines.in_site) > 0) {
      tiles.push(tile("Goroutines in the site", lg.countText(goroutines.in_site),
        num(goroutines.total) === null ? null : "of " + lg.countText(goroutines.total)));
    } else if (num(goroutines.total) !== null) {
      tiles.push(tile("Goroutines", lg.countText(goroutines.total),
        num(goroutines.running) === null ? null : lg.countText(goroutines.running) + " running"));
    }
    const twice = doubledLimit(report);
    if (twice) {
      const limit = num(obj(report.target).limit_bytes);
      const isTwice = limit !== null && Math.abs(twice.limit_bytes / limit - 2) < 0.01;
      tiles.push(tile(isTwice ? "A doubled limit buys" : "A higher limit buys", lg.secondsText(twice.buys_seconds), "with " + lg.bytesText(twice.limit_bytes)));
    }
    if (stopped !== null) {
      tiles.push(tile("Target stood still", lg.secondsText(stopped / 1e9), stopped === 0 ? "dead already, or never stopped" : "for the capture"));
    }
    return tiles.length === 0 ? null : h("dl", { class: "tiles", "aria-label": "Key numbers" }, tiles);
  };

  // ---- do now, or else, not it ------------------------------------------------------------------------------------------------

  lg.renderActions = function (report) {
    const doNow = list(report.do_now).filter((item) => str(item.text));
    const notIt = list(report.not_it).filter((item) => str(item.suspect));
    const orElse = list(obj(report.verdict).rivals).filter((item) => str(obj(item).cause) && item.state === "open");
    if (doNow.length === 0 && notIt.length === 0 && orElse.length === 0) return null;
    return h("div", { class: "pair" },
      doNow.length === 0 ? null : h("section", { class: "panel", "aria-labelledby": "do-now" },
        h("h2", { id: "do-now" }, "Do now"),
        h("ol", { class: "steps" }, doNow.map((item) =>
          h("li", null, h("span", null, item.text), str(item.effect) ? h("small", null, item.effect) : null)))),
      orElse.length === 0 ? null : h("section", { class: "panel", "aria-labelledby": "or-else" },
        h("h2", { id: "or-else" }, "Or else"),
        h("ul", { class: "suspects rivals" }, orElse.map((item) =>
          h("li", null, h("b", null, item.cause), str(item.because) ? h("p", null, "What would tell: ", item.because) : null)))),
      notIt.length === 0 ? null : h("section", { class: "panel", "aria-labelledby": "not-it" },
        h("h2", { id: "not-it" }, "Not it"),
        h("ul", { class: "suspects" }, notIt.map((item) =>
          h("li", null, h("b", null, item.suspect), h("p", null, str(item.because), " ", lg.badge(item.source)))))));
  };

  // ---- what pprof would have shown -------------------------------------------------------------------------------------

  function bars(title, published, current) {
    if (num(published) === null && num(current) === null) return null;
    const most = Math.max(num(published) || 0, num(current) || 0, 1);
    const bar = (kind, who, value) => h("div", { class: "versus-bar versus-" + kind },
      h("span", { class: "versus-who" }, who),
      h("strong", null, lg.bytes(value)),
      h("div", { class: "track", "aria-hidden": "true" }, h("i", { vars: { "--fill": Math.max(0, num(value) || 0) / most } })));
    return h("div", { class: "versus-group" }, h("h3", null, title),
      bar("published", ["pprof would have said"], published), bar("current", ["the process really held"], current));
  }

  lg.renderPprof = function (report) {
    const pprof = obj(report.pprof);
    const site = lg.verdictSite(report);
    const groups = [
      bars(site ? ["This site: ", h("code", null, lg.shortFunction(site.function))] : "This site", pprof.site_published_bytes, pprof.site_current_bytes),
      bars("All sites", pprof.total_published_bytes, pprof.total_current_bytes),
    ].filter(Boolean);
    if (groups.length === 0 && !str(pprof.sentence)) return null;
    return lg.section("pprof", "What pprof would have shown",
      "Go publishes heap counters two GC cycles late. A fast death is over before they arrive; lastgasp reads the unpublished cycles too.",
      h("div", { class: "panel" },
        groups.length === 0 ? null : h("div", { class: "versus" }, groups),
        str(pprof.sentence) ? h("p", { class: "takeaway" }, pprof.sentence) : null));
  };
})((globalThis.lastgasp = globalThis.lastgasp || {}));
