// As much of a document as the page of `seqgrad explain` uses: the tree of its HTML, texts, attributes, classes, events.
"use strict";

const VOID = new Set(["meta", "link", "input", "br", "img", "hr"]);
const ENTITIES = {amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'"};
const decoded = text => text.replace(/&(amp|lt|gt|quot|#39);/g, (_, name) => ENTITIES[name]);

class Element {
  constructor(document, tag) {
    Object.assign(this, {document, tagName: tag.toUpperCase(), attributes: new Map(), children: [], parentElement: null, listeners: {}});
    this.style = {properties: {}, setProperty(name, value) { this.properties[name] = value; }};
    this.tabIndex = 0;
    const names = () => (this.getAttribute("class") ?? "").split(/\s+/).filter(Boolean);
    this.classList = {
      contains: name => names().includes(name),
      add: name => { if (!names().includes(name)) this.className = [...names(), name].join(" "); },
      toggle: (name, on) => { this.className = [...names().filter(n => n !== name), ...(on ? [name] : [])].join(" "); },
    };
    const attribute = key => "data-" + key.replace(/[A-Z]/g, c => "-" + c.toLowerCase());
    this.dataset = new Proxy({}, {
      get: (_, key) => this.getAttribute(attribute(String(key))) ?? undefined,
      set: (_, key, value) => { this.setAttribute(attribute(key), value); return true; },
    });
  }
  getAttribute(name) { return this.attributes.get(name) ?? null; }
  setAttribute(name, value) { this.attributes.set(name, String(value)); }
  get className() { return this.getAttribute("class") ?? ""; }
  set className(names) { this.setAttribute("class", names); }
  get value() { return this.typed ?? this.getAttribute("value") ?? ""; }
  set value(text) { this.typed = String(text); }
  get checked() { return this.ticked ?? this.attributes.has("checked"); }
  set checked(on) { this.ticked = Boolean(on); }
  get open() { return this.attributes.has("open"); }
  set open(on) { on ? this.attributes.set("open", "") : this.attributes.delete("open"); }
  get textContent() { return this.children.map(c => typeof c === "string" ? c : c.textContent).join(""); }
  set textContent(text) { this.replaceChildren(...(text === "" ? [] : [String(text)])); }
  append(...parts) {
    for (const part of parts) {
      if (part instanceof Element) part.parentElement = this;
      this.children.push(part instanceof Element ? part : String(part));
    }
  }
  replaceChildren(...parts) { this.children = []; this.append(...parts); }
  addEventListener(type, listener) { (this.listeners[type] ??= []).push(listener); }
  dispatch(type, event = {}) {
    for (const listener of this.listeners[type] ?? []) listener({type, target: this, preventDefault() {}, ...event});
  }
  click() {
    if (this.getAttribute("type") === "checkbox") { this.checked = !this.checked; this.dispatch("change"); }
    this.dispatch("click");
  }
  focus() { this.document.activeElement = this; this.dispatch("focus"); }
  *descendants() {
    for (const child of this.children) if (child instanceof Element) { yield child; yield* child.descendants(); }
  }
  querySelectorAll(selector) { return [...this.descendants()].filter(e => matches(e, selector)); }
  querySelector(selector) { return this.querySelectorAll(selector)[0] ?? null; }
}

// "details.answer[open]": a tag, classes, an id and attributes of one element; "a b": below another.
function matches(element, selector) {
  const parts = selector.trim().split(/\s+/), last = parts.pop();
  const [, tag, rest] = last.match(/^([a-z0-9]*)(.*)$/i);
  if (tag && element.tagName !== tag.toUpperCase()) return false;
  for (const [, kind, name] of rest.matchAll(/([.#[])([^.#[\]]+)\]?/g)) {
    const good = kind === "." ? element.classList.contains(name) : kind === "#" ? element.getAttribute("id") === name : element.attributes.has(name);
    if (!good) return false;
  }
  if (!parts.length) return true;
  for (let up = element.parentElement; up; up = up.parentElement) if (matches(up, parts.join(" "))) return true;
  return false;
}

// Reads the page strictly: every tag is closed, in order. Scripts are texts up to their end tags.
function parse(html) {
  const document = {activeElement: null}, root = new Element(document, "#document");
  let open = root, at = 0;
  const tags = /<(!DOCTYPE html|\/?([a-z0-9]+)((?:\s+[a-z:A-Z-]+(?:="[^"]*")?)*)\s*(\/?))>/gi;
  for (let found; (found = tags.exec(html));) {
    const [whole, inside, name, attributes, closed] = found;
    if (found.index > at) open.append(decoded(html.slice(at, found.index)));
    at = found.index + whole.length;
    if (inside.startsWith("!")) continue;
    if (inside.startsWith("/")) {
      if (open.tagName !== name.toUpperCase()) throw new Error(`</${name}> closes <${open.tagName}>`);
      open = open.parentElement;
      continue;
    }
    const element = new Element(document, name);
    for (const [, key, , value] of attributes.matchAll(/([a-z:-]+)(="([^"]*)")?/gi)) element.setAttribute(key, decoded(value ?? ""));
    open.append(element);
    if (closed || VOID.has(name.toLowerCase())) continue;
    open = element;
    if (name !== "script" && name !== "style") continue;
    const end = html.indexOf(`</${name}>`, at);
    element.append(html.slice(at, end));
    tags.lastIndex = at = end;
  }
  if (open !== root) throw new Error(`<${open.tagName}> is not closed`);
  document.getElementById = id => root.querySelector(`#${id}`);
  document.querySelector = selector => root.querySelector(selector);
  document.querySelectorAll = selector => root.querySelectorAll(selector);
  document.createElement = tag => new Element(document, tag);
  return document;
}

module.exports = {parse};
