"use strict";
(() => {
  const report = JSON.parse(document.getElementById("report").textContent);
  const SVG = "http://www.w3.org/2000/svg";
  const KINDS = { fail: "fail", xfail: "expected fail", inconclusive: "inconclusive", "test-failed": "test failed", pass: "pass" };

  // -- elements: all text goes in as text ------------------------------------------------------------

  const fill = (node, attributes, children) => {
    for (const [key, value] of Object.entries(attributes || {})) {
      if (key === "on") for (const [event, run] of Object.entries(value)) node.addEventListener(event, run);
      else if (key === "style") for (const [name, said] of Object.entries(value)) node.style.setProperty(name, said);
      else if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value);
    }
    for (const child of children.flat(Infinity)) if (child !== null && child !== undefined) node.append(child);
    return node;
  };
  const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
  const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

  // -- numbers --------------------------------------------------------------------------------------

  const number = (x) => (typeof x === "number" ? x : x === "inf" ? Infinity : x === "-inf" ? -Infinity : NaN);
  const short = (x, digits = 3) => {
    const value = number(x);
    if (!Number.isFinite(value)) return String(x);
    const size = Math.abs(value);
    const text = size !== 0 && (size < 1e-3 || size >= 1e6) ? value.toExponential(digits - 1) : value.toPrecision(digits);
    return text.includes("e") ? text.replace("e+", "e") : String(Number(text));
  };
  const margin = (check) => (check.worst ? number(check.worst.margin) : 0);
  const seconds = (check) => Object.values(check.methods).reduce((sum, m) => sum + m.seconds, 0);

  // -- charts ---------------------------------------------------------------------------------------

  const WIDTH = 460, HEIGHT = 300, LEFT = 52, RIGHT = 12, TOP = 12, BOTTOM = 40;
  const scale = (low, high, from, to) => (x) => from + ((x - low) / (high - low || 1)) * (to - from);
  const path = (points) => {
    let text = "", open = false;
    for (const [x, y] of points) {
      open = Number.isFinite(x) && Number.isFinite(y) ? ((text += `${open ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`), true) : false;
    }
    return text;
  };
  const chart = (title, ...children) =>
    s("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, role: "img", "aria-label": title }, s("title", {}, title), ...children);
  const frame = (xs, ys, x, y, xLabel, yLabel) => [
    xs.map(([at, text]) => [s("line", { class: "grid", x1: x(at), x2: x(at), y1: TOP, y2: HEIGHT - BOTTOM }), s("text", { x: x(at), y: HEIGHT - BOTTOM + 14, "text-anchor": "middle" }, text)]),
    ys.map(([at, text]) => [s("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(at), y2: y(at) }), s("text", { x: LEFT - 5, y: y(at) + 4, "text-anchor": "end" }, text)]),
    s("path", { class: "axis", d: `M${LEFT} ${TOP}V${HEIGHT - BOTTOM}H${WIDTH - RIGHT}` }),
    s("text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 6, "text-anchor": "middle" }, xLabel),
    s("text", { x: 12, y: (TOP + HEIGHT - BOTTOM) / 2, transform: `rotate(-90 12 ${(TOP + HEIGHT - BOTTOM) / 2})`, "text-anchor": "middle" }, yLabel),
  ];
  const powers = (low, high) => {
    const step = Math.max(1, Math.ceil((high - low) / 7)), ticks = [];
    for (let k = Math.ceil(low / step) * step; k <= high; k += step) ticks.push([k, `1e${k}`]);
    return ticks;
  };
  const evenly = (low, high) => {
    const rough = (high - low) / 5 || 1, base = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((m) => m * base).find((m) => m >= rough), ticks = [];
    for (let k = Math.ceil(low / step); k * step <= high + step * 1e-9; k += 1) ticks.push([k * step, short(k * step)]);
    return ticks;
  };
  const legend = (...entries) =>
    h("div", { class: "legend" }, entries.map(([kind, text]) => h("span", {}, s("svg", { width: 24, height: 10, "aria-hidden": "true" }, s("path", { class: kind, d: "M0 5H24" })), text)));

  // ``told``: whether the table of the worst entry has the number that the errors are measured against.
  const stepsFigure = (data, told) => {
    const log = (x) => Math.log10(number(x));
    const hs = data.step.map(log);
    const errors = { central: data.central.map(log), forward: data.forward.map(log) };
    const seen = [...errors.central, ...errors.forward].filter(Number.isFinite);
    if (seen.length < 3) return null;
    const xLow = Math.min(...hs), xHigh = Math.max(...hs);
    const yLow = Math.floor(Math.min(...seen)), yHigh = Math.ceil(Math.max(...seen));
    const x = scale(xLow, xHigh, LEFT, WIDTH - RIGHT), y = scale(yLow, yHigh, HEIGHT - BOTTOM, TOP);
    const clip = (at) => (at >= yLow && at <= yHigh ? y(at) : NaN);
    const arms = [[number(data.rounding), -1], [number(data.truncation), 2], [number(data.truncation_forward), 1]]
      .filter(([size]) => size > 0 && Number.isFinite(size))
      .map(([size, power]) => s("path", { class: "s-arm", d: path(hs.map((at) => [x(at), clip(Math.log10(size) + power * at)])) }));
    // The logarithm of an error of exactly zero, which is luck.
    const known = (name, i) => Number.isFinite(errors[name][i]);
    const best = hs.map((_, i) => i).filter((i) => known("central", i)).sort((i, j) => errors.central[i] - errors.central[j])[0];
    const series = Object.entries(errors).map(([name, values]) => s("path", { class: `s-${name}`, d: path(hs.map((at, i) => [x(at), y(values[i])])) }));
    const where = `${data.input}${data.index.length ? `[${data.index.join(", ")}]` : ""}`;
    return h("figure", {},
      chart(`Error of difference quotients by ${where} against the step`,
        frame(powers(xLow, xHigh), powers(yLow, yHigh), x, y, "step h", "error"),
        data.ladder.map((step) => s("line", { class: "s-ladder", x1: x(log(step)), x2: x(log(step)), y1: HEIGHT - BOTTOM - 8, y2: HEIGHT - BOTTOM })),
        arms, series,
        best !== undefined ? s("circle", { class: "dot-central", cx: x(hs[best]), cy: y(errors.central[best]), r: 4 }) : null),
      legend(["s-central", "central (f(x + h) − f(x − h)) / 2h"], ["s-forward", "forward (f(x + h) − f(x)) / h"], ["s-arm", "truncation and rounding"], ["s-ladder", "steps that were extrapolated"]),
      h("figcaption", {}, `Smaller and smaller h, ${data.index.length || !/direction/.test(data.input) ? `at the worst entry (${where})` : `along ${where}`}: truncation falls until rounding takes over.${best !== undefined ? ` The best single step is ${short(data.step[best])}.` : ""} The error is that against ${data.truth.method}${told ? "" : ` (${short(data.truth.value, 12)})`}.`));
  };

  const ratesFigure = (rates, wrong) => {
    const log = (x) => (number(x) > 0 ? Math.log10(number(x)) : NaN);
    // The wrong one is drawn last, over the others.
    const known = Object.entries(rates).sort(([a], [b]) => (a === wrong) - (b === wrong));
    const hs = known.flatMap(([, rate]) => rate.steps.map(log)), seen = known.flatMap(([, rate]) => rate.remainders.map(log)).filter(Number.isFinite);
    if (seen.length < 2) return null;
    const xLow = Math.min(...hs), xHigh = Math.max(...hs), yLow = Math.floor(Math.min(...seen)), yHigh = Math.ceil(Math.max(...seen));
    const x = scale(xLow, xHigh, LEFT, WIDTH - RIGHT), y = scale(yLow, yHigh, HEIGHT - BOTTOM, TOP);
    const lines = ["s-central", "s-forward", "s-ladder", "s-arm"];
    const kinds = known.map(([name], k) => (name === wrong ? "s-mark" : lines[k % lines.length]));
    const shrinks = (rate) => (rate.order === null ? "rounding" : `h^${number(rate.order).toFixed(2)}`);
    return h("figure", {},
      chart("Taylor test: the remainder against the step",
        frame(powers(xLow, xHigh), powers(yLow, yHigh), x, y, "step h", "remainder"),
        known.map(([, rate], k) => s("path", { class: kinds[k], fill: "none", d: path(rate.steps.map((step, i) => [x(log(step)), y(log(rate.remainders[i]))])) }))),
      legend(...known.map(([name, rate], k) => [kinds[k], `${name}${name === wrong ? " (differs)" : ""}: ${shrinks(rate)}`])),
      h("figcaption", {}, "Taylor test: |f(x + h·d) − f(x) − h·g·d| along a direction d. With the right gradient g it shrinks as h², with a wrong one as h, until rounding takes over."));
  };

  const curveFigure = (data) => {
    const xs = data.x, fs = data.f.map(number), [at, value] = data.at.map(number);
    const seen = fs.filter(Number.isFinite);
    if (seen.length < 2 || !Number.isFinite(value)) return null;
    let yLow = Math.min(...seen), yHigh = Math.max(...seen);
    const room = (yHigh - yLow) * 0.05 || 1;
    [yLow, yHigh] = [yLow - room, yHigh + room];
    const xLow = xs[0], xHigh = xs[xs.length - 1];
    const x = scale(xLow, xHigh, LEFT, WIDTH - RIGHT), y = scale(yLow, yHigh, HEIGHT - BOTTOM, TOP);
    const clip = (v) => (v >= yLow && v <= yHigh ? y(v) : NaN);
    const tangent = (slope, kind) => s("path", { class: kind, d: path(xs.map((t) => [x(t), clip(value + slope * (t - at))])) });
    const slopes = Object.entries(data.slopes).filter(([, v]) => Number.isFinite(number(v)));
    const known = slopes.find(([name]) => name === "reference") || slopes[0];
    const others = slopes.filter(([, v]) => Math.abs(number(v) - number(known[1])) > 1e-3 * Math.max(1e-12, Math.abs(number(known[1]))));
    return h("figure", {},
      chart("The function and its tangent at the point",
        frame(evenly(xLow, xHigh), evenly(yLow, yHigh), x, y, data.input, "f"),
        s("path", { class: "s-central", d: path(xs.map((t, i) => [x(t), y(fs[i])])) }),
        tangent(number(known[1]), "s-forward"), others.map(([, v]) => tangent(number(v), "s-mark")),
        s("circle", { class: "dot-central", cx: x(at), cy: y(value), r: 4 })),
      legend(["s-central", "f"], ["s-forward", `slope ${short(known[1], 6)} (${known[0]})`], ...others.map(([name, v]) => ["s-mark", `slope ${short(v, 6)} (${name})`])),
      h("figcaption", {}, `The function around ${data.input} = ${short(at, 6)}, with its tangent.`));
  };

  const heatFigure = (data, wrong) => {
    const all = Object.values(data.values).flat(2).map(number).filter(Number.isFinite).map(Math.abs);
    const largest = Math.max(...all, 0);
    const numbers = data.columns.length <= 6;
    const shade = (v) => {
      const part = largest > 0 ? Math.min(1, Math.abs(v) / largest) : 0;
      return `rgba(var(${v < 0 ? "--cold" : "--warm"}), ${(0.08 + 0.6 * Math.sqrt(part)).toFixed(3)})`;
    };
    const cell = (v, i, j, name) => {
      const value = number(v), worst = data.worst && i === data.worst[0] && j === data.worst[1];
      const known = Number.isFinite(value);
      return h("td", {
        class: [worst ? "worst" : "", known ? (value === 0 ? "zero" : "") : "unknown"].join(" ").trim() || null,
        title: `${name}: d ${data.rows[i]} / d ${data.columns[j]} = ${known ? short(value, 6) : v}`,
        style: known && value !== 0 ? { background: shade(value) } : {},
      }, value === 0 ? "0" : numbers ? (known ? short(value) : v === "nan" ? "" : String(v)) : "");
    };
    const head = () => (numbers ? h("thead", {}, h("tr", {}, h("th", {}), data.columns.map((name) => h("th", { scope: "col" }, name)))) : "");
    const first = (i) => (numbers ? [h("th", { scope: "row" }, data.rows[i].startsWith("a projection") ? `projection ${i}` : data.rows[i])] : []);
    const one = ([name, matrix]) => h("table", { class: "heat" }, h("caption", {}, name === wrong ? `${name} (differs)` : name), head(), h("tbody", {}, matrix.map((line, i) => h("tr", {}, first(i), line.map((v, j) => cell(v, i, j, name))))));
    const [rows, columns] = data.shape, cut = data.rows.length < rows || data.columns.length < columns;
    return h("figure", {}, h("div", { class: "wide" }, Object.entries(data.values).map(one)),
      h("figcaption", {}, `Every method's gradient, one row per output and one column per input entry (${data.columns[0]} to ${data.columns[data.columns.length - 1]})${cut ? `: ${data.rows.length} × ${data.columns.length} of ${rows} × ${columns}` : ""}. Red is positive, blue negative, an outlined 0 is zero${data.worst ? "; the frame marks the worst entry" : ""}; what was not looked at is hatched.`));
  };

  const graphFigure = (svg) => h("figure", {}, h("img", { class: "graph", alt: "The reference engine's graph with values and gradients", src: `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}` }), h("figcaption", {}, "The function as the reference engine sees it, with the value and the gradient of every node."));

  // -- one check ------------------------------------------------------------------------------------

  // The source of a large input: the page shows its beginning, and the button copies all of it.
  const LONG = 2000;
  const begun = (text) => text.split("\n").map((line) => (line.length > LONG ? `${line.slice(0, 160)} … ${line.length} characters, of which "copy" copies all` : line)).join("\n");
  const copied = (text) => {
    const button = h("button", { type: "button" }, "copy");
    button.addEventListener("click", async () => {
      try { await navigator.clipboard.writeText(text); } catch {
        const area = h("textarea", {}, text);
        document.body.append(area); area.select(); document.execCommand("copy"); area.remove();
      }
      button.textContent = "copied";
      setTimeout(() => { button.textContent = "copy"; }, 1500);
    });
    return h("div", { class: "copied" }, h("pre", { tabindex: 0 }, begun(text)), button);
  };
  // A column in which no row has anything is left out; a number is not broken.
  const facts = (head, all) => {
    const used = head.map((_, k) => all.some((row) => (row[k] ?? "") !== ""));
    const [titles, ...rows] = [head, ...all].map((row) => row.filter((_, k) => used[k]));
    return table(titles, rows);
  };
  const table = (head, rows) => h("div", { class: "wide" }, h("table", { class: "facts" }, h("thead", {}, h("tr", {}, head.map((t) => h("th", { scope: "col" }, t)))), h("tbody", {}, rows.map((row) => h("tr", {}, row.map((t) => h("td", /^[-+]?[\d.]/.test(t) ? { class: "whole" } : {}, String(t ?? "")))))) ));
  const section = (title, ...content) => (content.flat(Infinity).some(Boolean) ? [h("h2", {}, title), ...content] : []);

  const inconclusive = (check) => {
    if (!check.inconclusive_examples) return "";
    const reasons = [...(check.inconclusive_reasons || [])].sort((a, b) => b.examples - a.examples);
    const codes = reasons.map((r) => (reasons.length > 1 ? `${r.code} ${r.examples}` : r.code)).join(", ");
    return `${check.inconclusive_examples} of ${check.examples} examples inconclusive${codes ? `: ${codes}` : ""}`;
  };

  const entry = (name, index) => `${name}${index.length ? `[${index.join(", ")}]` : ""}`;
  const lines = (sources) => Object.entries(sources).map(([name, source]) => `${name} = ${source}`).join("\n");
  const quoted = (text) => (/^[\w./:-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`);
  // What sections of their own show is left out of the message: each number stands once.
  const OWN = /^  (proved|worst at|seen at|smallest failing example|inputs|imports|reproduce):/;
  const said = (check) => {
    const kept = [];
    let own = false;
    for (const line of (check.message || `${check.diagnosis.text} [${check.diagnosis.code}]`).split("\n")) {
      if (!line.startsWith("    ")) own = OWN.test(line);
      if (!own) kept.push(line);
    }
    return kept.join("\n");
  };
  const again = (check) => {
    const command = `python -m pytest_gradcheck replay ${quoted(decodeURIComponent(location.pathname.split("/").pop() || "report.html"))} ${quoted(check.nodeid)}`;
    const run = check.replayable !== false && check.inputs && Object.keys(check.inputs).length ? [h("p", { class: "said" }, "Rerun the test at this input:"), copied(command)] : [];
    if (!check.reproduce) return run;
    const alone = check.imports !== null;
    const start = ["import numpy as np", "from pytest_gradcheck import check_gradients", ...(check.imports ? check.imports.split("; ") : [])];
    for (const library of ["torch", "jax"]) if (new RegExp(`\\b${library}\\.`).test(check.reproduce)) start.splice(1, 0, `import ${library}`);
    return [...run, h("p", { class: "said" }, alone ? "Or paste into Python:" : "Or, where its functions can be named:"), copied(alone ? [...start, "", `print(${check.reproduce})`].join("\n") : check.reproduce)];
  };

  const inside = (check) => {
    const figures = check.figures || {};
    const drawn = [
      figures.steps && stepsFigure(figures.steps, check.worst && check.worst.input === figures.steps.input && String(check.worst.index) === String(figures.steps.index) && figures.steps.truth.method in check.worst.values),
      Object.keys(check.rates || {}).length && ratesFigure(check.rates, check.culprit),
      figures.curve && curveFigure(figures.curve),
      figures.graph && graphFigure(figures.graph),
    ].filter(Boolean);
    const inputs = check.inputs || {}, shownAt = check.shown_at || {};
    const elsewhere = Object.keys(shownAt).length > 0;
    const w = check.worst;
    // A backward may be wrong in another way than by its values.
    const wrong = w && !(number(w.difference) <= number(w.tolerance)) ? check.culprit : null;
    return h("div", { class: "inside" },
      h("pre", { tabindex: 0 }, said(check)),
      check.xfail ? h("p", {}, `Expected to fail: ${check.xfail}`) : null,
      section(elsewhere ? "Seen at" : "Input", Object.keys(inputs).length ? copied(lines(elsewhere ? shownAt : inputs)) : null),
      section("Figures", drawn.length ? h("div", { class: "figures" }, drawn) : null, figures.gradients ? heatFigure(figures.gradients, wrong) : null),
      section("At the worst entry", w ? facts(["method", "value", "error bar"], Object.entries(w.values).map(([name, v]) => [name === wrong ? `${name} (differs)` : name, short(v, 12), short(w.uncertainties[name], 2)])) : null,
        w ? h("p", {}, `d ${entry(w.output, w.output_index)} / d ${entry(w.input, w.index)}: difference ${short(w.difference)}, allowed ${short(w.tolerance)}.`) : null),
      section("Proved", (check.proofs || []).length ? h("ul", { class: "proofs mono" }, check.proofs.map((p) => h("li", {}, ...[`d ${entry(p.output, p.output_index)} / d ${entry(p.input, p.index)}`, ` = ${p.digits}`, ` ± ${p.radius}`].map((part) => [h("span", { class: "whole" }, part), h("wbr")])))) : null),
      section("Smallest failing example", elsewhere ? copied(lines(inputs)) : null),
      section("Reproduce", ...again(check)),
      section("Methods", facts(["method", "status", "reason", "evaluations", "time"], Object.entries(check.methods).map(([name, m]) => [name, m.status, m.reason, m.evaluations, m.seconds < 1 ? `${short(m.seconds * 1e3)} ms` : `${short(m.seconds)} s`]))),
      section("Pairs", (check.pairs || []).length ? facts(["methods", "largest difference", "relative", "verdict"], check.pairs.map((p) => [`${p.a}, ${p.b}`, short(p.max_abs), short(p.max_rel), p.agree === null ? "undecided" : p.agree ? "agree" : "differ"])) : null),
      section("Properties", (check.properties || []).length ? facts(["property", "holds", "what was seen"], check.properties.map((p) => [p.name, p.holds === null ? "not tried" : p.holds ? "yes" : "no", p.detail])) : null),
      section("Inconclusive examples", (check.inconclusive_reasons || []).length ? facts(["diagnosis", "examples", "why", "the first of them"], check.inconclusive_reasons.map((r) => [r.code, `${r.examples} of ${check.examples}`, r.text, r.reproduce])) : null),
      section("Not checked", (check.not_checked || []).length ? facts(["what", "why"], check.not_checked.map((n) => [n.what, n.reason])) : null),
      h("p", { class: "said" }, `Order ${check.order}, ${check.mode} mode, seed ${check.seed}, sensitivity ${short(check.sensitivity)}, ${check.examples} example${check.examples === 1 ? "" : "s"}${check.location && check.location.line ? `, ${check.location.path}:${check.location.line}` : ""}.`));
  };

  // A long name breaks between its parts, not inside of a word.
  const breakable = (text) => text.split(/(?<=[/_.[:])/).flatMap((part, k) => (k ? [h("wbr", {}), part] : [part]));
  const anchor = (check) => `${check.nodeid}::${check.name}`;
  const rows = report.checks.map((check, index) => {
    const summary = h("summary", {},
      h("span", { class: `verdict ${check.standing}` }, KINDS[check.standing], check.proved ? h("span", { class: "badge", title: "the derivative in question is proved" }, "proved") : null),
      h("span", { class: "name mono" }, breakable(check.nodeid.split("::").pop().split("[")[0] === check.name.split(".").pop() ? check.nodeid : `${check.nodeid}: ${check.name}`)),
      h("span", { class: "number", "data-of": "error ÷ allowed" }, check.worst ? `${short(check.worst.margin)}×` : ""),
      h("span", { class: "number", "data-of": "time" }, `${short(seconds(check))} s`),
      h("span", { class: "said" }, check.standing === "pass" && check.diagnosis.code !== "constant" ? inconclusive(check) || `${check.examples} example${check.examples === 1 ? "" : "s"}` : [`${check.diagnosis.text} `, h("span", { class: "whole" }, `[${check.diagnosis.code}]`)]));
    const details = h("details", {}, summary);
    details.addEventListener("toggle", () => {
      // Made when it is first opened: a thousand checks have a thousand figures.
      if (details.open && details.children.length === 1) details.append(inside(check));
      if (details.open) history.replaceState(null, "", `#${encodeURIComponent(anchor(check))}`);
    });
    const text = [check.nodeid, check.name, check.culprit, check.diagnosis.code, check.diagnosis.text, KINDS[check.standing], check.proved ? "proved" : ""].join(" ").toLowerCase();
    return { check, index, details, summary, text, item: h("li", { class: "check" }, details) };
  });

  // -- the page -------------------------------------------------------------------------------------

  const shown = new Set(Object.keys(KINDS));
  const ORDERS = {
    "worst first": (a, b) => a.index - b.index,
    "by name": (a, b) => (anchor(a.check) < anchor(b.check) ? -1 : 1),
    "slowest first": (a, b) => seconds(b.check) - seconds(a.check),
    "nearest to failing": (a, b) => (Number.isNaN(margin(b.check)) ? 1 : margin(b.check) - margin(a.check)),
  };
  const list = h("ul", { class: "checks" });
  const count = h("span", { class: "count", role: "status" });
  const search = h("input", { type: "search", id: "search", placeholder: "search ( / )", "aria-label": "search tests, functions and diagnoses" });
  const order = h("select", { "aria-label": "order" }, Object.keys(ORDERS).map((name) => h("option", {}, name)));
  const buttons = Object.entries(KINDS).map(([kind, label]) => {
    const number_ = rows.filter((row) => row.check.standing === kind).length;
    if (!number_) return null;
    const button = h("button", { type: "button", "aria-pressed": "true" }, h("span", { class: `verdict ${kind}` }, label), ` ${number_}`);
    button.addEventListener("click", () => {
      if (!shown.delete(kind)) shown.add(kind);
      button.setAttribute("aria-pressed", String(shown.has(kind)));
      update();
    });
    return button;
  });
  const update = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const visible = rows.filter((row) => shown.has(row.check.standing) && words.every((word) => row.text.includes(word)));
    visible.sort(ORDERS[order.value]);
    list.replaceChildren(...visible.map((row) => row.item));
    count.textContent = `${visible.length} of ${rows.length} shown`;
  };
  search.addEventListener("input", update);
  order.addEventListener("change", update);
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
    if (event.key === "Escape" && document.activeElement === search) { search.value = ""; update(); search.blur(); }
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") { event.preventDefault(); search.focus(); }
    if (event.key === "j" || event.key === "k") {
      const all = [...list.querySelectorAll("summary")], at = all.indexOf(document.activeElement);
      const next = all[event.key === "j" ? Math.min(at + 1, all.length - 1) : Math.max(at - 1, 0)];
      if (next) next.focus();
    }
  });

  const coverage = (found) => {
    if (!found.gradients) return "";
    const at = (g) => `${g.path}${g.backward_line || g.line ? `:${g.backward_line || g.line}` : ""}`;
    const run = (g) => g.ran.join(", ") || (g.imported ? "not run" : "its module was not imported");
    const bare = (g) => !g.ran.includes("backward");
    const sorted = [...found.gradients].sort((a, b) => bare(b) - bare(a));
    return h("section", { class: "coverage" },
      h("h2", {}, `${found.covered} of ${found.total} hand-written gradients of ${found.packages.join(", ")} were run by a check that passed`),
      facts(["gradient", "backward at", "run", "tests"], sorted.map((g) => [g.name, at(g), run(g), g.tests.map((t) => t.split("::").pop()).join(", ")])
        .concat((found.excluded || []).map((g) => [g.name, at(g), `excluded: ${g.excluded}`, ""]))));
  };

  const e = report.environment;
  const packages = Object.entries(e.packages).map(([name, version]) => `${name} ${version}`).join(", ");
  const unchecked = report.unchecked || [], misused = report.misused || [], run = report.run || {};
  const began = run.began ? new Date(run.began * 1000).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }) : "";
  const took = run.seconds !== undefined ? `${short(run.seconds)} s` : "";
  const sum = report.summary;
  const expected = sum.expected || 0;
  const byKind = { passed: sum.pass, failed: sum.fail - expected, inconclusive: sum.inconclusive, "failed as expected": expected };
  const counts = Object.keys(byKind).filter((v) => byKind[v]).map((v) => `${byKind[v]} ${v}`).concat(sum.test_failed ? [`${sum.test_failed} in tests that failed otherwise`] : []).join(", ");
  document.getElementById("page").replaceChildren(
    h("h1", {}, "Gradient checks"),
    h("p", { class: "headline" }, `${sum.checks} gradient check${sum.checks === 1 ? "" : "s"}${counts ? `: ${counts}` : ""}`),
    h("p", { class: "run" }, [began, took, `pytest-gradcheck ${e.packages["pytest-gradcheck"] || ""}`.trim(), `Python ${e.python}`].filter(Boolean).join(" · ")),
    ...(report.gate || []).map((rule) => h("p", { class: "gate" }, h("strong", {}, rule.rule), ": ", breakable(`${rule.found}; ${rule.remedy}`))),
    unchecked.length ? h("details", {}, h("summary", {}, `${unchecked.length} marked tests in which nothing was checked`), h("ul", {}, unchecked.map((name) => h("li", { class: "mono" }, name)))) : "",
    misused.length ? h("details", { open: "" }, h("summary", {}, `${misused.length} test${misused.length === 1 ? "" : "s"} ended because of a wrong use`), h("ul", {}, misused.map((one) => h("li", {}, h("span", { class: "mono" }, breakable(one.nodeid)), h("br"), one.message)))) : "",
    h("div", { class: "bar", role: "search" }, search, ...buttons.filter(Boolean), order, count),
    h("div", { class: "heads", "aria-hidden": "true" }, h("span", {}, "verdict"), h("span", {}, "test"), h("span", { class: "number" }, "error ÷ allowed"), h("span", { class: "number" }, "time")),
    list,
    coverage(report.coverage || {}),
    h("p", { class: "said" }, `${e.implementation || "Python"} ${e.python}, ${e.platform || ""}; ${packages}. Keys: / searches, j and k go from check to check, Enter opens one.`));
  update();
  let wanted = "";
  try { wanted = decodeURIComponent(location.hash.slice(1)); } catch { /* an address that somebody cut */ }
  const row = rows.find((r) => wanted && anchor(r.check) === wanted);
  if (row) { row.details.open = true; row.summary.focus(); row.item.scrollIntoView(); }
})();
