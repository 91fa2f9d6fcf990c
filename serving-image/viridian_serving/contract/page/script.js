"use strict";

const form = document.querySelector("form");
const url = new URL("predict", location.href).href;
const key = document.querySelector("#key");
const element = (tag, text, kind) => Object.assign(document.createElement(tag), { textContent: text, className: kind || "" });

// JSON is put together as text: a number of 64 bits does not fit into one of JavaScript's. What is no JSON is sent as a
// string, so that the API says what is wrong with it.
function written(field) {
  const { kind, nullable, list } = field.dataset;
  const value = field.value;
  if (kind === "string" && !list) return JSON.stringify(value);
  if (value === "") return nullable ? "null" : undefined;
  try {
    JSON.parse(value);
    return value;
  } catch {
    return JSON.stringify(value);
  }
}

function body() {
  const members = [];
  for (const field of form.elements) {
    const value = field.name ? written(field) : undefined;
    if (value !== undefined) members.push(`${JSON.stringify(field.name)}: ${value}`);
  }
  return `{${members.join(", ")}}`;
}

function showCommand() {
  const quoted = body().replaceAll("'", "'\\''");
  document.querySelector("#command").textContent =
    `curl ${url} \\\n  -H 'Content-Type: application/json' \\\n${key ? "  -H \"X-Api-Key: $KEY\" \\\n" : ""}  -d '${quoted}'`;
}

function bars(probabilities) {
  const rows = Object.entries(probabilities).sort((a, b) => b[1] - a[1]).slice(0, 10);
  return rows.map(([name, share]) => {
    const row = element("div", "", "bar");
    const bar = document.createElement("i");
    bar.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
    row.append(element("span", name), bar, element("span", `${(share * 100).toFixed(1)} %`));
    return row;
  });
}

function showAnswer(answer) {
  const { prediction, probabilities } = answer;
  const parts = [element("p", typeof prediction === "object" ? JSON.stringify(prediction) : String(prediction), "big")];
  if (probabilities) parts.push(...bars(probabilities));
  return parts;
}

function showProblem(problem) {
  const names = new Map();
  for (const field of form.elements) {
    if (field.name) names.set("/" + field.name.replaceAll("~", "~0").replaceAll("/", "~1"), field);
  }
  const rest = [];
  for (const { pointer, detail } of problem.errors || []) {
    const top = "/" + pointer.split("/")[1];
    const field = names.get(top);
    const text = (pointer === top ? "" : `${pointer.slice(top.length)} `) + detail;
    if (field) field.closest("label").append(element("div", text, "wrong"));
    else rest.push(element("p", `${pointer} ${detail}`, "wrong"));
  }
  return [element("p", problem.detail || problem.title || "", "wrong"), ...rest];
}

async function send(event) {
  event.preventDefault();
  const button = form.querySelector("button");
  const result = document.querySelector("#result");
  for (const old of form.querySelectorAll(".wrong")) old.remove();
  button.disabled = true;
  const began = performance.now();
  try {
    const headers = { "Content-Type": "application/json", ...(key ? { "X-Api-Key": key.value } : {}) };
    const response = await fetch(url, { method: "POST", headers, body: body() });
    const text = await response.text();
    const took = (performance.now() - began).toFixed(0);
    const revision = response.headers.get("Viridian-Revision") || "";
    const note = element("p", `${response.status} in ${took} ms, by ${revision}`, "note");
    let document_;
    try {
      document_ = JSON.parse(text);
    } catch {
      result.replaceChildren(note, element("pre", text));
      return;
    }
    const shown = response.ok ? showAnswer(document_) : showProblem(document_);
    result.replaceChildren(...shown, note, element("pre", JSON.stringify(document_, null, 2)));
  } catch (error) {
    result.replaceChildren(element("p", `There was no answer: ${error.message}`, "wrong"));
  } finally {
    button.disabled = false;
  }
}

form.addEventListener("submit", send);
form.addEventListener("input", showCommand);
showCommand();
