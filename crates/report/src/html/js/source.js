// source.js: lines of the source around allocation sites and findings. They are there when the report was made
// with --source; the page shows what the document has and reads no file.

(function (lg) {
  "use strict";
  const { h, num, str, list, obj } = lg;

  /** Excerpts and lines that are drawn at most: the document is bounded, and foreign all the same. */
  const MOST = 60;
  const MOST_LINES = 40;

  function code(excerpt) {
    const first = num(excerpt.first);
    const lines = (Array.isArray(excerpt.lines) ? excerpt.lines : []).slice(0, MOST_LINES);
    if (first === null || lines.length === 0) return null;
    return h("pre", { class: "source-lines", tabindex: "0", "aria-label": "Lines of " + (str(excerpt.file) || "the source") },
      lines.map((line, i) => h("span", { class: first + i === excerpt.line ? "source-line is-meant" : "source-line" },
        h("span", { class: "source-number", "aria-hidden": "true" }, String(first + i)),
        h("code", null, (typeof line === "string" ? line : "").replace(/\t/g, "    ") || " "),
        first + i === excerpt.line ? h("span", { class: "visually-hidden" }, " (this line)") : null)));
  }

  function reason(finding) {
    return h("div", { class: "source-finding" },
      h("p", null, str(finding.level) ? h("b", null, finding.level + " ") : null,
        str(finding.code) ? h("code", { class: "rule", title: "lastgasp explain " + finding.code }, finding.code) : null, " ", str(finding.sentence)),
      str(finding.cure) ? h("p", { class: "cure" }, h("b", null, "Cure"), " ", finding.cure) : null);
  }

  lg.renderSource = function (report) {
    const source = obj(report.source);
    const excerpts = list(source.excerpts).map(obj).slice(0, MOST);
    const gaps = list(source.gaps).filter(str);
    if (excerpts.length === 0 && gaps.length === 0) return null;
    const findings = new Map(list(source.findings).map(obj).filter((f) => str(f.fingerprint)).map((f) => [f.fingerprint, f]));
    const diffs = new Map(list(source.cures).map(obj).filter((c) => str(c.finding) && str(c.diff)).map((c) => [c.finding, c.diff]));
    return lg.section("source", "Source", "The lines where most was allocated and where findings stand, as they are in the folder that was given.",
      h("div", { class: "findings" }, excerpts.map((e, i) => {
        const here = list(e.findings).map((f) => findings.get(f)).filter(Boolean);
        const sites = list(e.sites).filter((id) => num(id) !== null);
        return h("details", { class: "panel finding source-excerpt", open: i < 3 },
          h("summary", null, h("b", null, (str(e.file) || "source") + (num(e.line) === null ? "" : ":" + e.line)),
            str(e.function) ? h("code", null, e.function) : null,
            sites.map((id) => h("a", { href: "#site=" + id }, "site " + id))),
          str(e.note) ? h("p", { class: "quiet" }, e.note) : null,
          code(e),
          here.map(reason),
          here.filter((f) => diffs.has(f.fingerprint)).map((f) =>
            h("div", null, h("p", { class: "quiet" }, "A cure to read; nothing applies it:"), h("pre", { class: "source-lines" }, diffs.get(f.fingerprint).replace(/\t/g, "    ")))));
      })),
      gaps.length === 0 ? null : h("ul", { class: "plain-list quiet" }, gaps.map((g) => h("li", null, g))));
  };
})((globalThis.lastgasp = globalThis.lastgasp || {}));
