// The list of all models, the way between the two views, and the stream of changes.

import { ask } from "./api.js";
import { age, badge, element } from "./elements.js";
import { ModelView } from "./model.js";

// Rows that are drawn at first, and with each "Show more": a browser lays out thousands of them slowly.
const PAGE = 200;
const content = document.getElementById("content");
const state = { rows: new Map(), actions: false, traffic: false, filter: "", namespace: "", only: "", most: PAGE };
let stream = null, view = null, waiting = false;

async function start() {
  await read();
  window.addEventListener("hashchange", route);
  route();
}

// All models as they are now; changes come by the stream, which says when it begins.
async function read() {
  const { ok, data } = await ask("/api/models");
  if (!ok) return trouble(data.error);
  Object.assign(state, { actions: data.actions, traffic: data.traffic });
  state.rows = new Map(data.models.map((row) => [row.key, row]));
  trouble(data.trouble);
}

function route() {
  const key = decodeURIComponent(location.hash.replace(/^#\/?/, ""));
  view?.leave?.();
  view = key.includes("/") ? new ModelView(content, key, state) : new ListView();
  listen(key.includes("/") ? key : "");
  content.focus({ preventScroll: true });
}

function listen(key) {
  stream?.close();
  stream = new EventSource(`/api/events${key ? `?model=${encodeURIComponent(key)}` : ""}`);
  stream.addEventListener("begin", async () => {
    await read();
    soon();
    view.load?.();
  });
  stream.addEventListener("row", (event) => {
    const row = JSON.parse(event.data);
    state.rows.set(row.key, row);
    soon();
  });
  stream.addEventListener("gone", (event) => {
    const gone = JSON.parse(event.data);
    state.rows.delete(gone);
    if (gone === key) view.gone?.();
    soon();
  });
  stream.addEventListener("model", (event) => view.show?.(JSON.parse(event.data)));
  stream.addEventListener("trouble", (event) => trouble(JSON.parse(event.data)));
  stream.onerror = () => trouble("the connection to the server of this page is lost: what is shown may be old. Does it still run?");
}

function trouble(text) {
  const line = document.getElementById("trouble");
  line.hidden = !text;
  if (line.textContent !== text) line.textContent = text;
}

function soon() {
  if (waiting || !view.draw) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    view.draw?.();
  });
}

class ListView {
  constructor() {
    document.title = "Models · Viridian";
    this.drawn = new Map();
    this.body = element("tbody");
    this.more = element("button", { type: "button", id: "more", onclick: () => this.show_more() });
    this.count = element("p", { role: "status", class: "count" });
    this.namespaces = element("select", { id: "namespace", onchange: (event) => this.choose("namespace", event) });
    const phases = element("select", { id: "only", onchange: (event) => this.choose("only", event) },
      element("option", { value: "" }, "all"),
      element("option", { value: "busy" }, "in a rollout"),
      element("option", { value: "bad" }, "turned back or stalled"));
    phases.value = state.only;
    const headers = ["Model", "Phase", "Stable", "Candidate", "Weight", "Step", "What happens", "For"];
    content.replaceChildren(
      element("h1", {}, "Models"),
      element("div", { class: "filters" },
        element("label", { for: "search" }, "Search"),
        element("input", { id: "search", type: "search", value: state.filter, oninput: (event) => this.choose("filter", event) }),
        element("label", { for: "namespace" }, "Namespace"), this.namespaces,
        element("label", { for: "only" }, "Show"), phases),
      this.count,
      element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Models" },
        element("table", { class: "models" },
          element("thead", {}, element("tr", {}, ...headers.map((text) => element("th", { scope: "col" }, text)))),
          this.body)),
      this.more);
    this.clock = setInterval(() => this.draw(), 10000);
    this.draw();
  }

  leave() {
    clearInterval(this.clock);
  }

  choose(key, event) {
    state[key] = event.target.value;
    state.most = PAGE;
    this.draw();
  }

  show_more() {
    const last = this.body.lastChild;
    state.most += PAGE;
    this.draw();
    last?.nextSibling?.querySelector("a")?.focus();
  }

  draw() {
    this.offer([...new Set([...state.rows.values()].map((row) => row.namespace))].sort());
    const wanted = state.filter.toLowerCase();
    const found = [...state.rows.values()].filter((row) =>
      (!state.namespace || row.namespace === state.namespace) && (!state.only || row.tone === state.only) &&
      (!wanted || `${row.key} ${row.phase} ${row.stable} ${row.candidate}`.toLowerCase().includes(wanted)));
    const order = { bad: 0, busy: 1, good: 2 };
    found.sort((a, b) => order[a.tone] - order[b.tone] || (a.key < b.key ? -1 : 1));
    const rows = found.slice(0, state.most);
    this.more.hidden = rows.length === found.length;
    this.more.textContent = `Show ${Math.min(PAGE, found.length - rows.length)} more of ${found.length}`;
    const kept = new Set(rows.map((row) => row.key));
    for (const [key, line] of this.drawn) {
      if (!kept.has(key)) {
        line.made.remove();
        this.drawn.delete(key);
      }
    }
    let place = this.body.firstChild;
    for (const row of rows) {
      let line = this.drawn.get(row.key);
      if (!line || line.row !== row) {
        const made = this.line(row);
        if (line) {
          if (place === line.made) place = made;
          line.made.replaceWith(made);
        }
        line = { row, made };
        this.drawn.set(row.key, line);
      }
      line.made.lastChild.textContent = age(row.since);
      if (place === line.made) place = place.nextSibling;
      else this.body.insertBefore(line.made, place);
    }
    const all = state.rows.size;
    const text = all === 0 ? "There is no ModelDeployment here yet: apply one. `kubectl viridian dashboard -A` shows those of all namespaces."
      : found.length === all ? (all === 1 ? "1 model" : `${all} models`) : `${found.length} of ${all} models`;
    if (this.count.textContent !== text) this.count.textContent = text;
  }

  offer(namespaces) {
    if (this.offered === namespaces.join(" ")) return;
    this.offered = namespaces.join(" ");
    this.namespaces.replaceChildren(element("option", { value: "" }, "all"),
      ...namespaces.map((name) => element("option", { value: name }, name)));
    this.namespaces.value = namespaces.includes(state.namespace) ? state.namespace : "";
  }

  line(row) {
    const share = row.weight === null ? "" : element("span", { class: "share" },
      element("progress", { max: 100, value: row.weight, "aria-label": `the candidate's weight of ${row.name}` }), `${row.weight} %`);
    return element("tr", {},
      element("th", { scope: "row" }, element("a", { href: `#/${row.key}` }, row.name), element("small", {}, row.namespace)),
      element("td", {}, badge(row.phase, row.tone)),
      element("td", {}, row.stable), element("td", {}, row.candidate), element("td", {}, share),
      element("td", {}, row.progress), element("td", { class: "state" }, row.state), element("td", { class: "age" }, ""));
  }
}

start();
