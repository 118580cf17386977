// What all parts of a page share: packed data, elements, colours, tokens.
"use strict";
const patchsweep = {};

// Data of the page: a <script> of gzip in base64 -> text.
patchsweep.unpack = async (id) => {
  if (typeof DecompressionStream === "undefined")
    throw new Error("this browser cannot unpack the page's data: use one of 2023 or later");
  const bytes = patchsweep.bytes(document.getElementById(id).textContent.trim());
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
};

patchsweep.bytes = (base64) => {
  const text = atob(base64), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
};

// element("p", {class: "note", onclick: f}, "text", child ..)
patchsweep.element = (tag, properties = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false)
      made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
};

let n_fields = 0;
// A labelled <select>; choices: [[value, text] ..].
patchsweep.select = (label, choices, value, onchange) => {
  const id = `field-${++n_fields}`, element = patchsweep.element;
  const select = element("select", {id, onchange: () => onchange(select.value)});
  for (const [key, text] of choices)
    select.append(element("option", {value: key}, text));
  select.value = value;
  const field = element("span", {class: "field"},
                        element("label", {for: id}, label), select);
  field.select = select;
  return field;
};

// Buttons of which one is pressed; choices as of select.
patchsweep.switch = (label, choices, value, onchange) => {
  const element = patchsweep.element;
  const group = element("span", {class: "switch", role: "group", "aria-label": label});
  const press = (key) => {
    for (const button of group.children)
      button.setAttribute("aria-pressed", button.dataset.key === key);
  };
  for (const [key, text] of choices)
    group.append(element("button", {type: "button", "data-key": key, onclick: () => {
      press(key);
      onchange(key);
    }}, text));
  press(value);
  group.press = press;
  return group;
};

const mix = (from, to, share) => from.map((c, i) => Math.round(c + (to[i] - c) * share));
const ramp = (stops, at) => {
  const place = Math.min(Math.max(at, 0), 1) * (stops.length - 1);
  const low = Math.min(Math.floor(place), stops.length - 2);
  return mix(stops[low], stops[low + 1], place - low);
};
// ColorBrewer's Blues (0 .. 1) and RdBu (-1 .. 1): told apart by lightness alone.
const BLUES = [[255, 255, 255], [222, 235, 247], [158, 202, 225], [66, 146, 198],
               [8, 81, 156], [8, 48, 107]];
const REDS = [[255, 255, 255], [253, 219, 199], [244, 165, 130], [214, 96, 77],
              [178, 24, 43], [103, 0, 31]];
patchsweep.even = (value) => ramp(BLUES, value);
patchsweep.diverging = (value) => ramp(value < 0 ? BLUES : REDS, Math.abs(value));
// The ink that can be read on a colour.
patchsweep.ink = ([r, g, b]) =>
  0.299 * r + 0.587 * g + 0.114 * b > 140 ? "#1f2430" : "#ffffff";
patchsweep.css = (colour) => `rgb(${colour.join(",")})`;
patchsweep.number = (value) => Number.isFinite(value) ? Number(value.toPrecision(3)).toString()
                                                      : "no value";

// A row of tokens: one stop of the tab key, arrows move in it.
//   onshow(index): hovered, focused or tapped; onleave(): no longer hovered
patchsweep.tokens = (texts, label, onshow, onleave) => {
  const element = patchsweep.element;
  const row = element("div", {class: "tokens", role: "listbox", "aria-label": label,
                              "aria-orientation": "horizontal"});
  const focus = (index) => {
    const last = row.children.length - 1;
    const next = row.children[Math.min(Math.max(index, 0), last)];
    for (const token of row.children) token.tabIndex = token === next ? 0 : -1;
    next.focus();
  };
  texts.forEach((text, index) => {
    const token = element("span", {
      class: "token", role: "option", tabindex: index ? -1 : 0,
      onmouseenter: () => onshow(index), onfocus: () => onshow(index),
      onclick: () => focus(index),
    }, text === "" ? " " : text.replace(/\n/g, "\u21b5"));
    row.append(token);
  });
  if (onleave) row.addEventListener("mouseleave", onleave);
  row.addEventListener("keydown", (event) => {
    const at = [...row.children].indexOf(document.activeElement);
    const to = {ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0,
                End: row.children.length - 1}[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    focus(to);
  });
  row.paint = (index, colour, title, isSelected) => {
    const token = row.children[index];
    token.style.backgroundColor = colour ? patchsweep.css(colour) : "";
    token.style.color = colour ? patchsweep.ink(colour) : "";
    if (title !== undefined) token.title = title;
    token.classList.toggle("chosen", !!isSelected);
    token.setAttribute("aria-selected", !!isSelected);
  };
  return row;
};

// The texts that a view can show, by pair and by run.
patchsweep.chooser = (texts, onchange) => {
  const pairs = [...new Map(texts.map((text) => [text.pair, text.name])).entries()];
  const runs = [...new Set(texts.map((text) => text.run))];
  const chosen = {pair: texts[0].pair, run: texts[0].run};
  const change = () => {
    const found = texts.find((t) => t.pair === chosen.pair && t.run === chosen.run)
      || texts.find((t) => t.pair === chosen.pair);
    chosen.run = found.run;
    if (which) which.press(found.run);
    onchange(found);
  };
  const fields = [patchsweep.select("Prompt", pairs.map(([key, name]) => [key, name]),
                                    chosen.pair, (key) => {
                                      chosen.pair = Number(key);
                                      change();
                                    })];
  const which = runs.length > 1 && patchsweep.switch(
    "Run", runs.map((run) => [run, run]), chosen.run, (run) => {
      chosen.run = run;
      change();
    });
  if (which) fields.push(which);
  return fields;
};

// Every <div data-view="attention" data-payload="id"> of the page becomes that view,
// when it comes near what is seen.
patchsweep.views = {};
patchsweep.mounted = new Map();
patchsweep.mount = (place) => {
  if (!patchsweep.mounted.has(place)) {
    patchsweep.mounted.set(place, patchsweep.unpack(place.dataset.payload).then(async (text) => {
      const view = await patchsweep.views[place.dataset.view](place, JSON.parse(text));
      place.classList.add("ready");
      return view;
    }).catch((error) => {
      place.textContent = error.message;
      console.error(error);
    }));
  }
  return patchsweep.mounted.get(place);
};
patchsweep.watch = () => {
  const observer = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      observer.unobserve(entry.target);
      patchsweep.mount(entry.target);
    }
  }, {rootMargin: "600px"});
  for (const place of document.querySelectorAll("[data-view]")) observer.observe(place);
};
// After the page's texts are painted, so that it opens at once.
addEventListener("DOMContentLoaded",
                 () => requestAnimationFrame(() => setTimeout(patchsweep.watch)));
