// Attention of heads over tokens. data:
//   cells  [{layer, head} ..]
//   texts  [{name, pair, run, src: [token], dest: [token], at: [index in src, or -1],
//            pattern: base64 of bytes [cell, dest, src], 255 = 1} ..]
//   start  index of the cell shown first
"use strict";
patchsweep.views.attention = (root, data) => {
  const {element} = patchsweep;
  let text = data.texts[0], pattern, cell = data.start, direction = "from";
  let shown = null, layer = String(data.cells[cell].layer);
  const layers = [...new Set(data.cells.map((c) => c.layer))];
  const name = (index) => `L${data.cells[index].layer}H${data.cells[index].head}`;
  const weight = (c, dest, src) =>
    pattern[(c * text.dest.length + dest) * text.src.length + src] / 255;

  // One head as a picture of dest x src points.
  const picture = (c) => {
    const n = text.src.length, m = text.dest.length;
    const image = new ImageData(n, m);
    for (let dest = 0; dest < m; dest++)
      for (let src = 0; src < n; src++) {
        const [r, g, b] = patchsweep.even(weight(c, dest, src));
        image.data.set([r, g, b, 255], 4 * (dest * n + src));
      }
    const canvas = element("canvas", {width: n, height: m, "aria-hidden": "true"});
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas;
  };

  const heads = element("div", {class: "heads", role: "group", "aria-label": "Heads"});
  const rows = element("div", {class: "stack"});
  const told = element("p", {class: "told", "aria-live": "polite"});
  const heading = element("h4");
  const canvas = element("canvas", {class: "matrix", role: "img"});
  const box = element("div", {class: "matrix-box"}, canvas);
  let toRow = null, fromRow = null, lay = null;

  const showHeads = () => {
    heads.replaceChildren();
    heads.classList.toggle("many", layer === "all");
    data.cells.forEach((c, index) => {
      if (layer !== "all" && String(c.layer) !== layer) return;
      heads.append(element("button", {
        type: "button", "data-cell": index, "aria-pressed": index === cell,
        onclick: () => choose(index), title: name(index),
      }, picture(index), element("span", {}, name(index))));
    });
  };

  // The token rows: one where queries and keys are the same tokens, else two.
  const showTexts = () => {
    const isSame = text.dest.length === text.src.length
      && text.at.every((at, index) => at === index);
    shown = null;
    toRow = patchsweep.tokens(text.src, "tokens", (index) => follow(index, isSame
      ? direction : "to"), null);
    fromRow = isSame ? toRow : patchsweep.tokens(
      text.dest, "queries", (index) => follow(index, "from"), null);
    rows.replaceChildren();
    if (!isSame)
      rows.append(element("p", {class: "label"}, "queries"), fromRow,
                  element("p", {class: "label"}, "keys"));
    rows.append(toRow);
  };

  // What token `index` attends to (from), or is attended from (to).
  const follow = (index, way) => {
    shown = {index, way};
    const isFrom = way === "from", other = isFrom ? toRow : fromRow;
    const texts = isFrom ? text.src : text.dest;
    const weights = texts.map((_, k) => isFrom ? weight(cell, index, k)
                                               : weight(cell, k, index));
    const own = isFrom ? fromRow : toRow;
    if (own !== other)
      [...own.children].forEach((_, k) => own.paint(k, null, "", k === index));
    weights.forEach((w, k) => other.paint(k, patchsweep.even(w), w.toFixed(2),
                                          own === other && k === index));
    const order = weights.map((w, k) => [w, k]).sort((a, b) => b[0] - a[0]).slice(0, 4)
      .filter(([w]) => w >= 0.005).map(([w, k]) => `'${texts[k]}' ${k} (${w.toFixed(2)})`);
    const token = (isFrom ? text.dest : text.src)[index];
    told.textContent = `'${token}' ${index} ${isFrom ? "looks at" : "is looked at from"} `
      + (order.join(", ") || "nothing");
    drawMatrix();
  };

  const drawMatrix = () => {
    const n = text.src.length, m = text.dest.length;
    const style = getComputedStyle(box), width = box.clientWidth
      - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const longest = Math.max(...text.src.map((t) => t.length),
                             ...text.dest.map((t) => t.length));
    const margin = Math.min(96, 14 + 6.6 * Math.min(longest, 14));
    const side = Math.max(2, Math.min(30, (width - margin - 4) / n));
    lay = {margin, side, n, m};
    const scale = window.devicePixelRatio || 1;
    const w = margin + side * n + 2, h = margin + side * m + 2;
    canvas.width = w * scale;
    canvas.height = h * scale;
    canvas.style.width = `${w}px`;
    canvas.style.height = `${h}px`;
    const context = canvas.getContext("2d");
    context.scale(scale, scale);
    for (let dest = 0; dest < m; dest++)
      for (let src = 0; src < n; src++) {
        context.fillStyle = patchsweep.css(patchsweep.even(weight(cell, dest, src)));
        context.fillRect(margin + src * side, margin + dest * side,
                         Math.ceil(side) - (side > 8), Math.ceil(side) - (side > 8));
      }
    context.fillStyle = "#4a5160";
    context.font = `${Math.max(8, Math.min(12, side - 3))}px system-ui, sans-serif`;
    context.textBaseline = "middle";
    const step = Math.ceil(11 / side), cut = (t) => t.length > 14 ? `${t.slice(0, 13)}…` : t;
    context.textAlign = "right";
    for (let dest = 0; dest < m; dest += step)
      context.fillText(cut(text.dest[dest]), margin - 5, margin + (dest + 0.5) * side);
    context.textAlign = "left";
    for (let src = 0; src < n; src += step) {
      context.save();
      context.translate(margin + (src + 0.5) * side, margin - 5);
      context.rotate(-Math.PI / 3);
      context.fillText(cut(text.src[src]), 0, 0);
      context.restore();
    }
    context.strokeStyle = "#c2d1e4";
    context.strokeRect(margin - 0.5, margin - 0.5, side * n + 1, side * m + 1);
    if (shown) {
      context.strokeStyle = "#d55e00";
      context.lineWidth = 2;
      if (shown.way === "from")
        context.strokeRect(margin, margin + shown.index * side, side * n, side);
      else context.strokeRect(margin + shown.index * side, margin, side, side * m);
    }
    canvas.setAttribute("aria-label", `attention of ${name(cell)}: queries down, keys across`);
  };

  canvas.addEventListener("mousemove", (event) => {
    const src = Math.floor((event.offsetX - lay.margin) / lay.side);
    const dest = Math.floor((event.offsetY - lay.margin) / lay.side);
    if (src < 0 || dest < 0 || src >= lay.n || dest >= lay.m) {
      canvas.title = "";
      return;
    }
    canvas.title = `${text.dest[dest]} ${dest} looks at ${text.src[src]} ${src}: `
      + weight(cell, dest, src).toFixed(2);
    if (direction === "from") follow(dest, "from");
    else follow(src, "to");
  });

  const choose = (index) => {
    cell = index;
    if (layer !== "all" && String(data.cells[cell].layer) !== layer) {
      layer = String(data.cells[cell].layer);
      layerField.select.value = layer;
      showHeads();
    }
    for (const button of heads.children)
      button.setAttribute("aria-pressed", Number(button.dataset.cell) === cell);
    heading.textContent = `${name(cell)}, ${text.run} run`;
    const at = shown || {index: text.dest.length - 1, way: "from"};
    follow(at.index, at.way);
  };

  const showText = (found) => {
    text = found;
    pattern = patchsweep.bytes(text.pattern);
    showHeads();
    showTexts();
    choose(cell);
  };

  const layerField = patchsweep.select(
    "Layer", [...layers.map((l) => [String(l), String(l)]), ["all", "all"]], layer,
    (value) => {
      layer = value;
      if (layer !== "all" && String(data.cells[cell].layer) !== layer)
        cell = data.cells.findIndex((c) => String(c.layer) === layer);
      showHeads();
      choose(cell);
    });
  root.replaceChildren(
    element("div", {class: "controls"}, ...patchsweep.chooser(data.texts, showText),
            layerField,
            patchsweep.switch("Direction", [["from", "looks at"],
                                            ["to", "is looked at from"]], direction,
                              (way) => {
                                direction = way;
                                follow(shown ? shown.index : text.dest.length - 1, way);
                              })),
    heads, heading, rows, told, box);
  showText(text);
  new ResizeObserver(() => drawMatrix()).observe(box);
  return {
    choose: (l, h) => {
      const index = data.cells.findIndex((c) => c.layer === l && c.head === h);
      if (index >= 0) choose(index);
      return index >= 0;
    },
  };
};
