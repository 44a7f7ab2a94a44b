// sliders.js: what-ifs in a closed form, reckoned in the page from the numbers of the captures.
//
//   peak = rest + (1 + GOGC / 100) * (base heap + calls in flight * bytes a call)
//   calls in flight = arrivals * time that a call stays (Little), capped by how many are let in
//   time to the limit = (limit - usage before) / rate of the growth, in proportion to the bytes a second that arrive

(function (lg) {
  "use strict";
  const { h, num, str, list, obj } = lg;

  lg.renderWhatIfs = function (r) {
    const rows = list(r.what_if);
    const sliders = panel(obj(obj(r.drawn).numbers));
    if (rows.length === 0 && !sliders) return null;
    const range = (w) => {
      const show = str(w.measure) === "seconds" ? lg.secondsText : lg.bytesText;
      if (num(w.value) === null) return "would have held";
      return show(w.value) + " [" + (num(w.low) === null ? "?" : show(w.low)) + " to " + (num(w.high) === null ? "?" : show(w.high)) + "]";
    };
    return lg.section("what-if", "What if", "Estimates, each with its interval and how it was reckoned.",
      h("div", { class: "pair" },
        sliders,
        h("div", { class: "panel scroller" }, h("h3", null, "Reckoned"), h("table", { class: "grid" }, h("tbody", null, rows.map((w) => h("tr", { title: str(w.method) },
          h("th", { scope: "row" }, str(w.act)), h("td", { class: "numeric" }, range(w)), h("td", null, w.saves === true ? "holds" : w.saves === false ? "does not hold" : "may hold"))))),
        h("p", { class: "hint" }, "Point at a row for its method."))));
  };

  function panel(n) {
    const limit = num(n.limit), base = num(n.base_live), each = num(n.each), calls = num(n.calls);
    if (limit === null || base === null || each === null || calls === null) return null;
    const rest = num(n.beside) || 0, usage = num(n.base_usage) || base + rest, rate = num(n.rate);
    const factor = num(n.gogc_factor) || 2;
    const state = { limit, gogc: (factor - 1) * 100, cap: Math.ceil(calls), size: 1 };
    const gauge = h("div", { class: "gauge" }, h("i"));
    const words = h("strong"), more = h("span", { class: "quiet" });

    function reckon() {
      const inFlight = Math.min(calls, state.cap);
      const held = inFlight * each * state.size;
      const peak = rest + (1 + state.gogc / 100) * (base + held);
      const alive = rest + base + held;
      const scale = Math.max(peak, state.limit) * 1.1;
      gauge.classList.toggle("is-over", peak > state.limit);
      gauge.style.setProperty("--fill", String(peak / scale));
      gauge.firstChild.style.setProperty("--at", String(state.limit / scale));
      const part = (inFlight / calls) * state.size;
      const seconds = rate > 0 && part > 0 ? (state.limit - usage) / (rate * part) : Infinity;
      words.textContent = peak <= state.limit ? "peak " + lg.bytesText(peak) + ": it holds" : "peak " + lg.bytesText(peak) + ": killed" + (Number.isFinite(seconds) ? " after about " + lg.secondsText(Math.max(0, seconds)) : "");
      more.textContent = alive > state.limit ? "What is alive alone (" + lg.bytesText(alive) + ") is more than the limit: no setting of the collector helps." : "What is alive: " + lg.bytesText(alive) + ".";
    }

    const slider = (name, low, high, step, value, show, set) => {
      const out = h("output", null, show(value));
      const input = h("input", { type: "range", min: low, max: high, step, value, "aria-label": name, on: { input: (e) => { const v = Number(e.target.value); out.textContent = show(v); set(v); reckon(); } } });
      return h("label", { class: "slider" }, h("span", null, name), input, out);
    };
    const rows = [
      slider("memory limit", limit / 2, limit * 8, limit / 50, limit, lg.bytesText, (v) => { state.limit = v; }),
      slider("GOGC", 10, 400, 10, state.gogc, (v) => v + " %", (v) => { state.gogc = v; }),
      slider("calls let in at a time", 1, Math.max(2, Math.ceil(calls * 1.2)), 1, state.cap, lg.countText, (v) => { state.cap = v; }),
      slider("bytes a call (" + lg.bytesText(each) + ")", 0, 2, 0.01, 1, (v) => Math.round(v * 100) + " %", (v) => { state.size = v; }),
    ];
    reckon();
    return h("div", { class: "panel" }, h("h3", null, "Try it"), h("div", { class: "sliders" }, rows),
      h("div", { class: "outcome" }, gauge, words, more),
      h("p", { class: "hint" }, "peak = rest + (1 + GOGC/100) \u00d7 (base heap + calls in flight \u00d7 bytes a call); the mark is the limit."));
  }
})((globalThis.lastgasp = globalThis.lastgasp || {}));
