// run.js FOLDER [untouched]: opens every page FOLDER/*.html with the stand-in of dom.js, as a browser would: runs its scripts, then (unless
// told not to) touches whatever can be touched. Prints one JSON line for each page: its name, what was wrong with it, and what it shows.

"use strict";

const fs = require("node:fs");
const path = require("node:path");
const vm = require("node:vm");
const dom = require("./dom.js");

/** Elements that the page makes. What is not here (script, img, iframe, form, a foreign object ...) is not for it to make. */
const MADE = new Set(("a aside b button caption code dd details div dl dt em h1 h2 h3 h4 i input label li ol option p pre section select small span strong " +
  "summary table tbody td tfoot th thead time tr ul svg circle clippath defs g line lineargradient marker path pattern rect stop text title tspan").split(" "));
const ODD = /\bNaN\b|\bundefined\b|\[object |\bInfinity\b/;
const DECEIVING = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/;
/** What the page writes itself into attributes and styles; text of the process may say NaN or undefined and be right. */
const FIGURES = new Set("d x y x1 x2 y1 y2 cx cy r rx width height viewBox transform points offset colspan".split(" "));

function open(file, width, hash) {
  const trouble = [];
  const html = fs.readFileSync(file, "utf8");
  const document = dom.parse(html, width);
  const shell = new Set(document.all());
  const windowListeners = new dom.Node(document);
  const frames = [];
  const observers = [];
  class Observer {
    constructor(callback) { this.callback = callback; this.targets = []; observers.push(this); }
    observe(element) {
      if (!(element instanceof dom.Element)) throw new TypeError("observe() of what is no element");
      this.targets.push(element);
    }
    unobserve() {}
    disconnect() {}
  }
  const location = { hash, href: "file:///report.html" + hash };
  const window = {
    document, location, Node: dom.Node, Element: dom.Element, Text: dom.Text, innerWidth: width, innerHeight: 800, devicePixelRatio: 1,
    ResizeObserver: Observer, IntersectionObserver: Observer,
    requestAnimationFrame: (f) => frames.push(f), cancelAnimationFrame() {},
    setTimeout: (f) => frames.push(f), clearTimeout() {},
    addEventListener: (type, f) => windowListeners.addEventListener(type, f),
    getComputedStyle: () => ({ getPropertyValue: () => "", fontSize: "16px" }),
    matchMedia: () => ({ matches: false, addEventListener() {} }),
    history: { replaceState(_, __, url) { if (String(url).startsWith("#")) location.hash = String(url); } },
    CSS: { escape: (text) => String(text).replace(/[^\w-]|^\d/g, (c) => "\\" + c.codePointAt(0).toString(16) + " ") },
    scrollTo() {}, scrollX: 0, scrollY: 0,
    console: { error: (...what) => trouble.push("console.error: " + what.map((w) => (w && w.stack) || w).join(" ")), log() {}, warn() {} },
  };
  window.window = window;
  window.self = window;
  // As the page's own policy has it: no code out of strings.
  const context = vm.createContext(window, { codeGeneration: { strings: false, wasm: false } });
  const attempt = (what, act) => {
    try {
      act();
      while (frames.length > 0) frames.shift()(0);
    } catch (error) {
      trouble.push(what + ": " + ((error && error.stack) || error));
    }
  };
  const scripts = document.querySelectorAll("script");
  if (scripts.length !== 2) trouble.push(scripts.length + " script elements, not the document and the code");
  for (const script of scripts.filter((s) => s.getAttribute("type") === null)) {
    attempt("script", () => vm.runInContext(script.textContent, context, { filename: path.basename(file) + ".js", timeout: 60000 }));
  }
  return { document, shell, trouble, attempt, observers, windowListeners, location, frames };
}

/** Points at, clicks and types into everything, as a reader would. */
function touch(page) {
  const { document, attempt, observers, windowListeners } = page;
  const at = { clientX: 200, clientY: 100, pointerType: "mouse", button: 0, shiftKey: false };
  attempt("resize", () => { document.width = Math.floor(document.width / 2); for (const o of observers) o.callback(o.targets.map((target) => ({ target, isIntersecting: true }))); });
  const some = (selector, most) => document.querySelectorAll(selector).slice(0, most);
  for (const details of some("details", 50)) details.open = true;
  for (const selector of ["button", "[role=\"treeitem\"]", "a", "th"]) {
    for (const node of some(selector, 60)) {
      if (node.isConnected) attempt("click on " + selector, () => node.dispatch("click", at));
    }
  }
  for (const node of [...some("svg", 5), ...some(".flame", 2), ...some(".frame", 20), ...some("tr", 20)]) {
    for (const type of ["pointerenter", "pointerover", "pointermove", "pointerdown", "pointermove", "pointerup", "dblclick", "pointerleave", "pointerout"]) {
      if (node.isConnected) attempt(type, () => node.dispatch(type, { ...at, clientX: 10 + Math.random() * document.width, relatedTarget: null }));
    }
    for (const key of ["ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp", "Home", "End", "Enter", " ", "Escape"]) {
      if (node.isConnected) attempt("key " + key, () => node.dispatch("keydown", { key }));
    }
    attempt("blur", () => node.dispatch("blur"));
  }
  for (const input of some("input", 10)) {
    for (const text of ["main", "</script>", "(", "\\", ""]) {
      attempt("search for " + text, () => { input.value = text; input.dispatch("input"); input.dispatch("keydown", { key: "Enter" }); });
    }
  }
  attempt("key /", () => document.dispatch("keydown", { key: "/", target: document.body }));
  for (const hash of ["#site=0", "#site=-1", "#site=999999", "#verdict", "#site=<img src=x>"]) {
    attempt("hash " + hash, () => { page.location.hash = hash; windowListeners.dispatch("hashchange"); });
  }
  attempt("print", () => windowListeners.dispatch("beforeprint"));
  attempt("scroll", () => windowListeners.dispatch("scroll"));
}

/** What must hold of any page, whatever its document holds. */
function check(page) {
  const { document, shell, trouble } = page;
  const complain = (text) => { if (trouble.length < 20) trouble.push(text); };
  const ids = new Set();
  for (const node of document.all()) {
    if (node instanceof dom.Element && node.id) {
      if (ids.has(node.id)) complain("two elements have the id " + node.id);
      ids.add(node.id);
    }
    if (shell.has(node)) continue;
    if (node instanceof dom.Text) {
      if (node.parentNode && shell.has(node.parentNode) && ["style", "script", "title"].includes(node.parentNode.tagName)) continue;
      if (DECEIVING.test(node.data)) complain("an invisible or turning character in the text " + JSON.stringify(node.data.slice(0, 80)));
      if (/^(NaN|undefined|null|Infinity|-Infinity)$|NaN|\[object /.test(node.data)) complain("an odd text: " + JSON.stringify(node.data.slice(0, 80)));
      continue;
    }
    if (!MADE.has(node.tagName.toLowerCase())) complain("the page made a <" + node.tagName + ">");
    for (const [name, value] of node.attributes) {
      if (/^on/i.test(name) || name === "style" || name === "src" || name === "srcdoc" || name === "xlink:href") complain("attribute " + name + " of <" + node.tagName + ">");
      if (name === "href" && !value.startsWith("#")) complain("a link to " + value.slice(0, 80));
      if (FIGURES.has(name) && ODD.test(value)) complain(node.tagName + " " + name + "=" + value.slice(0, 80));
    }
    for (const [name, value] of node.styles) {
      if (ODD.test(value) || /url\(|expression|;/i.test(value)) complain("style " + name + ": " + value.slice(0, 80));
    }
  }
  for (const p of document.querySelectorAll("p")) if (/could not be drawn/.test(p.textContent)) complain(p.textContent);
}

/** What a reader sees, one line for each block; the same for the same document. */
function shown(document) {
  const main = document.getElementById("main");
  return {
    sections: main.children.filter((e) => e.tagName === "section" && e.id).map((e) => e.id),
    links: document.getElementById("contents").children.map((e) => e.textContent),
    missing: document.querySelectorAll("p").map((p) => p.textContent).find((t) => t.startsWith("Not in this report")) || "",
    verdict: (document.getElementById("verdict-title") || { textContent: "" }).textContent,
    text: ["masthead", "main", "colophon"].map((id) => document.getElementById(id).textContent).join(" "),
    charts: document.querySelectorAll("svg").length,
    rows: document.querySelectorAll("tr").length,
    frames: document.querySelectorAll(".frame").length,
  };
}

const folder = process.argv[2];
for (const name of fs.readdirSync(folder).filter((n) => n.endsWith(".html")).sort()) {
  let trouble = [];
  let what = null;
  for (const [width, hash] of [[1200, ""], [360, "#site=0"]]) {
    try {
      const page = open(path.join(folder, name), width, hash);
      check(page);
      what = what || shown(page.document);
      // A document of many megabytes is drawn and looked at; to touch it all would take minutes.
      if (process.argv[3] !== "untouched" && fs.statSync(path.join(folder, name)).size < 8e6) {
        touch(page);
        check(page);
      }
      trouble.push(...page.trouble.map((t) => "at width " + width + ": " + t));
    } catch (error) {
      trouble.push("at width " + width + ": " + ((error && error.stack) || error));
    }
  }
  process.stdout.write(JSON.stringify({ name: name.slice(0, -5), trouble: [...new Set(trouble)].slice(0, 10), shown: what }) + "\n");
}
