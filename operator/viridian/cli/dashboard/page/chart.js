// Lines over time as SVG: steps or slopes, a linear or a logarithmic scale, and events on the same axis.

import { element, svg } from "./elements.js";

const WIDTH = 720, HEIGHT = 160, LEFT = 52, RIGHT = 12, TOP = 10, BOTTOM = 24;
let number = 0;

/**
 * chart({title, unit, from, until, lines, scale, limit, events, summary})
 *   from, until: seconds since 1970
 *   lines: [{name, tone, steps, points: [[seconds, value or null], ...]}]
 *   scale: "share" (0 to 100), "linear" (from 0) or "log" (from 0.01)
 *   limit: {value, name}, drawn as a dashed line; events: [{at, name}]
 *   summary: what the picture says, in a sentence, for those who do not see it
 */
export function chart({ title, unit = "", from, until, lines, scale = "linear", limit = null, events = [], summary }) {
  const values = lines.flatMap((line) => line.points.map((point) => point[1])).filter((value) => value !== null);
  if (limit) values.push(limit.value);
  const top = scale === "share" ? 100 : nice(Math.max(...values, scale === "log" ? 1 : 0) || 1, scale);
  const x = (at) => LEFT + ((at - from) / Math.max(1, until - from)) * (WIDTH - LEFT - RIGHT);
  const low = 0.01;
  const share = scale === "log"
    ? (value) => Math.log(Math.max(value, low) / low) / Math.log(top / low)
    : (value) => value / top;
  const y = (value) => TOP + (1 - Math.min(1, Math.max(0, share(value)))) * (HEIGHT - TOP - BOTTOM);

  const identity = `chart-${(number += 1)}`;
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-labelledby": identity });
  const ticks = scale === "log" ? decades(low, top) : [0, top / 2, top];
  for (const tick of ticks) {
    drawing.append(
      svg("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(tick), y2: y(tick) }),
      svg("text", { class: "tick", x: LEFT - 6, y: y(tick) + 4, "text-anchor": "end" }, short(tick)),
    );
  }
  for (const at of [from, (from + until) / 2, until]) {
    const anchor = at === from ? "start" : at === until ? "end" : "middle";
    drawing.append(svg("text", { class: "tick", x: x(at), y: HEIGHT - 6, "text-anchor": anchor }, clock(at)));
  }
  for (const event of events.filter((each) => each.at >= from && each.at <= until)) {
    drawing.append(svg("line", { class: "event", x1: x(event.at), x2: x(event.at), y1: TOP, y2: HEIGHT - BOTTOM },
      svg("title", {}, `${clock(event.at)} ${event.name}`)));
  }
  if (limit) {
    drawing.append(svg("line",
      { class: "limit", x1: LEFT, x2: WIDTH - RIGHT, y1: y(limit.value), y2: y(limit.value) },
      svg("title", {}, `${limit.name}: ${short(limit.value)}${unit}`)));
  }
  for (const line of lines) {
    drawing.append(svg("path", { class: `line ${line.tone}`, d: path(line, x, y, until) }));
  }
  const key = element("ul", { class: "key" }, ...lines.map((line) => {
    const last = line.points.at(-1)?.[1];
    const now = last === null || last === undefined ? "" : `: ${short(last)}${unit}`;
    return element("li", { class: line.tone }, `${line.name}${now}`);
  }), ...(limit ? [element("li", { class: "limit" }, `${limit.name}: ${short(limit.value)}${unit}`)] : []));
  return element("figure", {},
    element("figcaption", {}, title, element("span", { id: identity, class: "unseen" }, `${title}. ${summary}`)),
    drawing, key);
}

function path(line, x, y, until) {
  let drawn = "", before = null;
  for (const [at, value] of line.points) {
    if (value === null) {
      if (before !== null && line.steps) drawn += `H${x(at)}`;
      before = null;
      continue;
    }
    if (before === null) drawn += `M${x(at)},${y(value)}`;
    else if (line.steps) drawn += `H${x(at)}V${y(value)}`;
    else drawn += `L${x(at)},${y(value)}`;
    before = value;
  }
  return before !== null && line.steps ? `${drawn}H${x(until)}` : drawn;
}

function nice(value, scale) {
  const decade = 10 ** Math.floor(Math.log10(value));
  if (scale === "log") return decade * 10;
  return [1, 2, 5, 10].map((factor) => factor * decade).find((bound) => bound >= value);
}

function decades(low, top) {
  const found = [];
  for (let value = low; value <= top * 1.001; value *= 10) found.push(value);
  const every = Math.ceil(found.length / 5);
  return found.filter((_, index) => index % every === 0);
}

export function short(value) {
  return Number(value).toLocaleString("en", { maximumSignificantDigits: 3, notation: value >= 1e5 ? "compact" : "standard" });
}

export function clock(at) {
  return new Date(at * 1000).toLocaleTimeString("en-GB");
}
