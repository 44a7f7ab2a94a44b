// evidence.js: findings, change feeds, what stays unknown, and where the figures come from.

(function (lg) {
  "use strict";
  const { h, num, str, list, obj } = lg;

  lg.renderFindings = function (report) {
    const findings = list(report.findings);
    if (findings.length === 0) return null;
    return lg.section("findings", "Findings", "Every rule that fired, with its evidence and its cure.",
      h("div", { class: "findings" }, findings.map((f, i) =>
        h("details", { class: "panel finding", open: i === 0 },
          h("summary", null, lg.level(f.level), h("b", null, str(f.title) || str(f.code) || "Finding"),
            str(f.code) ? h("code", { class: "rule", title: "lastgasp explain " + f.code }, f.code) : null,
            num(f.confidence) === null ? null : h("span", { class: "quiet" }, "confidence " + f.confidence.toFixed(2))),
          str(f.sentence) ? h("p", null, f.sentence) : null,
          lg.facts(f.evidence),
          str(f.cure) ? h("p", { class: "cure" }, h("b", null, "Cure"), " ", f.cure) : null))));
  };

  lg.renderChanges = function (report) {
    const feeds = list(report.feeds).filter((f) => str(f.name) || str(f.state));
    const unknown = list(report.unknown).filter(str);
    if (feeds.length === 0 && unknown.length === 0) return null;
    const connected = (f) => f.state === "connected";
    return lg.section("changes", "What changed, and what is not known",
      feeds.some((f) => !connected(f)) ? "The absence of a feed is not the absence of a change." : null,
      h("div", { class: "pair" },
        feeds.length === 0 ? null : h("section", { class: "panel", "aria-labelledby": "feeds" }, h("h3", { id: "feeds" }, "Change feeds"),
          h("ul", { class: "feeds" }, feeds.map((f) => h("li", { class: connected(f) ? "is-connected" : "is-missing" },
            h("b", null, str(f.name) || "feed"), h("span", { class: "feed-state" }, str(f.state) || "NO FEED CONNECTED"),
            str(f.detail) ? h("p", { class: "quiet" }, f.detail) : null)))),
        unknown.length === 0 ? null : h("section", { class: "panel", "aria-labelledby": "unknown" }, h("h3", { id: "unknown" }, "Could not be established"),
          h("ul", { class: "plain-list" }, unknown.map((text) => h("li", null, text))))));
  };

  lg.renderProvenance = function (report) {
    const capture = obj(report.capture);
    const target = obj(report.target);
    const from = obj(report.provenance);
    const module = obj(target.module);
    const vcs = obj(target.vcs);
    const mono = (value) => (str(value) ? h("code", null, value) : null);
    const targetPairs = lg.pairs([
      ["Service", str(target.service)],
      ["Process", num(target.pid) === null ? null : "pid " + target.pid],
      ["Started", lg.timeText(target.started_at)],
      ["Age", num(target.age_seconds) === null ? null : lg.secondsText(target.age_seconds)],
      ["Go", str(target.go_version)],
      ["Module", str(module.path) ? [mono(module.path), str(module.version) ? " " + module.version : null] : null],
      ["Revision", str(vcs.revision) ? [h("code", { title: vcs.revision }, vcs.revision.slice(0, 12)), str(vcs.time) ? " of " + lg.timeText(vcs.time) : null, vcs.modified === true ? ", modified" : null] : null],
      ["Build id", str(target.build_id) ? h("code", { title: target.build_id, class: "clip" }, target.build_id) : null],
      ["Stripped", typeof target.stripped === "boolean" ? (target.stripped ? "yes" : "no") : null],
      ["Cgroup", mono(target.cgroup)],
      ["Container", mono(target.container)],
      ["Limit", num(target.limit_bytes) === null ? null : [lg.limitText(target.limit_bytes), str(target.limit_source) ? " from " : null, mono(target.limit_source)]],
    ]);
    const rate = num(obj(report.profile).rate_bytes);
    const capturePairs = lg.pairs([
      ["Capture", mono(capture.id)],
      ["Taken", lg.timeText(capture.taken_at)],
      ["Phase", str(capture.phase)],
      ["Reason", str(capture.reason)],
      ["Complete", typeof capture.complete === "boolean" ? (capture.complete ? "yes" : "no; see the gaps") : null],
      ["Target stood still", num(capture.stopped_ns) === null ? null : lg.secondsText(capture.stopped_ns / 1e9)],
      ["Bytes copied", num(from.bytes_copied) === null ? null : lg.bytes(from.bytes_copied)],
      ["Heap sampling", rate === null ? null : rate === 0 ? "off" : "one sample each " + lg.bytesText(rate)],
      ["Layout table", str(from.layout)],
      ["lastgasp", str(from.lastgasp_version)],
      ["Kernel", str(from.kernel)],
      ["Folder", mono(capture.path)],
    ]);
    const captures = list(obj(report.death).captures);
    const parts = captures.length < 2 ? null : h("section", { class: "panel", "aria-labelledby": "parts" },
      h("h3", { id: "parts" }, "One death, " + captures.length + " captures"),
      h("ul", { class: "plain-list" }, captures.map((c) => h("li", null,
        str(c.folder) ? h("code", null, c.folder) : h("b", null, str(c.phase) || "this one"),
        h("span", { class: "quiet" }, " ", list(c.gives).filter(str).join(", ") || "nothing that another has not")))));
    const gaps = list(capture.gaps).filter((g) => str(g.what));
    const notes = list(from.notes).filter(str);
    if (!targetPairs && !capturePairs && !parts && gaps.length === 0 && notes.length === 0) return null;
    return lg.section("provenance", "Where this comes from", null,
      h("div", { class: "pair" },
        targetPairs && h("section", { class: "panel", "aria-labelledby": "the-target" }, h("h3", { id: "the-target" }, "Target"), targetPairs),
        capturePairs && h("section", { class: "panel", "aria-labelledby": "the-capture" }, h("h3", { id: "the-capture" }, "Capture"), capturePairs)),
      parts,
      gaps.length === 0 && notes.length === 0 ? null : h("div", { class: "pair" },
        gaps.length === 0 ? null : h("section", { class: "panel", "aria-labelledby": "gaps" }, h("h3", { id: "gaps" }, "Gaps"),
          h("ul", { class: "plain-list" }, gaps.map((g) => h("li", null, h("b", null, g.what), str(g.why) ? h("span", { class: "quiet" }, " ", g.why) : null)))),
        notes.length === 0 ? null : h("section", { class: "panel", "aria-labelledby": "notes" }, h("h3", { id: "notes" }, "Notes"),
          h("ul", { class: "plain-list" }, notes.map((text) => h("li", null, text))))));
  };
})((globalThis.lastgasp = globalThis.lastgasp || {}));
