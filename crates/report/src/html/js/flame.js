// flame.js: allocation sites as an icicle (callers at the top, allocations at the bottom), and as a table beneath it.
//
// Frames are plain elements with positions in percent: they scale with the page, print, and can be reached by keyboard.

(function (lg) {
  "use strict";
  const { h, num, str, list, obj } = lg;

  const KINDS = [
    { key: "growth", label: "Growth", what: "current minus the last calm look before the onset" },
    { key: "current", label: "Current", what: "in use at the capture, unpublished GC cycles included" },
    { key: "published", label: "Published", what: "what /debug/pprof/heap would have shown in the same moment" },
    { key: "burst", label: "Burst", what: "allocated since the last mark termination" },
  ];
  const ROW = 22; // height of one frame, as in page.css
  const MIN_WIDTH = 2; // pixels; thinner frames are not drawn

  const bytesOf = (site, kind) => num(obj(site[kind]).bytes);
  const objectsOf = (site, kind) => num(obj(site[kind]).objects);

  // ---- whose code is it ------------------------------------------------------------------------------------------------

  const STANDARD = new Set(("archive bufio bytes cmp compress container context crypto database debug embed encoding errors expvar flag fmt go hash " +
    "html image index internal io iter log maps math mime net os path plugin reflect regexp runtime slices sort strconv strings structs sync " +
    "syscall testing text time unicode unique unsafe vendor weak").split(" "));

  /** "app", "dep" or "std", by the package path of a function; "other" for a made-up name such as "(other sites)". */
  function owner(name, module) {
    if (name.startsWith("(")) return "other";
    if (name.startsWith("main.") || (module && (name.startsWith(module + "/") || name.startsWith(module + ".")))) return "app";
    const path = name.split("[", 1)[0]; // without the type arguments of a generic function
    if (!path.includes("/")) return STANDARD.has(path.split(".", 1)[0]) ? "std" : "app";
    const first = path.split("/", 1)[0];
    if (first.includes(".")) return "dep"; // a host name
    return STANDARD.has(first) ? "std" : "app";
  }

  /** One of four shades, so that neighbours can be told apart; the same function always gets the same one. */
  function shade(name) {
    let hash = 0;
    for (let i = 0; i < name.length; i += 1) hash = (hash * 31 + name.charCodeAt(i)) | 0;
    return (hash >>> 3) & 3;
  }

  // ---- the tree --------------------------------------------------------------------------------------------------------

  const newNode = (name, parent) => ({ name, parent, depth: parent ? parent.depth + 1 : 0, bytes: 0, objects: 0, places: new Set(), sites: [], children: new Map() });

  /** Merge the stacks of all sites that hold more than nothing. Frames merge by function; the allocating frame also by line. */
  function buildTree(sites, kind) {
    const root = newNode("all sites", null);
    for (const site of sites) {
      const bytes = bytesOf(site, kind);
      if (bytes === null || bytes <= 0) continue;
      let frames = list(site.stack);
      if (frames.length === 0) frames = [{ function: site.function, file: site.file, line: site.line }];
      let node = root;
      const count = (n) => {
        n.bytes += bytes;
        n.objects += objectsOf(site, kind) || 0;
        n.sites.push(site.id);
      };
      count(root);
      for (let i = frames.length - 1; i >= 0; i -= 1) {
        const frame = obj(frames[i]);
        const name = str(frame.function) || "(unknown function)";
        const key = name + "\n" + (str(frame.file) || "") + (i === 0 ? "\n" + frame.line : "");
        let child = node.children.get(key);
        if (!child) {
          child = newNode(name, node);
          node.children.set(key, child);
        }
        if (lg.placeText(frame)) child.places.add(lg.placeText(frame));
        count(child);
        node = child;
      }
    }
    return root;
  }

  const childrenOf = (node) => node.order || (node.order = [...node.children.values()].sort((a, b) => b.bytes - a.bytes));

  // ---- the section -----------------------------------------------------------------------------------------------------

  lg.renderSites = function (report) {
    const profile = obj(report.profile);
    const totals = obj(profile.totals);
    const sites = list(profile.sites);
    const module = str(obj(obj(report.target).module).path);
    const guilty = num(obj(report.verdict).site);
    const off = num(profile.rate_bytes) === 0;
    if (sites.length === 0) {
      if (!off) return null;
      return lg.section("sites", "Allocation sites", null,
        h("p", { class: "panel" }, "Heap profiling is off in this process (MemProfileRate is 0): the runtime kept no allocation sites."));
    }

    const available = KINDS.filter((k) => sites.some((s) => bytesOf(s, k.key) !== null));
    let kind = (available[0] || KINDS[1]).key;
    let root = buildTree(sites, kind);
    let focus = root;
    let chosen = null; // id of the site that the deep link or an opened row names
    let query = "";
    let frameOf = new Map(); // element -> node
    let active = null; // node which the keyboard is on

    const scroller = h("div", { class: "flame-scroller" });
    const graph = h("div", { class: "flame", role: "tree", "aria-label": "Allocation sites by caller" });
    const note = h("p", { class: "flame-note", role: "status" });
    const reset = h("button", { type: "button", class: "plain", on: { click: () => zoom(root) } }, "Reset zoom");
    const search = h("input", { type: "search", placeholder: "Search function or file  ( / )", "aria-label": "Search function or file", spellcheck: "false", autocomplete: "off" });
    const kindSwitch = h("div", { class: "switch", role: "group", "aria-label": "Figure shown" });

    // ---- drawing

    const matches = (node) => query !== "" && (node.name.toLowerCase().includes(query) || [...node.places].some((p) => p.toLowerCase().includes(query)));

    function draw() {
      const width = graph.clientWidth || 960;
      const rows = [];
      frameOf = new Map();
      let deepest = 0;
      const add = (node, from, share, above) => {
        deepest = Math.max(deepest, node.depth);
        const element = frameElement(node, from, share, above, width);
        frameOf.set(element, node);
        rows.push(element);
      };
      const descend = (node, from, scale) => {
        let at = from;
        for (const child of childrenOf(node)) {
          const share = child.bytes * scale;
          if (share * width < MIN_WIDTH) break; // sorted: all that follow are thinner
          add(child, at, share, false);
          descend(child, at, scale);
          at += share;
        }
      };
      for (let n = focus.parent; n; n = n.parent) add(n, 0, 1, true);
      add(focus, 0, 1, false);
      if (focus.bytes >= 1) descend(focus, 0, 1 / focus.bytes);
      graph.replaceChildren(...rows);
      graph.style.height = (deepest + 1) * ROW + "px";
      graph.classList.toggle("is-searching", query !== "");
      reset.hidden = focus === root;
      if (!active || !rows.some((e) => frameOf.get(e) === active)) active = focus;
      const current = rows.find((e) => frameOf.get(e) === active);
      if (current) current.tabIndex = 0;
      drawNote();
    }

    function frameElement(node, from, share, above, width) {
      const pixels = share * width;
      const leaf = node.children.size === 0;
      const classes = ["frame", node.parent ? "own-" + owner(node.name, module) : "own-root", "shade-" + shade(node.name)];
      if (pixels < 26) classes.push("is-bare");
      if (above) classes.push("is-above");
      if (matches(node)) classes.push("is-match");
      if (leaf && guilty !== null && node.sites.includes(guilty)) classes.push("is-guilty");
      if (chosen !== null && node.parent && node.sites.includes(chosen)) classes.push("is-chosen");
      const place = leaf ? [...node.places][0] : null;
      const label = pixels < 26 ? "" : lg.shortFunction(node.name) + (place && pixels > 220 ? "  " + place.slice(place.lastIndexOf("/") + 1) : "");
      const part = node.parent ? lg.percentText(node.bytes, root.bytes) : null;
      return h("div", { class: classes.join(" "), role: "treeitem", tabindex: "-1", "aria-level": node.depth + 1, "aria-expanded": leaf ? null : "true",
        "aria-label": node.name + ", " + lg.bytesText(node.bytes) + (part ? ", " + part : ""),
        vars: { left: from * 100 + "%", width: share * 100 + "%", top: node.depth * ROW + "px" } },
        label === "" ? null : h("span", null, label),
        pixels > 120 ? h("span", { class: "frame-size" }, lg.bytesText(node.bytes)) : null);
    }

    function drawNote() {
      const chosenKind = KINDS.find((k) => k.key === kind);
      const shrunk = sites.filter((s) => bytesOf(s, kind) < 0);
      const parts = [chosenKind.label + ": " + chosenKind.what + "."];
      if (root.bytes === 0) parts.push("No site holds anything here.");
      if (shrunk.length > 0) {
        parts.push(lg.countText(shrunk.length) + (shrunk.length === 1 ? " site" : " sites") + " shrank, by " +
          lg.bytesText(-shrunk.reduce((sum, s) => sum + bytesOf(s, kind), 0)) + "; only the table shows " + (shrunk.length === 1 ? "it." : "them."));
      }
      if (query !== "") {
        const found = matched(root);
        parts.push("Matches hold " + lg.bytesText(found) + " (" + (lg.percentText(found, root.bytes) || "0 %") + ").");
      }
      note.textContent = parts.join(" ");
    }

    /** Bytes below matching frames, each byte once. */
    const matched = (node) => (matches(node) ? node.bytes : childrenOf(node).reduce((sum, child) => sum + matched(child), 0));

    function zoom(node) {
      focus = node;
      active = node;
      lg.hideTip();
      draw();
    }

    // ---- pointer and keyboard

    const nodeAt = (event) => frameOf.get(event.target.closest(".frame"));

    function tipFor(node) {
      const places = [...node.places];
      return [h("strong", { class: "mono" }, node.name),
        places.slice(0, 4).map((p) => h("p", { class: "mono quiet" }, p)),
        places.length > 4 ? h("p", { class: "quiet" }, "and " + (places.length - 4) + " more lines") : null,
        h("p", null, lg.bytesText(node.bytes), " in ", lg.countText(node.objects), node.objects === 1 ? " object" : " objects",
          node.parent ? ", " + (lg.percentText(node.bytes, root.bytes) || "0 %") + " of " + kind : ""),
        node.sites.length > 1 ? h("p", { class: "quiet" }, lg.countText(node.sites.length) + " sites") : null];
    }

    graph.addEventListener("pointermove", (e) => {
      const node = nodeAt(e);
      if (node) lg.showTip(e.clientX, e.clientY, tipFor(node));
      else lg.hideTip();
    });
    graph.addEventListener("pointerleave", lg.hideTip);
    graph.addEventListener("click", (e) => {
      const node = nodeAt(e);
      if (!node) return;
      if (node.children.size === 0) choose(node.sites[0], false); // an allocation: open its row, too
      zoom(node);
    });
    graph.addEventListener("keydown", (e) => {
      const node = nodeAt(e);
      if (!node) return;
      const siblings = node.parent ? childrenOf(node.parent) : [node];
      const next = {
        ArrowUp: () => node.parent,
        ArrowDown: () => childrenOf(node)[0],
        ArrowLeft: () => siblings[siblings.indexOf(node) - 1],
        ArrowRight: () => siblings[siblings.indexOf(node) + 1],
      }[e.key];
      if (next) {
        const target = [...frameOf].find(([, n]) => n === next());
        if (target) {
          e.target.tabIndex = -1;
          active = target[1];
          target[0].tabIndex = 0;
          target[0].focus();
          const box = target[0].getBoundingClientRect();
          lg.showTip(box.left + Math.min(40, box.width / 2), box.bottom - 8, tipFor(active));
        }
      } else if (e.key === "Enter" || e.key === " ") {
        zoom(node);
        graph.querySelector('[tabindex="0"]').focus();
      } else if (e.key === "Escape") {
        zoom(root);
        graph.querySelector('[tabindex="0"]').focus();
      } else return;
      e.preventDefault();
    });
    graph.addEventListener("focusout", lg.hideTip);

    // ---- search: marks frames, filters the table

    const rowMatches = (site) => query === "" || [site, ...list(site.stack)].some((f) =>
      (str(f.function) || "").toLowerCase().includes(query) || (str(f.file) || "").toLowerCase().includes(query));
    search.addEventListener("input", () => {
      query = search.value.trim().toLowerCase();
      table.setRows(sites.filter(rowMatches));
      draw();
    });
    document.addEventListener("keydown", (e) => {
      if (e.key !== "/" || e.ctrlKey || e.metaKey || e.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName)) return;
      e.preventDefault();
      search.focus();
    });

    // ---- the table

    const largest = {};
    for (const k of KINDS) largest[k.key] = Math.max(1, ...sites.map((s) => Math.abs(bytesOf(s, k.key) || 0)));
    /** Length of the bar in a cell; bars too short to be read are left out. */
    function barShare(site, key) {
      const share = Math.abs(bytesOf(site, key) || 0) / largest[key];
      return share < 0.03 ? 0 : share;
    }
    const byteColumn = (k) => ({
      key: k.key, label: k.label, title: k.what, numeric: true, value: (s) => bytesOf(s, k.key),
      cell: (s) => h("div", { class: "cell-bar" + (bytesOf(s, k.key) < 0 ? " is-negative" : ""), vars: { "--fill": barShare(s, k.key) },
        title: bytesOf(s, k.key) === null ? null : lg.countText(bytesOf(s, k.key)) + " bytes in " + lg.countText(objectsOf(s, k.key)) + " objects" },
      lg.bytesText(bytesOf(s, k.key))),
    });
    const columns = [
      { key: "function", label: "Site", value: (s) => str(s.function) || "", wide: true, cell: (s) => h("span", { class: "site" },
        h("code", { class: "fn", title: s.function }, lg.shortFunction(s.function)), lg.placeText(s) ? h("code", { class: "place" }, lg.placeText(s)) : null) },
      ...available.map(byteColumn),
      { key: "objects", label: "Objects", title: "Objects of the figure chosen above", numeric: true, value: (s) => objectsOf(s, kind), cell: (s) => lg.countText(objectsOf(s, kind)) },
      { key: "error", label: "\u00b1", title: "One standard error of the sample", numeric: true, value: (s) => num(s.error_bytes),
        cell: (s) => h("span", { class: "quiet" }, num(s.error_bytes) === null ? "\u2013" : lg.bytesText(s.error_bytes)) },
    ];
    const table = lg.table("Allocation sites", columns, sites, {
      limit: 15, sort: kind, noun: "sites", id: (s) => s.id,
      rowClass: (s) => (guilty !== null && s.id === guilty ? "is-guilty" : ""),
      onOpen: (s) => setChosen(s.id),
      detail: (s) => [
        lg.pairs([
          ["Baseline", bytesOf(s, "baseline") === null ? null : lg.bytes(bytesOf(s, "baseline"))],
          ["Samples", num(s.samples) === null ? null : lg.countText(s.samples)],
          ["Standard error", num(s.error_bytes) === null ? null : lg.bytes(s.error_bytes)],
          ["Link to this site", num(s.id) === null ? null : h("a", { href: "#site=" + s.id }, "#site=" + s.id)],
        ]),
        lg.stack(s.stack),
      ],
    });

    // ---- choosing a site (deep link #site=<id>)

    function setChosen(id) {
      chosen = num(id);
      if (chosen === null) return;
      try {
        history.replaceState(null, "", "#site=" + id);
      } catch {
        // Some browsers refuse this for file:// pages; the page works without.
      }
      draw();
      showChosen();
    }

    /** Bring the chosen site's allocation into the visible part of a tall graph; zoom to it where it is too thin to be drawn. */
    function showChosen() {
      const isLeaf = (node) => node.children.size === 0 && node.parent && node.sites.includes(chosen);
      let entry = [...frameOf].find(([, node]) => isLeaf(node));
      if (!entry) {
        const find = (node) => (isLeaf(node) ? node : childrenOf(node).filter((c) => c.sites.includes(chosen)).map(find).find(Boolean));
        const leaf = find(root);
        if (!leaf) return; // it holds nothing of the figure shown
        zoom(leaf);
        entry = [...frameOf].find(([, node]) => node === leaf);
      }
      const y = entry[1].depth * ROW;
      if (y < scroller.scrollTop || y + ROW > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = y - scroller.clientHeight / 2;
    }

    /** Mark the site in the graph and open its row. `scroll` false keeps the page where it is. */
    function choose(id, scroll) {
      if (!table.open(id, scroll)) return false;
      setChosen(id);
      return true;
    }

    lg.openSite = (id) => {
      if (query !== "") {
        search.value = "";
        query = "";
        table.setRows(sites);
      }
      return choose(id, true);
    };

    // ---- put together

    function drawKinds() {
      kindSwitch.replaceChildren(...KINDS.map((k) => h("button", { type: "button", "aria-pressed": String(k.key === kind), title: k.what,
        disabled: !available.includes(k), on: { click: () => {
          kind = k.key;
          root = buildTree(sites, kind);
          focus = root;
          active = root;
          drawKinds();
          table.setSort(kind);
          draw();
        } } }, k.label, num(obj(totals[k.key]).bytes) === null ? null : h("small", null, lg.bytesText(totals[k.key].bytes)))));
    }

    drawKinds();
    lg.onWidth(graph, draw);

    const hasBaseline = available.some((k) => k.key === "growth");
    return lg.section("sites", hasBaseline ? "Growth by site" : "Memory by site",
      "Callers at the top, the line that allocates at the bottom. Click a frame to zoom; the arrow keys move between frames." +
        (hasBaseline ? "" : " There was no calm look before, hence no growth."),
      h("div", { class: "panel" },
        h("div", { class: "bar" }, kindSwitch, h("div", { class: "bar-end" }, reset, search)),
        lg.append(scroller, graph),
        h("div", { class: "bar bar-note" }, note, h("ul", { class: "legend" },
          guilty === null ? null : h("li", null, h("i", { class: "box is-guilty" }), "the verdict\u2019s site"),
          h("li", null, h("i", { class: "box own-app" }), "this program"),
          h("li", null, h("i", { class: "box own-dep" }), "dependencies"),
          h("li", null, h("i", { class: "box own-std" }), "Go standard library"))),
        table.element));
  };
})((globalThis.lastgasp = globalThis.lastgasp || {}));
