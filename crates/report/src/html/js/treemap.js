// treemap.js: the dominator tree of the heap as boxes in boxes: what a box would free if it were let go is its area.
//
// Boxes are plain elements with positions in percent of their parent: they scale with the page, print, and can be reached by keyboard.

(function (lg) {
  "use strict";
  const { h, num, str, list, obj } = lg;

  const HEIGHT = 380; // of the whole map in pixels, as in page.css
  const HEAD = 22; // of a box's own line
  const MIN_SIDE = 3; // pixels; smaller boxes are not drawn
  const DEPTH = 3; // boxes in boxes that are drawn at once

  /** What holds, in the words of the legend; an object has the shade of what holds it. */
  const KINDS = { global: "a package variable", goroutine: "goroutines", finalizer: "finalizers", runtime: "Go\u2019s runtime" };

  /** The nodes with their children, largest first; nodes whose parent does not stand before them are left out. */
  function build(tree) {
    const nodes = [];
    for (const [i, given] of tree.entries()) {
      const it = obj(given);
      const parent = num(it.parent) === null ? null : nodes[it.parent];
      if (i > 0 && !parent) { nodes.push(null); continue; }
      const bytes = Math.max(0, num(it.retained_bytes) || 0);
      const kind = str(it.kind) || "object";
      const node = { name: str(it.name) || "(unknown)", kind, bytes: parent ? Math.min(bytes, parent.bytes) : bytes, own: num(it.own_bytes),
        count: num(it.count), objects: num(it.objects), parent: i === 0 ? null : parent, children: [],
        root: parent && parent.root ? parent.root : lg.entry(KINDS, kind) ? kind : null };
      if (node.parent) node.parent.children.push(node);
      nodes.push(node);
    }
    for (const node of nodes) if (node) node.children.sort((a, b) => b.bytes - a.bytes);
    return nodes[0] || null;
  }

  /** Areas side by side, as square as they can be (Bruls, Huizing, van Wijk): [[item, x, y, w, h], ...]. */
  function squarified(items, width, height) {
    const placed = [];
    const total = items.reduce((sum, item) => sum + item.bytes, 0);
    if (!(total > 0) || !(width > 0) || !(height > 0)) return placed;
    const scale = (width * height) / total;
    let [x, y, w, hh] = [0, 0, width, height];
    let row = [];
    const worst = (areas, side) => {
      const sum = areas.reduce((a, b) => a + b, 0);
      return areas.reduce((bad, a) => Math.max(bad, (side * side * a) / (sum * sum), (sum * sum) / (side * side * a)), 1);
    };
    const flush = () => {
      const sum = row.reduce((a, item) => a + item.bytes * scale, 0);
      const across = w >= hh; // a column at the left, or a row at the top
      const thick = across ? sum / hh : sum / w;
      let at = 0;
      for (const item of row) {
        const long = (item.bytes * scale) / thick;
        placed.push(across ? [item, x, y + at, thick, long] : [item, x + at, y, long, thick]);
        at += long;
      }
      if (across) { x += thick; w -= thick; } else { y += thick; hh -= thick; }
      row = [];
    };
    for (const item of items) {
      if (item.bytes * scale < 1) continue;
      const side = Math.max(1, Math.min(w, hh));
      const areas = row.map((i) => i.bytes * scale);
      if (row.length > 0 && worst([...areas, item.bytes * scale], side) > worst(areas, side)) flush();
      row.push(item);
    }
    if (row.length > 0) flush();
    return placed;
  }

  /** The map of `graph.tree`, or null where there is nothing to show. */
  lg.treemap = function (graph) {
    const root = build(list(graph.tree));
    if (!root || root.bytes <= 0 || root.children.length === 0) return null;
    let focus = root;
    let boxes = new Map(); // element -> node
    const map = h("div", { class: "treemap", role: "tree", "aria-label": "What keeps the heap alive, by what would be free without it" });
    const trail = h("p", { class: "trail" });

    const label = (node) => (node.count > 1 && node.kind !== "heap" ? lg.countText(node.count) + " \u00d7 " : "") + node.name;

    /** What a node keeps that is in none of its children: its own objects and small ones. */
    function parts(node) {
      const inside = node.children.reduce((sum, c) => sum + c.bytes, 0);
      const rest = node.bytes - inside;
      if (rest <= 0 || node.children.length === 0) return node.children;
      const name = node.kind === "heap" ? "held by several, or too small to be shown" : "itself, and what is too small to be shown";
      return [...node.children, { name, kind: "rest", bytes: rest, own: null, count: null, objects: null, parent: node, children: [], root: node.root }]
        .sort((a, b) => b.bytes - a.bytes);
    }

    function add(into, node, width, height, depth) {
      for (const [part, x, y, w, hh] of squarified(parts(node), width, height)) {
        if (w < MIN_SIDE || hh < MIN_SIDE) continue;
        const inner = part.children.length > 0 && depth < DEPTH && w > 60 && hh > HEAD + 24;
        const named = w > 34 && hh > 15;
        const box = h("div", { class: "heap-box holds-" + (part.kind === "rest" ? "rest" : part.root || "other") + " depth-" + depth + (inner ? " has-inner" : ""),
          role: "treeitem", tabindex: "-1", "aria-level": depth, "aria-label": label(part) + ", " + lg.bytesText(part.bytes),
          vars: { left: (100 * x) / width + "%", top: (100 * y) / height + "%", width: (100 * w) / width + "%", height: (100 * hh) / height + "%" } },
          named ? h("span", { class: "heap-name" }, label(part), w > 110 ? h("small", null, " " + lg.bytesText(part.bytes)) : null) : null);
        boxes.set(box, part);
        into.append(box);
        if (!inner) continue;
        const room = h("div", { class: "heap-inner" });
        box.append(room);
        add(room, part, w - 6, hh - HEAD - 3, depth + 1);
      }
    }

    function draw() {
      boxes = new Map();
      map.replaceChildren();
      add(map, focus, map.clientWidth || 960, HEIGHT, 1);
      const first = [...boxes.keys()][0];
      if (first) first.tabIndex = 0;
      const above = [];
      for (let n = focus; n; n = n.parent) above.unshift(n);
      const steps = above.length > 6 ? [above[0], null, ...above.slice(-4)] : above;
      trail.replaceChildren(...steps.flatMap((node, i) => [i === 0 ? "" : " \u203a ",
        node === null ? "\u2026" : node === focus ? h("b", null, label(node) + " ", h("small", null, lg.bytesText(node.bytes)))
          : h("button", { type: "button", class: "crumb", on: { click: () => zoom(node) } }, label(node))]));
    }

    function zoom(node) {
      if (node.children.length === 0) return;
      focus = node;
      lg.hideTip();
      draw();
    }

    const boxAt = (event) => {
      const box = event.target.closest(".heap-box");
      return box && boxes.has(box) ? [box, boxes.get(box)] : null;
    };

    function tipFor(node) {
      return [h("strong", { class: "mono" }, label(node)),
        node.kind === "rest" ? null : h("p", { class: "quiet" }, lg.entry(KINDS, node.kind) || (node.root ? "held by " + lg.entry(KINDS, node.root) : "held by several")),
        h("p", null, lg.bytesText(node.bytes), node.objects === null ? "" : " in " + lg.countText(node.objects) + " objects",
          ", " + (lg.percentText(node.bytes, root.bytes) || "0 %") + " of what is live"),
        node.own > 0 ? h("p", { class: "quiet" }, lg.bytesText(node.own) + " of it its own") : null,
        node.children.length > 0 ? h("p", { class: "quiet" }, "Click to look inside") : null];
    }

    map.addEventListener("pointermove", (e) => {
      const at = boxAt(e);
      if (at) lg.showTip(e.clientX, e.clientY, tipFor(at[1]));
      else lg.hideTip();
    });
    map.addEventListener("pointerleave", lg.hideTip);
    map.addEventListener("focusout", lg.hideTip);
    map.addEventListener("click", (e) => {
      const at = boxAt(e);
      if (at) zoom(at[1]);
    });
    map.addEventListener("keydown", (e) => {
      const at = boxAt(e);
      if (!at) return;
      const all = [...boxes.keys()];
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[e.key];
      if (step) {
        const next = all[all.indexOf(at[0]) + step];
        if (next) {
          at[0].tabIndex = -1;
          next.tabIndex = 0;
          next.focus();
          const place = next.getBoundingClientRect();
          lg.showTip(place.left + Math.min(40, place.width / 2), place.top + Math.min(place.height, 30), tipFor(boxes.get(next)));
        }
      } else if (e.key === "Enter" || e.key === " ") {
        zoom(at[1]);
      } else if (e.key === "Escape" || e.key === "Backspace") {
        zoom(focus.parent || root);
      } else return;
      e.preventDefault();
      const current = map.querySelector('[tabindex="0"]');
      if (current && !step) current.focus();
    });

    lg.onWidth(map, draw);
    const shown = [...new Set(root.children.map((c) => c.root))].filter(Boolean);
    return h("div", null, trail, map, h("div", { class: "bar bar-note" },
      h("p", { class: "flame-note" }, "The area of a box is what would be free without it. Click a box to look inside; Escape goes back up."),
      h("ul", { class: "legend" }, shown.map((kind) => h("li", null, h("i", { class: "box holds-" + kind }), lg.entry(KINDS, kind))))));
  };
})((globalThis.lastgasp = globalThis.lastgasp || {}));
