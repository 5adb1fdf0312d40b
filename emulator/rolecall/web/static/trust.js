// Draws the rows of the table as a graph. dagre works out the places. Without this script the table says the same.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const picture = document.getElementById("graph");

function element(name, attributes, parent) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.append(made);
  return made;
}

function shortened(text, characters) {
  const all = [...text];
  return all.length > characters ? `${all.slice(0, characters - 1).join("")}…` : text;
}

function link(parent, address, about) {
  const made = element("a", { href: address }, parent);
  element("title", {}, made).textContent = about;
  return made;
}

// With more edges than this, looking for the order with the fewest crossings takes seconds, and no order has few.
const EDGES_IN_BEST_ORDER = 300;

function placed(nodes, rows) {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 14, ranksep: 110, marginx: 12, marginy: 12 });
  graph.setDefaultEdgeLabel(() => ({}));
  nodes.forEach((node, at) => graph.setNode(String(at), { width: 200, height: 40 }));
  const places = new Map(nodes.map((node, at) => [node.dataset.arn, String(at)]));
  for (const row of rows) graph.setEdge(places.get(row.dataset.from), places.get(row.dataset.to), { row });
  dagre.layout(graph, { disableOptimalOrderHeuristic: rows.length > EDGES_IN_BEST_ORDER });
  return graph;
}

// From the right side of one box to the left side of the other, unless the edge runs backwards.
function lineOf(points, from, to) {
  const sides = [{ x: from.x + from.width / 2, y: from.y }, { x: to.x - to.width / 2, y: to.y }];
  const line = sides[0].x < sides[1].x ? [sides[0], ...points.slice(1, -1), sides[1]] : points;
  const [first, ...others] = line.map((point) => `${point.x.toFixed(1)},${point.y.toFixed(1)}`);
  return `M${first}${others.map((point) => `L${point}`).join("")}`;
}

function drawEdge(edge, from_place, to_place, svg) {
  const { row, points } = edge;
  const kinds = ["edge"];
  if (row.dataset.admin) kinds.push("admin");
  if (row.dataset.conditions) kinds.push("conditional");
  if (row.dataset.way) kinds.push("way");
  const [from, to] = [row.cells[0].textContent.trim(), row.cells[1].textContent.trim()];
  const under = row.dataset.conditions ? `, only if ${row.dataset.conditions}` : "";
  const made = link(svg, row.querySelector("td:last-child a").getAttribute("href"), `${from} to ${to}${under}`);
  made.setAttribute("class", kinds.join(" "));
  made.setAttribute("aria-label", made.textContent);
  const path = lineOf(points, from_place, to_place);
  // A wide invisible line beside the drawn one, so that a finger finds it.
  element("path", { d: path, class: "near" }, made);
  element("path", { d: path, class: "line", "marker-end": `url(#arrow${row.dataset.admin ? "-admin" : ""})` }, made);
}

function drawNode(place, node, svg) {
  const { x, y, width, height } = place;
  const { label, kind, admin, page } = node.dataset;
  const about = `${kind} ${label}${admin ? ", administrator" : ""}`;
  // The account stands below, so that a long name is not cut for it.
  const [, account, name] = label.match(/^([0-9]{12}):((?:user|role)\/.*)$/s) ?? [null, "", label];
  const made = page ? link(svg, page, about) : element("g", {}, svg);
  made.setAttribute("class", `node ${kind}${admin ? " admin" : ""}`);
  element("rect", { x: x - width / 2, y: y - height / 2, width, height, rx: kind === "role" ? 6 : 18 }, made);
  element("text", { x, y: y - 2, "text-anchor": "middle" }, made).textContent = shortened(name, 28);
  const below = [kind, account, admin && "administrator"].filter(Boolean).join(", ");
  element("text", { x, y: y + 13, "text-anchor": "middle", class: "kind" }, made).textContent = below;
}

function marker(defs, id) {
  const made = element("marker", { id, viewBox: "0 0 8 8", refX: 8, refY: 4, markerWidth: 10, markerHeight: 10, markerUnits: "userSpaceOnUse", orient: "auto" }, defs);
  element("path", { d: "M0,0L8,4L0,8z", class: id }, made);
}

function draw() {
  const nodes = [...document.querySelectorAll("span.node")];
  const rows = [...document.querySelectorAll("tr.edge")];
  const graph = placed(nodes, rows);
  const { width, height } = graph.graph();
  const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": "Trust graph" }, picture);
  const defs = element("defs", {}, svg);
  marker(defs, "arrow");
  marker(defs, "arrow-admin");
  for (const each of graph.edges()) drawEdge(graph.edge(each), graph.node(each.v), graph.node(each.w), svg);
  nodes.forEach((node, at) => drawNode(graph.node(String(at)), node, svg));
  picture.hidden = false;
  document.getElementById("graph-hint").hidden = false;
  picture.dataset.drawn = "yes";
  performance.mark("graph-drawn");
}

if (picture) draw();
