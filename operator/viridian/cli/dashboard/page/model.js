// One model: its two colors, its lines over time, checks, guards, history, and the actions that are of use now.

import { ask } from "./api.js";
import { age, badge, element } from "./elements.js";
import { chart, short } from "./chart.js";

const CONSEQUENCES = {
  approve: "It goes on to its next step. The guards stay on.",
  pause: "The weights stay as they are until it is resumed. The guards stay on.",
  resume: "The weights go on from where they are.",
  abort: "All traffic goes back to stable now. This version stays away until it is retried.",
  promote: "The remaining holds are left out. A guard that breaches still takes it back.",
  retry: "The version that the spec asks for starts again from the first step.",
  rollback: "What served before comes back, and gets all traffic when its pods are ready.",
};
const TONES = { Breach: "bad", Failed: "bad", CannotRun: "bad", Healthy: "good", Passed: "good", Promoted: "good", Restored: "good" };
const EVERY = 5000;
const EVERY_ANSWERS = 60000;
const RESULTS = {
  agreed: "answered as stable did", disagreed: "answered something else, or refused what stable takes",
  failed: "gave no answer", dropped: "were not sent, because too many were under way",
};

function shadow_of({ revision, results, differences }, logged) {
  const all = Object.values(results).reduce((sum, number) => sum + number, 0);
  const apart = differences.map(({ atMost, count }) => `${short(count)} by ${atMost === null ? "more" : `at most ${atMost}`}`);
  return [
    element("p", {}, `${revision} got copies of ${short(all)} requests that stable answered.`),
    element("ul", {}, ...Object.entries(RESULTS).filter(([kind]) => results[kind]).map(([kind, words]) =>
      element("li", {}, badge(kind, kind === "agreed" ? "good" : "bad"), ` ${short(results[kind])} (${short((100 * results[kind]) / all)} %) ${words}`))),
    apart.length ? element("p", {}, `The numbers of both answers differ: ${apart.join(", ")}.`) : null,
    results.disagreed ? element("p", { class: "hint" }, logged
      ? "The prediction log has each disagreement with both answers."
      : "With spec.serving.log, the prediction log has each disagreement with both answers.") : null,
  ].filter(Boolean);
}

export class ModelView {
  constructor(content, key, state) {
    Object.assign(this, { content, key, state, traffic: null });
    document.title = `${key} · Viridian`;
    content.replaceChildren(element("p", { role: "status" }, `Reading ${key} …`));
    this.timers = [setInterval(() => this.refresh(), EVERY), setInterval(() => this.refresh_answers(), EVERY_ANSWERS)];
  }

  leave() {
    this.timers.forEach(clearInterval);
    this.left = true;
  }

  gone() {
    this.leave();
    this.content.replaceChildren(element("h1", {}, this.key), element("p", { role: "status" }, "This model was deleted."));
  }

  async load() {
    const { ok, data } = await ask(`/api/models/${this.key}`);
    if (this.left) return;
    if (!ok) return this.content.replaceChildren(element("h1", {}, this.key), element("p", { role: "alert" }, data.error));
    this.show(data);
    await Promise.all([this.refresh(), this.refresh_answers()]);
  }

  async refresh() {
    if (this.state.traffic && this.model) {
      const { ok, data } = await ask(`/api/models/${this.key}/traffic`);
      this.traffic = ok ? data : { error: data.error };
    }
    if (!this.left && this.model) this.draw_charts();
  }

  // Slower than the traffic: it changes little in a minute, and drift is a query over a day.
  async refresh_answers() {
    if (this.state.traffic && this.model) {
      const { ok, data } = await ask(`/api/models/${this.key}/answers`);
      this.answers = ok ? data : { shadow: [], drift: [], why: data.error };
    }
    if (!this.left && this.model) this.draw_answers();
  }

  draw_answers() {
    const { shadow, drift, why } = this.answers ?? { shadow: [], drift: [], why: "" };
    this.parts.shadow.parentElement.hidden = shadow.length === 0;
    this.parts.shadow.replaceChildren(...shadow.flatMap((each) => shadow_of(each, this.model.logged)));
    this.fill("drift", drift, ["Variable", "Drifts", "PSI", "Values", "What moved"], (each) =>
      [`${each.variable} (${each.kind}, ${each.revision})`, badge(each.drifts ? "yes" : "no", each.drifts ? "bad" : "good"),
        short(each.psi), short(each.values), each.drifts ? each.moved : ""]);
    if (!drift.length && why) {
      this.parts.drift.parentElement.hidden = false;
      this.parts.drift.replaceChildren(element("p", { class: "hint" }, why));
    }
  }

  show(model) {
    if (this.left) return;
    const first = !this.model;
    this.model = model;
    if (first) this.build();
    this.paint();
    if (first) this.draw_answers();
    this.draw_charts();
  }

  build() {
    this.parts = {};
    const part = (name, title) => {
      this.parts[name] = element("div");
      return element("section", { "aria-label": title, id: `part-${name}` }, element("h2", {}, title), this.parts[name]);
    };
    this.head = element("div", { class: "head" });
    this.state_line = element("p", { class: "now", role: "status" });
    this.buttons = element("div", { class: "buttons" });
    this.content.replaceChildren(
      element("nav", { "aria-label": "Way back" }, element("a", { href: "#/" }, "← All models")),
      this.head, this.state_line, this.buttons,
      part("lanes", "Colors"), part("lines", "Over time"), part("checks", "Checks before traffic"),
      part("shadow", "Answers beside stable's"), part("drift", "Drift of a day"),
      part("guards", "Guards"), part("why", "What to know"), part("history", "Earlier rollouts"));
  }

  paint() {
    const model = this.model;
    this.head.replaceChildren(element("h1", {}, model.name, element("small", {}, ` in ${model.namespace}`)), badge(model.phase, model.tone));
    const sentence = `${model.state.replace(/\.$/, "")}.`;
    if (this.state_line.textContent !== sentence) this.state_line.textContent = sentence;
    const offered = this.state.actions ? model.actions : [];
    if (this.buttons.dataset.offered !== offered.join()) {
      this.buttons.dataset.offered = offered.join();
      this.buttons.replaceChildren(...offered.map((verb) =>
        element("button", { type: "button", "data-verb": verb, onclick: () => this.ask(verb) }, verb[0].toUpperCase() + verb.slice(1))));
    }
    this.parts.lanes.replaceChildren(...["blue", "green"].map((color) => this.lane(color)), this.step());
    this.fill("checks", model.checks, ["Check", "Result", "Found"], (check) =>
      [check.name, badge(check.result, TONES[check.result] ?? "busy"), check.message ?? ""]);
    this.fill("guards", model.guards, ["Guard", "Verdict", "Evidence", "Found"], (guard) =>
      [`${guard.name} (${guard.kind})`, badge(guard.verdict, TONES[guard.verdict] ?? "busy"),
        `${short(guard.evidence)} of ${short(guard.threshold)}`, guard.message ?? ""]);
    this.parts.why.replaceChildren(...model.explanation.map((text) => element("p", {}, text)));
    this.fill("history", model.history, ["Version", "Result", "Ended", "Changes", "Why"], (entry) =>
      [`${entry.version} (${entry.revision})`, badge(entry.result, TONES[entry.result] ?? "bad"),
        `${age(entry.endedAt)} ago`, entry.changes ?? "", entry.message]);
  }

  lane(color) {
    const found = this.model.roles.find((role) => role.color === color);
    const weight = found?.weight ?? 0;
    return element("div", { class: `lane ${color}` },
      element("h3", {}, color),
      element("p", {}, found ? `${found.role} ${found.version} (${found.revision})` : "not in use"),
      element("p", { class: "share" }, element("progress", { max: 100, value: weight, "aria-label": `weight of ${color}` }), `${weight} %`),
      element("p", {}, found ? `${found.ready ?? 0} of ${found.replicas ?? 0} pods ready` : "no pods"));
  }

  step() {
    const { step, hold } = this.model;
    const texts = [];
    if (step) {
      const name = step.index > step.count ? "Bake" : `Step ${step.index} of ${step.count}`;
      texts.push(step.verifiedAt ? `${name}: ${step.weight} %, seen in the traffic for ${age(step.verifiedAt)}.`
        : `${name}: ${step.weight} %, not yet seen in the traffic.`);
    }
    if (hold) texts.push(`Held for ${age(hold.since)}: ${hold.message || hold.reason}`);
    return element("p", { class: "step" }, texts.join(" "));
  }

  draw_charts() {
    const { record } = this.model, until = Date.now() / 1000;
    const begun = record.weights[0]?.at ?? until;
    const from = Math.min(this.traffic?.since ?? begun, begun, until - 60);
    const events = record.phases.map((each) => ({ at: each.at, name: each.reason || each.phase }));
    const common = { from, until, events };
    const drawn = [chart({
      ...common, title: "Weight", unit: " %", scale: "share",
      lines: ["blue", "green"].map((color) => ({
        name: color, tone: color, steps: true, points: record.weights.map((each) => [each.at, each[color] ?? null]),
      })),
      summary: this.model.roles.map((role) => `${role.color} has ${role.weight ?? 0} % now`).join(", "),
    })];
    const guards = Object.entries(record.evidence);
    if (guards.length) {
      const share = (each) => (each.evidence === null ? null : each.threshold > 0 ? each.evidence / each.threshold : 0);
      drawn.push(chart({
        ...common, title: "Evidence against the candidate, as a share of what rolls it back (logarithmic)", scale: "log",
        limit: { value: 1, name: "roll back" },
        lines: guards.map(([name, points], index) => ({
          name, tone: `tone-${index % 6}`, steps: true, points: points.map((each) => [each.at, share(each)]),
        })),
        summary: this.model.guards.map((guard) => `${guard.name}: ${short(guard.evidence)} of ${short(guard.threshold)}`).join(", "),
      }));
    }
    if (this.traffic?.error) drawn.push(element("p", { role: "alert" }, this.traffic.error));
    else if (this.traffic) drawn.push(...this.traffic_charts(common));
    else if (!this.state.traffic) drawn.push(element("p", { class: "hint" }, "Start the page with --prometheus URL to see requests, errors and latency here."));
    this.parts.lines.replaceChildren(...drawn);
  }

  traffic_charts(common) {
    const titles = { requests: ["Requests", "/s"], errors: ["Errors", " %"], p95: ["95th percentile of latency", " ms"] };
    return Object.entries(titles).map(([kind, [title, unit]]) => {
      const found = Object.entries(this.traffic[kind]);
      const lines = found.map(([revision, points], index) => {
        const role = this.model.roles.find((each) => each.revision === revision);
        return { name: role ? `${revision} (${role.role})` : revision, tone: role?.color ?? `tone-${index % 6}`, steps: false, points };
      });
      const summary = lines.length ? lines.map((line) => `${line.name}: ${short(line.points.at(-1)?.[1] ?? 0)}${unit}`).join(", ") : "no requests";
      return chart({ ...common, title, unit, lines, summary });
    });
  }

  fill(name, rows, headers, cells) {
    const part = this.parts[name];
    part.parentElement.hidden = rows.length === 0;
    part.replaceChildren(element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${name}, as a table` },
      element("table", {},
        element("thead", {}, element("tr", {}, ...headers.map((text) => element("th", { scope: "col" }, text)))),
        element("tbody", {}, ...rows.map((row) => element("tr", {}, ...cells(row).map((cell, index) =>
          index === 0 ? element("th", { scope: "row" }, cell) : element("td", {}, cell))))))));
  }

  ask(verb) {
    const dialog = document.getElementById("confirmation");
    const [confirm, keep, refusal] = ["confirm", "keep", "refusal"].map((id) => document.getElementById(id));
    document.getElementById("question").textContent = `${verb[0].toUpperCase() + verb.slice(1)} ${this.model.name}?`;
    document.getElementById("consequence").textContent = CONSEQUENCES[verb];
    confirm.textContent = verb[0].toUpperCase() + verb.slice(1);
    refusal.hidden = true;
    confirm.disabled = false;
    keep.onclick = () => dialog.close();
    confirm.onclick = async () => {
      confirm.disabled = true;
      const { ok, data } = await ask(`/api/models/${this.key}/${verb}`, { method: "POST" });
      if (ok) return dialog.close();
      refusal.textContent = data.error;
      refusal.hidden = false;
    };
    dialog.showModal();
  }
}
