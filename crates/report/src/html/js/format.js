// format.js: reading the JSON carefully, formatting its figures, and building DOM nodes.
//
// Two rules hold everywhere in this page:
//   1. Every field is optional. Read through num(), str(), list() and obj(), which never throw.
//   2. Every string came from a foreign binary. It reaches the page only as a text node (see h()), never as markup.

(function (lg) {
  "use strict";

  // ---- reading -------------------------------------------------------------------------------------------------------

  /** A number that can be added up and scaled without overflowing, or null: no counter and no clock comes near the bound. */
  lg.num = (x) => (typeof x === "number" && Math.abs(x) < 1e100 ? x : null);

  /** A non-empty string, or null. */
  lg.str = (x) => (typeof x === "string" && x !== "" ? x : null);

  /** An array without its null entries; anything else is an empty list. */
  lg.list = (x) => (Array.isArray(x) ? x.filter((item) => item !== null && item !== undefined) : []);

  /** An object; anything else is an empty object. */
  lg.obj = (x) => (x !== null && typeof x === "object" && !Array.isArray(x) ? x : {});

  /** The entry of a table, or undefined: a name may well be "constructor". */
  lg.entry = (table, name) => (Object.hasOwn(table, name) ? table[name] : undefined);

  /** The largest of any number of values, and of `least`. (Spread into Math.max() too many are too many arguments.) */
  lg.most = (values, least) => values.reduce((a, b) => Math.max(a, b), least);

  /** Any value as text, also an object that cannot be made into one. */
  const text = (x) => (x !== null && typeof x === "object" ? JSON.stringify(x) : String(x));

  // Control characters and bidirectional overrides could make a function name read as something it is not. Show them by number.
  const DECEIVING = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

  /** The same text with invisible and direction-changing characters spelled out. */
  lg.clean = (value) =>
    text(value).replace(DECEIVING, (c) => "\\u" + c.codePointAt(0).toString(16).padStart(4, "0"));

  // ---- figures -------------------------------------------------------------------------------------------------------

  const BYTE_UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];
  const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
  const MINUS = "\u2212";
  const NO_VALUE = "\u2013";

  /** Three significant digits, no exponent: 1.23, 12.3, 123. */
  function threeDigits(x) {
    const a = Math.abs(x);
    return a >= 100 ? x.toFixed(0) : a >= 10 ? x.toFixed(1) : x.toFixed(2);
  }

  const withMinus = (text) => text.replace(/^-/, MINUS);

  /** Decimal units (1 GB = 10^9 bytes), three digits: "1.20 GB". */
  lg.bytesText = function (value) {
    const n = lg.num(value);
    if (n === null) return NO_VALUE;
    let x = n;
    let unit = 0;
    while (Math.abs(x) >= 999.5 && unit < BYTE_UNITS.length - 1) {
      x /= 1000;
      unit += 1;
    }
    const digits = unit === 0 ? String(Math.round(x)) : threeDigits(x);
    return withMinus(digits) + " " + BYTE_UNITS[unit];
  };

  /** "+1.20 GB" or "−0.20 GB": for differences. */
  lg.signedBytesText = (value) => (lg.num(value) > 0 ? "+" : "") + lg.bytesText(value);

  /** A limit somebody typed in binary units is also told in those: "1.61 GB (1.5 GiB)". */
  lg.limitText = function (value) {
    const n = lg.num(value);
    if (n === null) return NO_VALUE;
    for (const [size, name] of [[2 ** 30, "GiB"], [2 ** 20, "MiB"]]) {
      const x = n / size;
      if (x >= 1 && Number.isInteger(x * 4)) return lg.bytesText(n) + " (" + x + " " + name + ")";
    }
    return lg.bytesText(n);
  };

  /** 12,345 */
  lg.countText = (value) => (lg.num(value) === null ? NO_VALUE : withMinus(grouped.format(value)));

  /** A duration in seconds, in the unit a reader would choose: "41 ms", "3.60 s", "4 min 12 s", "3 h 5 min". */
  lg.secondsText = function (value) {
    const n = lg.num(value);
    if (n === null) return NO_VALUE;
    const a = Math.abs(n);
    const sign = n < 0 ? MINUS : "";
    if (a === 0) return "0 s";
    if (a < 1e-3) return sign + threeDigits(a * 1e6) + " \u00b5s";
    if (a < 0.9995) return sign + threeDigits(a * 1e3) + " ms";
    if (a < 120) return sign + threeDigits(a) + " s";
    if (a < 7200) return sign + Math.floor(a / 60) + " min " + Math.round(a % 60) + " s";
    if (a < 172800) return sign + Math.floor(a / 3600) + " h " + Math.round((a % 3600) / 60) + " min";
    return sign + threeDigits(a / 86400) + " days";
  };

  /** part / whole as "97 %", or null where it would mean nothing. */
  lg.percentText = function (part, whole) {
    if (lg.num(part) === null || !(whole > 0)) return null;
    const p = (100 * part) / whole;
    if (p !== 0 && Math.abs(p) < 0.1) return "< 0.1 %";
    return withMinus(Math.abs(p) >= 9.95 ? p.toFixed(0) : p.toFixed(1)) + " %";
  };

  /** RFC 3339 as people read it: the same instant and offset, without the T and the fraction. */
  lg.timeText = function (value) {
    const m = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)$/.exec(lg.str(value) || "");
    return m ? m[1] + " " + m[2] + (m[3] === "Z" ? " UTC" : " " + m[3]) : lg.str(value);
  };

  // ---- names of functions --------------------------------------------------------------------------------------------

  /** "github.com/a/b/pkg.(*T).Run" -> "pkg.(*T).Run" (a generic's type arguments may hold slashes too: leave those alone). */
  lg.shortFunction = function (name) {
    const text = lg.str(name) || "(unknown function)";
    const bracket = text.indexOf("[");
    const slash = text.lastIndexOf("/", bracket < 0 ? text.length : bracket);
    return text.slice(slash + 1);
  };

  /** "server.go:87" with the whole path, or null. */
  lg.placeText = function (frame) {
    const file = lg.str(frame.file);
    if (file === null) return null;
    return lg.num(frame.line) > 0 ? file + ":" + frame.line : file;
  };

  // ---- DOM -----------------------------------------------------------------------------------------------------------

  function fill(node, props, children) {
    for (const [key, value] of Object.entries(props || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (key === "on") for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
      else if (key === "vars") for (const [name, v] of Object.entries(value)) node.style.setProperty(name, String(v));
      else if (value === true) node.setAttribute(key, "");
      else node.setAttribute(key, key === "title" || key === "aria-label" ? lg.clean(value) : text(value));
    }
    lg.append(node, children);
    return node;
  }

  /** Append nodes, strings (as text nodes) and nested lists of both; null and false are skipped. */
  lg.append = function (node, children) {
    for (const child of [children].flat(Infinity)) {
      if (child === null || child === undefined || child === false) continue;
      node.append(child instanceof Node ? child : document.createTextNode(lg.clean(child)));
    }
    return node;
  };

  /** h("p", {class: "lede"}, "text", node, ...): an HTML element. `vars` sets style properties, `on` sets listeners. */
  lg.h = (tag, props, ...children) => fill(document.createElement(tag), props, children);

  /** The same for SVG. */
  lg.svg = (tag, props, ...children) => fill(document.createElementNS("http://www.w3.org/2000/svg", tag), props, children);

  const h = lg.h;

  /** A byte figure whose exact value is in its tooltip. */
  lg.bytes = (value, format) =>
    h("span", { class: "n", title: lg.num(value) === null ? null : lg.countText(value) + " bytes" }, (format || lg.bytesText)(value));

  const SOURCES = {
    exact: ["\u25cf", "Read directly; not a sample."],
    sampled: ["\u25d0", "Scaled up from a sample of allocations."],
    estimated: ["\u25cb", "Computed under an assumption."],
  };

  /** The badge which says where a figure comes from. The sign differs as well as the colour. */
  lg.badge = function (source, detail) {
    const name = lg.str(source);
    if (name === null) return null;
    const known = lg.entry(SOURCES, name);
    const [sign, what] = known || ["\u25c7", "Source: " + name];
    return h("span", { class: "badge badge-" + (known ? name : "other"), title: detail || what },
      h("span", { "aria-hidden": "true" }, sign), " ", name);
  };

  const LEVELS = { critical: "critical", warning: "warning", info: "info", none: "no finding" };

  /** The pill for a level. An unknown level (a newer writer) is shown as it is. */
  lg.level = function (level) {
    const name = lg.str(level);
    if (name === null) return null;
    const known = lg.entry(LEVELS, name);
    return h("span", { class: "level level-" + (known ? name : "info") }, known || name);
  };

  /** A list of {text, source}. */
  lg.facts = function (facts) {
    const rows = lg.list(facts).filter((fact) => lg.str(fact.text));
    if (rows.length === 0) return null;
    return h("ul", { class: "facts" }, rows.map((fact) => h("li", null, h("span", null, fact.text), " ", lg.badge(fact.source))));
  };

  /** A call stack, innermost frame first. */
  lg.stack = function (frames) {
    const rows = lg.list(frames);
    if (rows.length === 0) return h("p", { class: "quiet" }, "No stack was recorded.");
    return h("ol", { class: "stack" }, rows.map((frame) =>
      h("li", null,
        h("code", { class: "fn" }, lg.str(frame.function) || "(unknown function)"),
        lg.placeText(frame) ? h("code", { class: "place" }, lg.placeText(frame)) : null)));
  };

  /** Term and value pairs; pairs without a value are left out. Null if nothing is left. */
  lg.pairs = function (pairs) {
    const rows = pairs.filter(([, value]) => value !== null && value !== undefined);
    if (rows.length === 0) return null;
    return h("dl", { class: "pairs" }, rows.map(([term, value]) => h("div", null, h("dt", null, term), h("dd", null, value))));
  };

  /** A section of the page with its heading and one sentence on how to read it. */
  lg.section = (id, title, lede, ...children) =>
    h("section", { id, class: "section", "aria-labelledby": id + "-title" },
      h("div", { class: "section-head" }, h("h2", { id: id + "-title" }, title), lede ? h("p", { class: "lede" }, lede) : null),
      children);

  // ---- drawing to a width --------------------------------------------------------------------------------------------

  const waiting = [];

  /** Call draw() once the element is in the page (see startDrawing), and again whenever its width has changed. */
  lg.onWidth = (element, draw) => waiting.push([element, draw]);

  lg.startDrawing = function () {
    for (const [element, draw] of waiting.splice(0)) {
      let width = element.clientWidth;
      draw();
      new ResizeObserver(() => requestAnimationFrame(() => {
        if (element.clientWidth === width) return;
        width = element.clientWidth;
        draw();
      })).observe(element);
    }
  };

  // ---- the one tooltip -----------------------------------------------------------------------------------------------

  /** Show nodes beside a point of the viewport. */
  lg.showTip = function (x, y, ...children) {
    const tip = document.getElementById("tip");
    tip.replaceChildren();
    lg.append(tip, children);
    tip.hidden = false;
    const { width, height } = tip.getBoundingClientRect();
    const room = document.documentElement.clientWidth;
    const left = x + 14 + width > room ? x - 14 - width : x + 14;
    const top = y + 16 + height > window.innerHeight ? y - 12 - height : y + 16;
    tip.style.left = Math.min(Math.max(4, left), Math.max(4, room - width - 4)) + "px";
    tip.style.top = Math.max(4, top) + "px";
  };

  lg.hideTip = () => { document.getElementById("tip").hidden = true; };
})((globalThis.lastgasp = globalThis.lastgasp || {}));
