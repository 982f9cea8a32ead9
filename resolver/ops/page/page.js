// Asks /status every two seconds and shows what changed since: totals come in, rates and percentiles are made here, of
// the last minute. All text is set as text, never as markup: names and reasons come from whoever asks a resolver.
"use strict";

const PERIOD_MS = 2000;
const WINDOW_S = 60;
const KEPT_S = 180;
const SOURCES = [
  ["hit", "memory"],
  ["upstream", "an upstream"],
  ["stale", "memory, stale"],
  ["failure", "nowhere: a failure"],
  ["rejected", "nowhere: turned away"],
];
const TOPS = [
  ["pods", "Pods", (row) => (row.namespace ? `${row.namespace}/${row.pod}` : row.pod)],
  ["names", "Names", (row) => row.name],
  ["missing", "Names that do not exist", (row) => row.name],
];

const $ = (id) => document.getElementById(id);
const samples = []; // {at: seconds, status}, the oldest first
let token = "";
let tellsChanges = true;
let polls = 0;

// ---------------------------------------------------------------------------------------------------- asking

async function ask(path) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const response = await fetch(path, { headers, cache: "no-store", signal: AbortSignal.timeout(10 * PERIOD_MS) });
  const text = await response.text();
  let body = null;
  try { body = JSON.parse(text); } catch { /* a problem is told in plain text */ }
  return { code: response.status, body, text };
}

async function askStatus() {
  if (tellsChanges) {
    const answer = await ask("status?changes=true");
    if (answer.code !== 401 && answer.code !== 403) return answer;
    tellsChanges = false;
    needsToken(answer.code === 401);
    $("no-changes").textContent = answer.text;
    $("no-changes").hidden = false;
    $("changes").replaceChildren();
  }
  return ask("status");
}

async function poll() {
  try {
    const answer = await askStatus();
    if (answer.code !== 200 || answer.body === null) throw new Error(answer.text || `status ${answer.code}`);
    remember(answer.body);
    show(answer.body);
    if (answer.body.top && polls++ % 3 === 0) await showTop();
  } catch (error) {
    setState("bad", "no answer");
    showReasons([`This page gets no figures: ${error.message}`]);
  }
  setTimeout(next, PERIOD_MS);
}

function next() {
  if (document.hidden) document.addEventListener("visibilitychange", poll, { once: true });
  else poll();
}

function remember(status) {
  const at = performance.now() / 1000;
  const last = samples.at(-1);
  if (last && total(status) < total(last.status)) samples.length = 0; // another worker, which counts from zero
  samples.push({ at, status });
  while (samples.length > 2 && samples[0].at < at - KEPT_S) samples.shift();
}

// ---------------------------------------------------------------------------------------------------- arithmetic

const sum = (counts) => Object.values(counts).reduce((all, each) => all + each, 0);
const total = (status) => sum(status.replies);

/** What was added to counts between two samples; all of it where there is only one. */
function added(now, before) {
  return Object.fromEntries(Object.entries(now).map(([key, count]) => [key, count - (before?.[key] ?? 0)]));
}

/** The last minute: counts, and the seconds in which they came. */
function lately() {
  const last = samples.at(-1);
  const first = samples.find((each) => each.at >= last.at - WINDOW_S);
  const before = first === last ? null : first.status;
  const { replies, milliseconds } = last.status;
  return {
    seconds: before ? last.at - first.at : Math.max(last.status.upSeconds, 1),
    sinceStart: !before,
    replies: added(replies, before?.replies),
    ready: added(milliseconds.ready, before?.milliseconds.ready),
    waited: added(milliseconds.waited, before?.milliseconds.waited),
  };
}

/** The bucket in which a share of all lies, as text. */
function percentile(buckets, share) {
  const bounds = Object.keys(buckets).sort((a, b) => bound(a) - bound(b));
  let left = sum(buckets) * share;
  if (!left) return "–";
  for (const each of bounds) {
    left -= buckets[each];
    if (left <= 0) return each === "+Inf" ? "> 8 s" : `≤ ${duration(bound(each))}`;
  }
  return "–";
}

const bound = (text) => (text === "+Inf" ? Infinity : Number(text));
const both = (one, other) => {
  const all = { ...one };
  for (const [key, count] of Object.entries(other)) all[key] = (all[key] ?? 0) + count;
  return all;
};

const duration = (ms) => (ms < 1 ? `${ms.toFixed(2)} ms` : ms < 1000 ? `${+ms.toPrecision(3)} ms` : `${+(ms / 1000).toPrecision(3)} s`);
const number = (value) => (value >= 100 || Number.isInteger(value) ? Math.round(value).toLocaleString("en") : value.toPrecision(2));
const percent = (part, whole) => (!whole ? "–" : part === whole ? "100 %" : `${Math.min(99.9, (100 * part) / whole).toFixed(1)} %`);
const bytes = (count) => (count < 1048576 ? `${(count / 1024).toFixed(0)} KiB` : `${(count / 1048576).toFixed(1)} MiB`);

function since(seconds) {
  const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  if (seconds < 1) return "0 s";
  const at = parts.findIndex(([unit]) => seconds >= unit);
  return parts.slice(at, at + 2).map(([unit, name], i) => `${Math.floor(i ? (seconds % parts[at][0]) / unit : seconds / unit)} ${name}`).join(" ");
}

// ---------------------------------------------------------------------------------------------------- showing

/** An element with text or children; `cls` may be empty. */
function make(tag, cls, ...children) {
  const made = document.createElement(tag);
  if (cls) made.className = cls;
  made.append(...children);
  return made;
}

function setText(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text; // unchanged text is not read out again
}

function setState(state, text) {
  $("state").dataset.state = state;
  setText("state", text);
  document.title = `${text} · nodelocaldns`;
}

function showReasons(reasons) {
  $("reasons").hidden = !reasons.length;
  $("reasons").replaceChildren(...reasons.map((reason) => make("li", "", reason)));
}

function row(...cells) {
  const [first, ...others] = cells;
  const head = make("th", "", ...[first].flat());
  head.scope = "row";
  return make("tr", "", head, ...others.map((cell) => (cell instanceof Node ? cell : make("td", "", cell))));
}

function show(status) {
  setState(status.ready ? "good" : "bad", status.ready ? "ready" : "not ready");
  showReasons([...status.reasons, ...(status.network.trouble ? [status.network.trouble] : [])]);
  setText("node", status.node);
  const workers = status.workers > 1 ? ` · ${status.workers} workers` : "";
  setText("about", `Version ${status.version} · answers since ${since(status.upSeconds)}${workers}`);
  const now = lately();
  setText("window", now.sinceStart ? "since the start" : now.seconds < 59 ? `last ${Math.round(now.seconds)} s` : "last minute");
  showTiles(now, status);
  showSources(now.replies);
  $("latencies").replaceChildren(...[["all", both(now.ready, now.waited)], ["ready in memory", now.ready], ["all others", now.waited]]
    .map(([what, buckets]) => row(what, percentile(buckets, 0.5), make("td", "wide", percentile(buckets, 0.9)), percentile(buckets, 0.99), number(sum(buckets)))));
  showUpstreams(status.upstreams);
  showFacts(status);
  if (status.changes) showChanges(status.changes);
}

function showTiles(now, status) {
  const answered = sum(now.replies);
  const remembered = now.replies.hit + now.replies.stale;
  const all = both(now.ready, now.waited);
  setText("rate", number(answered / now.seconds));
  setText("hit-ratio", percent(remembered, answered - now.replies.rejected));
  setText("latency", percentile(all, 0.5));
  setText("latency-more", `99 %: ${percentile(all, 0.99)}`);
  setText("stale", number(now.replies.stale));
  setText("stale-more", `${number(status.replies.stale)} since the start`);
  chart("rate-chart", steps((replies, seconds) => sum(replies) / seconds), null);
  chart("hit-chart", steps((replies) => (replies.hit + replies.stale) / Math.max(1, sum(replies) - replies.rejected)), 1);
}

/** A value for each pair of samples that follow each other. */
function steps(value) {
  return samples.slice(1).map((sample, i) => value(added(sample.status.replies, samples[i].status.replies), sample.at - samples[i].at));
}

function chart(id, values, top) {
  if (values.length < 2) return $(id).replaceChildren();
  const most = Math.max(top ?? 0, ...values, 1e-9);
  const points = values.map((value, i) => `${((100 * i) / (values.length - 1)).toFixed(2)} ${(30 - (28 * value) / most).toFixed(2)}`);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 100 30");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  for (const [cls, d] of [["area", `M0 30L${points.join("L")}L100 30Z`], ["", `M${points.join("L")}`]]) {
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("class", cls);
    path.setAttribute("d", d);
    svg.append(path);
  }
  return $(id).replaceChildren(svg);
}

function showSources(replies) {
  const all = sum(replies);
  $("bar").replaceChildren(...SOURCES.filter(([key]) => replies[key]).map(([key]) => {
    const part = make("span", key);
    part.style.flexGrow = replies[key] / all;
    return part;
  }));
  $("legend").replaceChildren(...SOURCES.map(([key, text]) =>
    make("li", "", make("span", `swatch ${key}`), make("span", "", text), make("span", "", number(replies[key])), make("span", "", percent(replies[key], all)))));
}

function showUpstreams(upstreams) {
  $("upstreams").replaceChildren(...Object.values(upstreams).map((server) => {
    const state = make("td", server.up ? "up" : "down", server.up ? "up" : "down");
    const latency = server.latencyMilliseconds;
    return row([`${server.address} ${server.transport}`, make("div", "quiet", server.zones === "." ? "all other names" : server.zones)], state,
      latency === null ? "–" : duration(latency), make("td", "wide", number(server.answers)), number(server.failures), make("td", "wide", number(server.inFlight)));
  }));
}

function showChanges(changes) {
  $("no-changes").hidden = changes.length > 0;
  $("changes").replaceChildren(...changes.map((change) => {
    const when = make("time", "quiet", new Date(1000 * change.at).toLocaleTimeString("en-GB"));
    when.dateTime = new Date(1000 * change.at).toISOString();
    const fields = Object.entries(change.fields).map(([name, value]) => `${name}: ${value}`).join(", ");
    return make("li", "", when, make("span", "", make("span", change.level, change.event), " ", make("span", "quiet", fields)));
  }));
}

function showFacts(status) {
  const { cache, lookups, network } = status;
  const facts = [
    ["Answers remembered", number(cache.entries)],
    ["Memory for answers", `${bytes(cache.bytes)} of ${bytes(cache.maxBytes)}`],
    ["Forgotten to make room", number(cache.evictions)],
    ["Refreshed before they expired", number(cache.prefetches)],
    ["Lookups under way", `${number(lookups.underWay)} (${number(lookups.waiting)} queries wait)`],
    ["Queries that joined another's lookup", number(lookups.joined)],
    ["Refused, too many lookups", number(lookups.refused)],
    ["Worst delay of a minute", duration(status.worstLoopLagMilliseconds)],
    ["Configuration", status.configurationInForce ? "in force as the file says" : "the file has a mistake, the old one is in force"],
    ["Workers replaced", number(sum(status.workersReplaced))],
  ];
  if (network.device) facts.push(["Interface", network.missingAddresses.length ? `${network.device}, missing ${network.missingAddresses.join(", ")}` : `${network.device}, complete`]);
  if (network.rules !== null) facts.push(["Rules past conntrack", network.rules ? "in force" : "missing"]);
  if (network.conntrackBypass) facts.push(["Self-test of the bypass", `${network.conntrackBypass.result} ${network.conntrackBypass.reason}`]);
  $("facts").replaceChildren(...facts.flatMap(([name, value]) => [make("dt", "", name), make("dd", "", value)]));
}

// ---------------------------------------------------------------------------------------------------- names

function needsToken(helps) {
  $("access").hidden = !helps;
}

async function lookUp(event) {
  event.preventDefault();
  const name = $("name").value.trim();
  const type = $("type").value;
  if (!name) return;
  const answer = await ask(`cache?name=${encodeURIComponent(name)}${type ? `&type=${type}` : ""}`).catch((error) => ({ code: 0, body: null, text: error.message }));
  if (answer.code === 401) needsToken(true);
  if (answer.body === null) $("found").replaceChildren(make("p", "error", answer.text.trim()));
  else if (!answer.body.entries?.length) $("found").replaceChildren(make("p", "", `Nothing is remembered of ${name}`));
  else $("found").replaceChildren(...answer.body.entries.flatMap(entry));
}

function entry(found) {
  const left = found.state === "fresh" ? `fresh for ${since(found.ttlLeftSeconds)}` : `${found.state}, expired ${since(found.ageSeconds - found.ttl)} ago`;
  const { answer, authority, additional } = found.records;
  return [
    make("p", "quiet", `${found.type}: ${found.rcode}, ${left}, ${since(found.ageSeconds)} old, from ${found.server} for zone ${found.zone}`),
    make("pre", "", [...answer, ...authority, ...additional].join("\n") || "no records"),
  ];
}

async function showTop() {
  const answer = await ask("top");
  if (answer.code !== 200 || answer.body === null) return;
  $("top").hidden = false;
  $("tops").replaceChildren(...TOPS.filter(([key]) => answer.body[key]?.length).map(([key, title, named]) => {
    const rows = busiest(answer.body[key], named).map(([name, rate, queries]) => row(breakable(name), `${number(rate)}/s`, number(queries)));
    const head = [title, "lately", "queries"].map((text) => Object.assign(make("th", "", text), { scope: "col" }));
    return make("table", "", make("thead", "", make("tr", "", ...head)), make("tbody", "", ...rows));
  }));
}

/** A name that may go on in the next line after each of its labels. */
function breakable(name) {
  return make("span", "", ...name.split(/(?<=[./])/).flatMap((label) => [label, make("wbr")]));
}

/** The ten busiest; with several workers each tells a row of its own for the same name. */
function busiest(rows, named) {
  const sums = new Map();
  for (const each of rows) {
    const [rate, queries] = sums.get(named(each)) ?? [0, 0];
    sums.set(named(each), [rate + each.rate, queries + each.queries]);
  }
  const found = [...sums].map(([name, [rate, queries]]) => [name, rate, queries]);
  return found.sort((one, other) => other[1] - one[1] || other[2] - one[2]).slice(0, 10);
}

$("lookup").addEventListener("submit", lookUp);
$("access").addEventListener("submit", (event) => {
  event.preventDefault();
  token = $("token").value.trim();
  needsToken(false);
  tellsChanges = true;
});
poll();
