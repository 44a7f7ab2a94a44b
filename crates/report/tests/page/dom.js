// dom.js: as much of a browser's DOM as the report page uses, without a library. It never parses what scripts give it: ways to
// hand markup over (innerHTML and its like) throw, so a page that tries one fails its test.

"use strict";

class Node {
  constructor(document) {
    this.ownerDocument = document;
    this.parentNode = null;
    this.childNodes = [];
    this.listeners = new Map();
  }
  get children() { return this.childNodes.filter((n) => n instanceof Element); }
  get parentElement() { return this.parentNode instanceof Element ? this.parentNode : null; }
  get firstChild() { return this.childNodes[0] || null; }
  get textContent() { return this.childNodes.map((n) => n.textContent).join(""); }
  set textContent(text) { this.replaceChildren(String(text)); }
  get isConnected() { return this === this.ownerDocument.documentElement || (this.parentNode !== null && this.parentNode.isConnected); }
  contains(other) { return other === this || (other !== null && other.parentNode !== null && this.contains(other.parentNode)); }
  remove() {
    if (this.parentNode === null) return;
    this.parentNode.childNodes = this.parentNode.childNodes.filter((n) => n !== this);
    this.parentNode = null;
  }
  append(...nodes) {
    for (const given of nodes) {
      const node = given instanceof Node ? given : this.ownerDocument.createTextNode(given);
      if (node.contains(this)) throw new Error("HierarchyRequestError");
      node.remove();
      node.parentNode = this;
      this.childNodes.push(node);
    }
  }
  replaceChildren(...nodes) {
    for (const node of this.childNodes) node.parentNode = null;
    this.childNodes = [];
    this.append(...nodes);
  }
  addEventListener(type, handler) {
    if (typeof handler !== "function") throw new TypeError("a listener that is no function for " + type);
    this.listeners.set(type, [...(this.listeners.get(type) || []), handler]);
  }
  /** Calls the listeners of the node and of all around it. */
  dispatch(type, more = {}) {
    const event = { type, target: this, defaultPrevented: false, preventDefault() { this.defaultPrevented = true; }, stopPropagation() { this.stopped = true; }, ...more };
    for (let node = this; node !== null && !event.stopped; node = node.parentNode) {
      event.currentTarget = node;
      for (const handler of node.listeners.get(type) || []) handler.call(node, event);
    }
    return event;
  }
  /** All nodes below, in the order of the document, as they stand now. */
  all() {
    const found = [];
    this.find((node) => { found.push(node); return false; });
    return found;
  }
  /** The first node below that `is` says yes to. (Generators within generators were slow.) */
  find(is) {
    for (const node of this.childNodes) {
      const found = is(node) ? node : node.find(is);
      if (found !== null) return found;
    }
    return null;
  }
  querySelectorAll(selector) {
    const fits = matcher(selector);
    return this.all().filter((n) => n instanceof Element && fits(n));
  }
  querySelector(selector) {
    const fits = matcher(selector);
    return this.find((n) => n instanceof Element && fits(n));
  }
}

class Text extends Node {
  constructor(document, text) {
    super(document);
    this.data = String(text);
  }
  get textContent() { return this.data; }
}

/** `tag#id.class[attr="value"][attr^="value"]`, any part of it; no combinators. */
function parts(selector) {
  const out = [];
  let rest = selector;
  while (rest !== "") {
    const m = /^(?:([a-zA-Z][\w-]*)|#([\w-]+)|\.([\w-]+)|\[([\w-]+)(?:(\^?=)"((?:[^"\\]|\\[^])*)")?\])/.exec(rest);
    if (!m) throw new SyntaxError("the stand-in does not know the selector " + selector);
    if (m[1]) out.push((e) => e.tagName.toLowerCase() === m[1].toLowerCase());
    if (m[2]) out.push((e) => e.getAttribute("id") === m[2]);
    if (m[3]) out.push((e) => e.classList.contains(m[3]));
    if (m[4]) {
      const want = m[6] === undefined ? null : unescapeCss(m[6]);
      out.push((e) => {
        const value = e.getAttribute(m[4]);
        return value !== null && (want === null || (m[5] === "=" ? value === want : value.startsWith(want)));
      });
    }
    rest = rest.slice(m[0].length);
  }
  return out;
}

/** Selectors that were read: the page and its tests ask with few, of every node. */
const read = new Map();

/** Whether an element is one that the selector (a list, by commas) tells. */
function matcher(selector) {
  if (!read.has(selector)) {
    const one = selector.split(",").map((s) => parts(s.trim()));
    read.set(selector, (element) => one.some((all) => all.every((part) => part(element))));
  }
  return read.get(selector);
}

const unescapeCss = (text) => text.replace(/\\(?:([0-9a-fA-F]{1,6}) ?|([^]))/g, (_, hex, char) => (hex ? String.fromCodePoint(parseInt(hex, 16)) : char));

class Element extends Node {
  constructor(document, tag, namespace) {
    super(document);
    // As a browser does: a name that is none throws.
    if (!/^[a-zA-Z][\w-]*$/.test(tag)) throw new Error("InvalidCharacterError: " + tag);
    this.tagName = tag;
    this.namespaceURI = namespace;
    this.attributes = new Map();
    this.styles = new Map();
    const element = this;
    this.style = new Proxy({ setProperty(name, value) { element.styles.set(name, String(value)); }, removeProperty(name) { element.styles.delete(name); } }, {
      set(_, name, value) {
        element.styles.set(name, String(value));
        return true;
      },
      get: (known, name) => known[name] || element.styles.get(name) || "",
    });
    const names = () => (this.getAttribute("class") || "").split(/\s+/).filter(Boolean);
    const put = (list) => this.setAttribute("class", list.join(" "));
    this.classList = {
      contains: (name) => names().includes(name),
      add: (...more) => put([...new Set([...names(), ...more])]),
      remove: (...less) => put(names().filter((n) => !less.includes(n))),
      toggle: (name, on) => {
        const is = on === undefined ? !names().includes(name) : Boolean(on);
        put(is ? [...new Set([...names(), name])] : names().filter((n) => n !== name));
        return is;
      },
    };
    this.dataset = new Proxy({}, {
      get: (_, name) => this.getAttribute("data-" + kebab(name)) ?? undefined,
      set: (_, name, value) => { this.setAttribute("data-" + kebab(name), value); return true; },
    });
    this.value = "";
    this.scrollTop = 0;
    this.scrollLeft = 0;
  }
  setAttribute(name, value) {
    if (!/^[a-zA-Z_][\w:.-]*$/.test(name)) throw new Error("InvalidCharacterError: " + name);
    this.attributes.set(name, String(value));
  }
  getAttribute(name) { return this.attributes.has(name) ? this.attributes.get(name) : null; }
  hasAttribute(name) { return this.attributes.has(name); }
  removeAttribute(name) { this.attributes.delete(name); }
  get id() { return this.getAttribute("id") || ""; }
  set id(value) { this.setAttribute("id", value); }
  get className() { return this.getAttribute("class") || ""; }
  set className(value) { this.setAttribute("class", value); }
  get hidden() { return this.hasAttribute("hidden"); }
  set hidden(on) { if (on) this.setAttribute("hidden", ""); else this.removeAttribute("hidden"); }
  get tabIndex() { return Number(this.getAttribute("tabindex") ?? -1); }
  set tabIndex(value) { this.setAttribute("tabindex", value); }
  get open() { return this.hasAttribute("open"); }
  set open(on) { if (on) this.setAttribute("open", ""); else this.removeAttribute("open"); }
  get clientWidth() { return this.ownerDocument.width; }
  get clientHeight() { return 600; }
  get offsetWidth() { return this.clientWidth; }
  get offsetHeight() { return 20; }
  get offsetTop() { return 0; }
  get scrollHeight() { return 1000; }
  get viewBox() {
    const [x, y, width, height] = (this.getAttribute("viewBox") || "0 0 0 0").split(" ").map(Number);
    return { baseVal: { x, y, width, height } };
  }
  getBoundingClientRect() { return { left: 10, top: 10, x: 10, y: 10, width: this.clientWidth, height: 20, right: 10 + this.clientWidth, bottom: 30 }; }
  getBBox() { return { x: 0, y: 0, width: 40, height: 12 }; }
  getComputedTextLength() { return 7 * this.textContent.length; }
  matches(selector) { return matcher(selector)(this); }
  closest(selector) {
    for (let node = this; node instanceof Element; node = node.parentNode) if (node.matches(selector)) return node;
    return null;
  }
  focus() { this.ownerDocument.activeElement = this; this.dispatch("focus"); }
  blur() { this.dispatch("blur"); }
  select() {}
  scrollIntoView() {}
  scrollTo() {}
  setPointerCapture() {}
  releasePointerCapture() {}
}

const kebab = (name) => String(name).replace(/[A-Z]/g, (c) => "-" + c.toLowerCase());

for (const way of ["innerHTML", "outerHTML"]) {
  Object.defineProperty(Element.prototype, way, { set() { throw new Error(way + " was set"); }, get() { throw new Error(way + " was read"); } });
}
for (const way of ["insertAdjacentHTML", "setHTMLUnsafe"]) Element.prototype[way] = () => { throw new Error(way + " was called"); };

class Document extends Node {
  constructor(width) {
    super(null);
    this.ownerDocument = this;
    this.width = width;
    this.documentElement = null;
    this.activeElement = null;
  }
  get body() { return this.querySelector("body"); }
  createElement(tag) { return new Element(this, tag, "http://www.w3.org/1999/xhtml"); }
  createElementNS(namespace, tag) { return new Element(this, tag, namespace); }
  createTextNode(text) { return new Text(this, text); }
  getElementById(id) {
    return this.find((n) => n instanceof Element && n.getAttribute("id") === id);
  }
  write() { throw new Error("document.write was called"); }
}

const VOID = new Set(["meta", "link", "br", "hr", "img", "input", "base", "col", "embed", "source", "wbr", "area", "track"]);
const ENTITIES = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'" };
const decode = (text) => text.replace(/&(?:amp|lt|gt|quot|#39);/g, (e) => ENTITIES[e]);

/** A page as written by lastgasp: well-formed, and script, style and title hold text alone. */
function parse(html, width) {
  const document = new Document(width);
  const stack = [document];
  let at = 0;
  while (at < html.length) {
    const open = html.indexOf("<", at);
    const top = stack[stack.length - 1];
    if (open !== at) {
      const text = html.slice(at, open < 0 ? html.length : open);
      if (top !== document) top.append(document.createTextNode(decode(text)));
      at = open < 0 ? html.length : open;
      continue;
    }
    const m = /^<(?:!doctype[^>]*|\/([a-z0-9]+)\s*|([a-z0-9]+)((?:\s+[\w:-]+(?:="[^"]*")?)*)\s*)>/i.exec(html.slice(at, at + 4000));
    if (!m) throw new Error("markup that the page's template does not have: " + html.slice(at, at + 80));
    at += m[0].length;
    if (m[1]) {
      if (top.tagName !== m[1]) throw new Error("</" + m[1] + "> closes <" + top.tagName + ">");
      stack.pop();
    } else if (m[2]) {
      const element = document.createElement(m[2]);
      for (const [, name, value] of m[3].matchAll(/([\w:-]+)(?:="([^"]*)")?/g)) element.setAttribute(name, decode(value || ""));
      top.append(element);
      if (document.documentElement === null) document.documentElement = element;
      if (["script", "style", "title"].includes(m[2])) {
        const end = html.indexOf("</" + m[2], at);
        const text = html.slice(at, end);
        element.append(document.createTextNode(m[2] === "title" ? decode(text) : text));
        at = html.indexOf(">", end) + 1;
      } else if (!VOID.has(m[2])) stack.push(element);
    }
  }
  if (stack.length !== 1) throw new Error("<" + stack[stack.length - 1].tagName + "> is never closed");
  return document;
}

module.exports = { Node, Element, Text, Document, parse };
