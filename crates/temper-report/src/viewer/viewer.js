"use strict";
// Draws the items that the page holds. Texts become text nodes, never markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { texts, items, logs, suites } = data;
  const several = logs.length > 1;
  const PAGE = 120; // rows that are drawn at a time

  // ---- small helpers -------------------------------------------------------------------------------------------------------
  const el = (name, props, ...children) => {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(props || {})) {
      if (key === "class") node.className = value;
      else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
      else if (value !== undefined && value !== null && value !== false) node.setAttribute(key, value === true ? "" : value);
    }
    for (const child of children.flat(Infinity)) if (child !== undefined && child !== null && child !== false) node.append(child);
    return node;
  };
  const number = (value) => {
    const size = Math.abs(value);
    if (Number.isInteger(value) && size < 1e6) return String(value).replace("-", "−");
    const text = size !== 0 && (size < 1e-3 || size >= 1e6) ? value.toExponential(1) : String(+value.toFixed(size < 10 ? 3 : 1));
    return text.replace("-", "−");
  };
  const count = (n, word) => n.toLocaleString("en") + " " + word + (n === 1 ? "" : "s");
  const lost = (score) => Array.isArray(score);

  // ---- state, which the address carries ------------------------------------------------------------------------------------
  const KEYS = { q: "", suite: "", metric: "", verdict: "", change: "", slice: "", tag: "", finish: "", min: "", max: "", sort: "", a: "0",
    b: several ? "1" : "", item: "" };
  const state = { ...KEYS };
  const readHash = () => {
    const given = new URLSearchParams(location.hash.slice(1));
    for (const key of Object.keys(KEYS)) state[key] = given.has(key) ? given.get(key) : KEYS[key];
    const log = (text) => (/^\d+$/.test(text) && +text < logs.length ? text : "");
    state.a = log(state.a) || "0";
    state.b = several ? log(state.b) : "";
  };
  const hash = (changes) => {
    const params = new URLSearchParams();
    for (const [key, value] of Object.entries({ ...state, ...changes })) if (value !== KEYS[key]) params.set(key, value);
    return "#" + params;
  };
  const go = (changes, replace) => {
    const target = hash(changes);
    if (target === location.hash || (target === "#" && !location.hash)) return;
    if (replace) { history.replaceState(null, "", target); update(); } else location.hash = target;
  };
  const name = (item) => suites[item.suite].name + "/" + item.id + "/" + item.repeat;
  const byName = new Map(items.map((item, place) => [name(item), place]));

  // ---- what is known of an item ----------------------------------------------------------------------------------------------
  const pair = () => (state.b === "" || state.b === state.a ? [+state.a] : [+state.a, +state.b]);
  const metricsOf = () => {
    const found = new Map();
    for (const suite of suites) {
      if (state.suite && suite.name !== state.suite) continue;
      for (const metric of suite.metrics) if (!found.has(metric.name)) found.set(metric.name, metric);
    }
    return found;
  };
  const metricName = () => (metricsOf().has(state.metric) ? state.metric : (metricsOf().keys().next().value ?? ""));
  const place = (item, metric) => suites[item.suite].metrics.findIndex((one) => one.name === metric);
  const scoreOf = (item, log, metric) => {
    const record = item.logs[log];
    const at = place(item, metric);
    return record && at >= 0 ? record.scores[at] : undefined;
  };
  const betterOf = (item, metric) => (suites[item.suite].metrics[place(item, metric)] || {}).better;
  const change = (item, metric) => {
    const [a, b] = pair();
    if (b === undefined) return undefined;
    const [x, y] = [scoreOf(item, a, metric), scoreOf(item, b, metric)];
    return typeof x === "number" && typeof y === "number" ? y - x : undefined;
  };
  const direction = (item, metric, delta) => {
    const better = betterOf(item, metric);
    if (!delta || better === "neither") return 0;
    return (better === "lower" ? -1 : 1) * Math.sign(delta);
  };
  const sameScore = (x, y) => x === y || (lost(x) && lost(y) && x[0] === y[0]);
  const changed = (item) => {
    const [a, b] = pair();
    const [x, y] = [item.logs[a], item.logs[b]];
    return !!x && !!y && x.scores.some((score, at) => !sameScore(score, y.scores[at]));
  };
  const lowered = new Map(); // full text of an item in small letters, made when it is searched for the first time
  const full = (at) => {
    let text = lowered.get(at);
    if (text === undefined) {
      const item = items[at];
      const parts = [item.id, ...Object.entries(item.fields || {}).flat()];
      for (const record of item.logs) {
        if (!record) continue;
        for (const key of ["prompt", "before", "thinking", "answer"]) if (record[key] !== undefined) parts.push(texts[record[key]]);
        for (const said of Object.values(record.said || {})) for (const one of said) if (one !== null) parts.push(texts[one]);
        for (const score of record.scores) if (lost(score)) parts.push(score[1]);
        parts.push(...(record.tags || []));
      }
      text = parts.join("\n").toLowerCase();
      lowered.set(at, text);
    }
    return text;
  };

  // ---- filters ---------------------------------------------------------------------------------------------------------------
  const VERDICTS = {
    one: ["is 1", (s) => s === 1], zero: ["is 0", (s) => s === 0], between: ["is another number", (s) => typeof s === "number" && s !== 0 && s !== 1],
    unscored: ["is unscored", (s) => lost(s) && s[0] === "unscored"], error: ["failed", (s) => lost(s) && s[0] === "error"],
    none: ["does not apply", (s) => s === null],
  };
  const FINISH = { length: "cut off at the limit", not_sampled: "not sampled" };
  const CHANGES = {
    both: ["in both", (i, [a, b]) => i.logs[a] && i.logs[b]], single: ["in one only", (i, [a, b]) => !i.logs[a] !== !i.logs[b]],
    changed: ["any score changed", (i) => changed(i)],
    worse: ["got worse", (i, _, m) => direction(i, m, change(i, m)) < 0], better: ["got better", (i, _, m) => direction(i, m, change(i, m)) > 0],
    same: ["metric unchanged", (i, _, m) => change(i, m) === 0], different: ["metric changed", (i, _, m) => !!change(i, m)],
  };
  const matching = () => {
    const metric = metricName();
    const logsShown = pair();
    const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
    const [sliceName, sliceValue] = state.slice.includes("=") ? [state.slice.slice(0, state.slice.indexOf("=")), state.slice.slice(state.slice.indexOf("=") + 1)] : [];
    const verdict = VERDICTS[state.verdict] && VERDICTS[state.verdict][1];
    const changeTest = logsShown.length > 1 && CHANGES[state.change] && CHANGES[state.change][1];
    const [min, max] = [state.min === "" ? -Infinity : +state.min, state.max === "" ? Infinity : +state.max];
    const ranged = state.min !== "" || state.max !== "";
    const some = (item, test) => logsShown.some((log) => item.logs[log] && test(item.logs[log], log));
    let found = [];
    for (let at = 0; at < items.length; at++) {
      const item = items[at];
      if (state.suite && suites[item.suite].name !== state.suite) continue;
      if (!logsShown.some((log) => item.logs[log])) continue;
      if (sliceName !== undefined && (item.slices || {})[sliceName] !== sliceValue) continue;
      if (state.tag && !some(item, (r) => (r.tags || []).includes(state.tag))) continue;
      if (state.finish && !some(item, (r) => r.finish === state.finish)) continue;
      if (verdict && !some(item, (r, log) => { const s = scoreOf(item, log, metric); return s !== undefined && verdict(s); })) continue;
      if (ranged && !some(item, (r, log) => { const s = scoreOf(item, log, metric); return typeof s === "number" && s >= min && s <= max; })) continue;
      if (changeTest && !changeTest(item, logsShown, metric)) continue;
      if (words.length) { const text = full(at); if (!words.every((word) => text.includes(word))) continue; }
      found.push(at);
    }
    const last = logsShown[logsShown.length - 1];
    const value = { low: (i) => scoreOf(i, last, metric), high: (i) => scoreOf(i, last, metric), fell: (i) => change(i, metric), rose: (i) => change(i, metric),
      long: (i) => (i.logs[last] || {}).tokens, short: (i) => (i.logs[last] || {}).tokens }[state.sort];
    if (value) {
      const sign = ["high", "rose", "long"].includes(state.sort) ? -1 : 1;
      const key = new Map(found.map((at) => { const v = value(items[at]); return [at, typeof v === "number" ? sign * v : Infinity]; }));
      found.sort((x, y) => (key.get(x) === key.get(y) ? x - y : key.get(x) < key.get(y) ? -1 : 1));
    } else if (state.sort === "id") found.sort((x, y) => (items[x].id < items[y].id ? -1 : items[x].id > items[y].id ? 1 : x - y));
    return found;
  };

  // ---- the frame: head, filters, list, item ---------------------------------------------------------------------------------
  const counter = el("span", { class: "count", role: "status" });
  const filters = el("div", { class: "filters", role: "search" });
  const list = el("nav", { id: "list", "aria-label": "Items" });
  const pane = el("main", { id: "item", tabindex: "-1" });
  const controls = {};
  const select = (key, title, options, rest) => {
    const node = el("select", { "aria-label": title, title, class: rest ? "rest" : "", onchange: () => go({ [key]: node.value }, true) });
    node.fill = (entries) => node.replaceChildren(...entries.map(([value, text]) => el("option", { value }, text)));
    node.fill(options);
    controls[key] = node;
    return node;
  };
  const timer = { id: 0 };
  const search = el("input", { type: "search", placeholder: "Search prompts, thinking, answers", "aria-label": "Search", id: "q",
    oninput: () => { clearTimeout(timer.id); timer.id = setTimeout(() => go({ q: search.value }, true), 120); } });
  controls.q = search;
  const range = (key, title) => {
    const node = el("input", { type: "number", step: "any", placeholder: title, "aria-label": "value of the metric " + title, title: "value of the metric " + title, class: "rest",
      onchange: () => go({ [key]: node.value }, true) });
    controls[key] = node;
    return node;
  };
  const distinct = (values) => [...new Set(values)].sort();
  const build = () => {
    const slices = distinct(items.flatMap((item) => Object.entries(item.slices || {}).map(([k, v]) => k + "=" + v)));
    const records = items.flatMap((item) => item.logs.filter(Boolean));
    const tags = distinct(records.flatMap((record) => record.tags || []));
    const finishes = distinct(records.map((record) => record.finish));
    const named = logs.map((log, at) => [String(at), log.name]);
    filters.append(search);
    if (suites.length > 1) filters.append(select("suite", "Suite", [["", "all suites"], ...suites.map((suite) => [suite.name, suite.name])]));
    filters.append(select("metric", "Metric", []));
    filters.append(select("verdict", "Verdict of the metric", [["", "any verdict"], ...Object.entries(VERDICTS).map(([key, [text]]) => [key, text])]));
    if (several) {
      filters.append(select("change", "Change from the first log to the second", [["", "changed or not"], ...Object.entries(CHANGES).map(([key, [text]]) => [key, text])]));
      filters.append(el("label", { class: "rest" }, "from", select("a", "First log", named)), el("label", { class: "rest" }, "to", select("b", "Second log", [["", "none"], ...named])));
    }
    if (slices.length) filters.append(select("slice", "Slice", [["", "all slices"], ...slices.map((s) => [s, s.replace("=", ": ")])], true));
    if (tags.length) filters.append(select("tag", "Tag", [["", "any tags"], ...tags.map((tag) => [tag, tag])], true));
    if (finishes.length > 1) filters.append(select("finish", "How the completion ended", [["", "any ending"], ...finishes.map((f) => [f, FINISH[f] || f])], true));
    filters.append(range("min", "≥"), range("max", "≤"));
    const sorts = [["", "order of the log"], ["high", "highest value first"], ["low", "lowest value first"], ["long", "longest first"], ["short", "shortest first"], ["id", "by id"]];
    if (several) sorts.splice(3, 0, ["fell", "fell most first"], ["rose", "rose most first"]);
    filters.append(select("sort", "Order", sorts, true));
    filters.append(el("button", { type: "button", id: "more", onclick: () => filters.classList.toggle("open") }, "more filters"));
    filters.append(el("button", { type: "button", id: "clear", onclick: () => { go({ ...KEYS, a: state.a, b: state.b, item: state.item }, true); } }, "clear"));
    const keys = el("a", { class: "hint keys", href: "#", onclick: (event) => { event.preventDefault(); help(); } }, el("kbd", {}, "?"), " keys");
    const head = el("header", {}, el("div", { class: "top" }, el("h1", {}, data.title), counter, el("span", { class: "hint" }), keys), filters);
    document.body.prepend(head, list, pane);
  };
  const sync = () => {
    const metrics = [...metricsOf().values()];
    controls.metric.fill(metrics.map((metric) => [metric.name, metric.title === metric.name ? metric.name : metric.title]));
    for (const [key, node] of Object.entries(controls)) {
      const value = key === "metric" ? metricName() : state[key];
      if (node.value !== value && document.activeElement !== node) node.value = value;
      node.classList.toggle("on", key !== "metric" && key !== "a" && key !== "b" && state[key] !== "");
    }
    document.getElementById("clear").disabled = ["q", "suite", "metric", "verdict", "change", "slice", "tag", "finish", "min", "max", "sort"].every((key) => state[key] === "");
  };

  // ---- values ----------------------------------------------------------------------------------------------------------------
  const badge = (score, better) => {
    if (score === undefined) return el("span", { class: "v none", title: "not in this log" }, "·");
    if (score === null) return el("span", { class: "v none", title: "does not apply" }, "n/a");
    if (lost(score)) return el("span", { class: "v lost", title: score[1] }, score[0]);
    const good = better === "higher" ? score === 1 : better === "lower" ? score === 0 : false;
    const bad = better === "higher" ? score === 0 : better === "lower" ? score === 1 : false;
    return el("span", { class: "v" + (good ? " good" : bad ? " bad" : "") }, number(score));
  };
  const marked = (text) => {
    const words = state.q.split(/\s+/).filter(Boolean).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    if (!words.length || text.length > 200000) return [text];
    return text.split(new RegExp("(" + words.join("|") + ")", "gi")).map((part, at) => (at % 2 ? el("mark", {}, part) : part));
  };
  const written = (text) => el("p", { class: "written", dir: "auto" }, marked(text));

  // ---- the list --------------------------------------------------------------------------------------------------------------
  let found = [];
  let drawn = 0;
  const row = (at) => {
    const item = items[at];
    const metric = metricName();
    const shown = pair();
    const record = shown.map((log) => item.logs[log]).find(Boolean);
    const values = el("span", { class: "values" });
    const line = el("span", {});
    shown.forEach((log, k) => { if (k) line.append(el("span", { class: "arrow" }, "→")); line.append(badge(scoreOf(item, log, metric), betterOf(item, metric))); });
    values.append(line);
    const cut = shown.some((log) => item.logs[log] && item.logs[log].finish === "length");
    if (cut) values.append(el("span", { class: "marks" }, "cut off"));
    const teaser = texts[record.prompt].slice(0, 400).replace(/\s+/g, " ").trim();
    return el("a", { class: "row", href: hash({ item: name(item) }), "data-at": at, "aria-current": String(state.item === name(item)) },
      el("span", { class: "id", dir: "auto" }, (suites.length > 1 && !state.suite ? suites[item.suite].name + " · " : "") + item.id + (item.repeat ? " #" + (item.repeat + 1) : "")),
      values, el("span", { class: "teaser", dir: "auto" }, teaser || "(empty prompt)"));
  };
  const watcher = new IntersectionObserver((entries) => { if (entries.some((entry) => entry.isIntersecting)) draw(); }, { root: list, rootMargin: "600px" });
  const end = el("div", { class: "more" });
  const draw = (upTo = drawn + PAGE) => {
    const next = found.slice(drawn, upTo);
    drawn += next.length;
    end.before(...next.map(row));
    const aimless = (state.change === "worse" || state.change === "better") && (metricsOf().get(metricName()) || {}).better === "neither";
    const none = aimless ? "The logs do not say which direction of this metric is the good one, so no item got better or worse by it."
      : "No item matches. Clear a filter.";
    end.textContent = drawn < found.length ? "…" : found.length ? "" : none;
  };
  const drawList = () => {
    found = matching();
    drawn = 0;
    list.replaceChildren(end);
    draw();
    list.scrollTop = 0;
    counter.textContent = found.length === items.length ? count(items.length, "item") : found.length.toLocaleString("en") + " of " + count(items.length, "item");
    document.querySelector(".top .hint").textContent = logs.map((log) => log.name).join(" · ");
  };

  // ---- one item --------------------------------------------------------------------------------------------------------------
  let thinkingOpen = false;
  const completion = (item, log) => {
    const record = item.logs[log];
    const head = logs[log];
    const card = el("article", { class: "completion" }, el("h4", {}, head.name));
    if (!record) return el("article", { class: "completion" }, el("h4", {}, head.name), el("p", { class: "quiet" }, "This log does not have the item."));
    const facts = [head.model !== head.name && head.model, count(record.tokens, "token"), record.finish !== "length" && record.finish].filter(Boolean).join(" · ");
    card.append(el("p", { class: "quiet" }, facts));
    const tags = [record.finish === "length" && el("span", { class: "tag cut" }, "cut off at the limit"), ...(record.tags || []).map((tag) => el("span", { class: "tag" }, tag))];
    if (tags.some(Boolean)) card.append(el("p", {}, tags));
    if (record.before !== undefined) card.append(written(texts[record.before]));
    if (record.thinking !== undefined) {
      const text = texts[record.thinking];
      const body = el("div", {});
      // A long thinking is laid out when it is opened.
      const fill = () => { if (!body.firstChild) body.append(written(text)); };
      const open = thinkingOpen || (state.q !== "" && state.q.toLowerCase().split(/\s+/).some((word) => word && text.toLowerCase().includes(word)));
      if (open) fill();
      card.append(el("details", { class: "thinking", open, ontoggle: fill }, el("summary", {}, "thinking, " + count([...text].length, "character")), body));
    }
    card.append(texts[record.answer] === "" ? el("p", { class: "quiet" }, "no answer") : written(texts[record.answer]));
    const rows = suites[item.suite].metrics.map((metric, at) => {
      const [answer, explanation] = (record.said || {})[at] || [null, null];
      const score = record.scores[at];
      return el("tr", {}, el("th", { scope: "row", title: metric.name }, metric.title), el("td", {}, badge(score, metric.better)),
        el("td", {}, answer !== null && el("code", { dir: "auto", title: "extracted answer" }, texts[answer] === "" ? "(empty)" : texts[answer]),
          explanation !== null && written(texts[explanation]), lost(score) && written(score[1])));
    });
    if (rows.length) card.append(el("table", {}, el("tbody", {}, rows)));
    return card;
  };
  const facts = (title, entries) => entries.length && [el("h3", {}, title), el("dl", {}, entries.map(([key, value]) => [el("dt", {}, key), el("dd", { dir: "auto" }, marked(String(value)))]))];
  const step = (by) => {
    if (!found.length) return;
    const at = found.indexOf(byName.get(state.item) ?? -1);
    const next = at < 0 ? (by > 0 ? 0 : found.length - 1) : at + by;
    if (next >= 0 && next < found.length) go({ item: name(items[found[next]]) }, state.item !== "");
  };
  const welcome = () => el("div", { class: "quiet" },
    el("p", {}, data.items.length ? "Choose an item." : "The log has no items."), data.notes.map((note) => el("p", {}, note)),
    logs.map((log) => el("p", {}, log.name + (log.created ? " · written " + log.created : "") + (log.status === "success" ? "" : " · " + log.status))));
  const drawItem = () => {
    const at = byName.get(state.item);
    document.body.classList.toggle("reading", state.item !== "");
    for (const node of list.querySelectorAll("[aria-current=true]")) node.setAttribute("aria-current", "false");
    if (at === undefined) { pane.replaceChildren(state.item ? el("p", { class: "quiet" }, "There is no item " + state.item + ".") : welcome()); return; }
    const item = items[at];
    const place = found.indexOf(at);
    if (place >= drawn) draw(place + PAGE);
    const link = list.querySelector('[data-at="' + at + '"]');
    if (link) { link.setAttribute("aria-current", "true"); link.scrollIntoView({ block: "nearest" }); }
    const shown = pair();
    const records = shown.map((log) => item.logs[log]).filter(Boolean);
    const prompts = [...new Set(records.map((record) => record.prompt))];
    pane.replaceChildren(
      el("div", { class: "bar" }, el("button", { id: "back", type: "button", onclick: () => go({ item: "" }) }, "← items"),
        el("h2", { dir: "auto" }, item.id, el("small", {}, suites[item.suite].name + (item.repeat ? " · sample " + (item.repeat + 1) : "") + (place < 0 ? " · not in the filtered list" : " · " + (place + 1) + " of " + found.length))),
        el("button", { type: "button", title: "previous item (k)", "aria-label": "previous item", disabled: place <= 0, onclick: () => step(-1) }, "↑"),
        el("button", { type: "button", title: "next item (j)", "aria-label": "next item", disabled: place === found.length - 1, onclick: () => step(1) }, "↓")),
      ...prompts.flatMap((prompt, k) => [el("h3", {}, prompts.length > 1 ? "Prompt of " + logs[shown[k]].name + " (they differ)" : "Prompt"), el("div", { class: "prompt" }, written(texts[prompt]))]),
      el("div", { class: "columns" + (shown.length === 1 ? " one" : "") }, shown.map((log) => completion(item, log))),
      ...[facts("Slices", Object.entries(item.slices || {})), facts("Cluster", item.cluster === undefined ? [] : [["cluster", item.cluster]]),
        facts("Fields", Object.entries(item.fields || {}))].flat().filter(Boolean));
    pane.scrollTop = 0;
  };
  const help = () => pane.replaceChildren(el("div", { class: "help" }, el("h3", {}, "Keys"), el("dl", {}, [
    [["j", "↓"], "next item"], [["k", "↑"], "previous item"], [["t"], "unfold or fold thinking"], [["/"], "search"], [["Esc"], "leave the search, or back to the list"], [["?"], "this help"],
  ].map(([keys, text]) => [el("dt", {}, keys.map((key) => [el("kbd", {}, key), " "])), el("dd", {}, text)]))));

  // ---- events ----------------------------------------------------------------------------------------------------------------
  let listKey = null;
  const update = () => {
    readHash();
    sync();
    const key = hash({ item: "" });
    if (key !== listKey) { listKey = key; drawList(); }
    drawItem();
  };
  addEventListener("hashchange", update);
  addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") { if (typing) event.target.blur(); else if (state.item) go({ item: "" }); return; }
    if (typing) return;
    const act = { j: () => step(1), ArrowDown: () => step(1), k: () => step(-1), ArrowUp: () => step(-1), "/": () => search.focus(), "?": help,
      t: () => { thinkingOpen = !thinkingOpen; for (const node of pane.querySelectorAll("details.thinking")) node.open = thinkingOpen; } }[event.key];
    if (act) { event.preventDefault(); act(); }
  });
  list.addEventListener("click", (event) => {
    const link = event.target.closest("a.row");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go({ item: name(items[+link.dataset.at]) }, state.item !== "");
  });
  build();
  watcher.observe(end);
  update();
})();
