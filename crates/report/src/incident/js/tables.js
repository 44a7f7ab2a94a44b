// tables.js: causes with their terms, the order of onsets, what is not known, and the captures.

(function (lg) {
  "use strict";
  const { h, num, str, list, obj } = lg;

  lg.renderRanking = function (r) {
    const causes = list(r.causes);
    if (causes.length === 0) return null;
    return lg.section("ranking", "Causes, ranked", "Log-odds, term by term: what speaks for each and what against it. Weights are constants, chosen and documented; nothing is learnt.",
      h("div", { class: "panel" }, causes.map((c, n) => h("details", { class: "cause", open: n === 0 },
        h("summary", null, h("strong", null, str(c.kind), " ", h("code", null, str(c.key) || "")), str(c.at) ? h("span", { class: "quiet" }, "at " + lg.clockText(c.at)) : null,
          c.rivals_excluded === true ? h("span", { class: "state" }, "rivals excluded") : null,
          h("span", { class: "sure" }, Math.round((num(c.confidence) || 0) * 100) + " %, log-odds " + signed(c.log_odds))),
        h("div", { class: "track", vars: { "--fill": Math.min(1, num(c.confidence) || 0) } }, h("i")),
        h("p", null, str(c.sentence)),
        h("table", null, h("tbody", null, list(c.terms).map((t) => h("tr", null,
          h("td", { class: "odds " + (num(t.log_odds) > 0 ? "for" : num(t.log_odds) < 0 ? "against" : "") }, signed(t.log_odds)), h("td", { class: "term-name" }, str(t.name)), h("td", null, str(t.text))))))))));
  };

  const signed = (x) => (num(x) > 0 ? "+" : "") + (num(x) === null ? "\u2013" : num(x).toFixed(1).replace("-", "\u2212"));

  lg.renderOrder = function (r) {
    const order = list(r.order);
    const loop = obj(r.loop);
    if (order.length === 0) return null;
    const lag = (o) => (num(o.lag) === null ? "\u2013" : (num(o.lag) > 0 ? "+" : "") + lg.secondsText(o.lag));
    return lg.section("order", "Cause before consequence", "Lag from the onset of memory, over processes; p is the sign test's chance that so many would agree.",
      h("div", { class: "panel scroller" }, h("table", { class: "grid" },
        h("thead", null, h("tr", null, ["series", "lag", "agree", "p", "says", ""].map((t) => h("th", { scope: "col" }, t)))),
        h("tbody", null, order.map((o) => h("tr", null, h("th", { scope: "row" }, str(o.series)), h("td", { class: "numeric" }, str(o.series) === "memory" ? "0" : lag(o)),
          h("td", { class: "numeric" }, (num(o.of) || 0) > 0 ? lg.countText(o.agree) + " of " + lg.countText(o.of) : "\u2013"),
          h("td", { class: "numeric" }, num(o.p) === null ? "\u2013" : o.p < 0.001 ? o.p.toExponential(0) : o.p.toFixed(3)), h("td", null, str(o.relation)), h("td", null, str(o.text))))))),
      str(loop.name) ? h("div", { class: "panel loop" }, h("h3", null, "What keeps it going: " + loop.name), h("p", null, str(loop.text)), h("p", null, h("strong", null, "Then: "), str(loop.cure))) : null);
  };

  lg.renderRest = function (r) {
    const unknown = list(r.unknown).filter((u) => typeof u === "string");
    const captures = list(r.captures);
    // A path of this machine: a link to the report in the folder, which opens where the page was made.
    const link = (path) => (path.startsWith("/") ? h("a", { href: "file://" + path.split("/").map(encodeURIComponent).join("/") + "/report.html" }, path.split("/").pop()) : h("code", null, path));
    return lg.section("evidence", "Evidence", null, h("div", { class: "pair" },
      h("div", { class: "panel" }, h("h3", null, "Captures, the one that tells most first"), h("ul", { class: "plain-list" }, captures.slice(0, 12).map((c) =>
        h("li", null, link(str(c.path) || "?"), " ", h("span", { class: "quiet" }, str(c.says) || "", c.light === true ? " (light)" : ""))), captures.length > 12 ? h("li", null, "and " + (captures.length - 12) + " more") : null)),
      h("div", { class: "panel" }, h("h3", null, "What is not known"), unknown.length ? h("ul", { class: "plain-list" }, unknown.map((u) => h("li", null, u))) : h("p", null, "Nothing that was asked for is missing."))));
  };
})((globalThis.lastgasp = globalThis.lastgasp || {}));
