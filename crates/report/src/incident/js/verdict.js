// verdict.js: the sentence, how sure it is, what to do now, what it is not, and the six rows.

(function (lg) {
  "use strict";
  const { h, num, str, list, obj } = lg;

  const clock = (text) => { const m = /T(\d\d:\d\d:\d\d)/.exec(str(text) || ""); return m ? m[1] + "Z" : null; };
  lg.clockText = clock;

  lg.renderIncidentVerdict = function (r) {
    const cause = obj(r.cause);
    const kills = num(r.kills) || 0;
    const sure = num(r.confidence);
    const level = kills > 0 ? "critical" : "warning";
    const first = obj(list(r.causes)[0]);
    const unknown = str(cause.kind) === "unknown" || str(cause.kind) === null;
    const terms = unknown ? [] : list(first.terms);
    const most = lg.most(terms.map((t) => Math.abs(num(t.log_odds) || 0)), 1);
    return h("section", { id: "verdict", class: "verdict verdict-" + level },
      h("div", null,
        h("div", { class: "eyebrow" },
          h("span", { class: "level level-" + level }, kills > 0 ? lg.countText(kills) + (kills === 1 ? " kill" : " kills") : "no kill"),
          h("span", null, "cause: ", h("strong", null, str(cause.kind) || "unknown")),
          str(cause.at) ? h("span", null, "at " + lg.timeText(cause.at)) : null),
        h("h1", null, unknown ? "Why is not known" : [str(cause.kind), " ", h("code", null, str(cause.key) || "")]),
        h("p", { class: "lede verdict-text" }, (str(r.sentence) || "") + ".")),
      h("aside", { class: "confidence" },
        h("p", { class: "confidence-value" }, h("strong", null, sure === null ? "\u2013" : Math.round(sure * 100) + " %"), unknown ? "sure that it is not known" : "confidence"),
        h("div", { class: "meter", vars: { "--fill": Math.min(1, Math.max(0, sure || 0)) } }),
        terms.length ? h("table", { class: "terms" },
          h("caption", null, "log-odds, term by term"),
          h("tbody", null, terms.map((t) => h("tr", { title: str(t.text) },
            h("th", { scope: "row" }, str(t.name)),
            h("td", { class: "numeric" }, (num(t.log_odds) > 0 ? "+" : "") + (num(t.log_odds) || 0).toFixed(1)),
            h("td", { class: "term-bar" }, h("i", { class: num(t.log_odds) < 0 ? "against" : null, vars: { "--fill": Math.abs(num(t.log_odds) || 0) / most } })))))) : null));
  };

  const aboutText = (s) => (s < 60 ? s + " s" : s < 3600 ? Math.round(s / 60) + " min" : Math.round(s / 3600) + " h");

  lg.renderActs = function (r) {
    const acts = list(r.do_now);
    if (acts.length === 0) return null;
    return lg.section("do-now", "Do now", "What ends it first, then what holds it; seconds are until it helps, about.",
      h("div", { class: "panel" }, h("ol", { class: "acts" }, acts.map((a) => h("li", { class: a.ends_it === true ? "ends" : null },
        h("span", { class: "act" }, str(a.act)),
        h("span", { class: "cost" }, "in about " + aboutText(num(a.seconds_to_act) || 0), num(a.peak_bytes) !== null ? ["; peak ", lg.bytes(a.peak_bytes)] : null),
        h("span", { class: "effect" }, str(a.effect)))))));
  };

  const stateClass = (state) => (state === "found" ? "state state-found" : state === "not found" ? "state" : "state state-no");

  lg.renderChecks = function (r) {
    const checks = list(r.checks);
    const not = list(r.not_it);
    return lg.section("checks", "First aid: six questions", "Absence of a feed is not absence of change.",
      h("div", { class: "panel scroller" }, h("table", { class: "checks" }, h("tbody", null, checks.map((c) => h("tr", null,
        h("th", { scope: "row" }, str(c.title) || str(c.name)),
        h("td", null, h("span", { class: stateClass(str(c.state)) }, str(c.state))),
        h("td", null, str(c.text))))))),
      not.length ? h("div", { class: "panel not-it" }, h("h3", null, "What it is not"), h("ul", { class: "plain-list" }, not.map((n) => h("li", null, h("strong", null, str(n.suspect) || ""), ": ", str(n.because))))) : null);
  };
})((globalThis.lastgasp = globalThis.lastgasp || {}));
