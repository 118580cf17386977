// The figures of a report, drawn by plotly when they come near what is seen; their
// values as a table; links from findings into the views. data of a figure:
//   views  [{choose: {name: value}, title: [line], figure: plotly's JSON} ..]
"use strict";
patchsweep.plotly = () => {
  patchsweep.plotlyLoaded = patchsweep.plotlyLoaded || patchsweep.unpack("plotly").then((code) => {
    const script = document.createElement("script");
    script.textContent = code;
    document.head.append(script);
    return window.Plotly;
  });
  return patchsweep.plotlyLoaded;
};

patchsweep.views.figure = async (root, data) => {
  const {element} = patchsweep;
  const isCoarse = matchMedia("(pointer: coarse)").matches;
  const caption = element("figcaption"), plot = element("div", {class: "plot"});
  const controls = element("div", {class: "controls"});
  const values = element("details", {class: "values"}, element("summary", {}, "Values"),
                         element("div", {class: "scroll"}));
  const Plotly = await patchsweep.plotly();
  let view = data.views[0];

  // The view that has the value just chosen and as many of the others as can be.
  const choose = (name, value) => {
    const wanted = {...view.choose, [name]: value};
    const score = (v) => Object.entries(wanted)
      .filter(([key, asked]) => v.choose[key] === asked).length;
    view = data.views.filter((v) => v.choose[name] === value)
      .reduce((best, v) => score(v) > score(best) ? v : best);
    return draw();
  };

  // A choice that the others leave open: of all views that differ in nothing else.
  const showControls = () => {
    const names = [...new Set(data.views.flatMap((v) => Object.keys(v.choose)))];
    const focused = controls.querySelector("select:focus");
    const focus = focused && focused.dataset.name;
    controls.replaceChildren();
    for (const name of names) {
      const all = [...new Set(data.views.map((v) => v.choose[name]))]
        .filter((value) => value !== undefined);
      if (all.length < 2 && name !== "Across") continue;
      const field = patchsweep.select(name, all.map((v) => [v, v]), view.choose[name] || "",
                                      (value) => choose(name, value));
      field.select.dataset.name = name;
      controls.append(field);
      if (name === focus) field.select.focus();
    }
  };

  // One trace as rows of a table.
  const showValues = () => {
    const rows = [];
    for (const trace of view.figure.data) {
      if (trace.type === "heatmap") {
        rows.push(["", ...trace.x]);
        trace.y.forEach((name, k) => rows.push(
          [name, ...trace.z[k].map((v) => v === null ? "" : patchsweep.number(v))]));
      } else if (trace.hoverinfo !== "skip") {
        const names = trace.orientation === "h" ? trace.y : trace.x;
        const isPoint = trace.mode === "markers";
        rows.push([trace.name || "", ...(isPoint ? ["across", "up"] : ["value"])]);
        names.forEach((name, k) => rows.push(isPoint
          ? [trace.customdata[k], patchsweep.number(trace.x[k]), patchsweep.number(trace.y[k])]
          : [name, patchsweep.number((trace.orientation === "h" ? trace.x : trace.y)[k])]));
      }
    }
    const plain = (text) => new DOMParser().parseFromString(String(text), "text/html")
      .documentElement.textContent;
    values.lastChild.replaceChildren(element("table", {}, element("tbody", {}, ...rows.map(
      (row) => element("tr", {}, ...row.map((cell, k) =>
        element(k ? "td" : "th", k ? {class: "number"} : {scope: "row"}, plain(cell))))))));
  };

  const draw = async () => {
    const layout = structuredClone(view.figure.layout);
    const traces = structuredClone(view.figure.data);
    const isNarrow = root.clientWidth < 560;
    if (isCoarse) {
      layout.dragmode = false; // a finger scrolls the page
      layout.margin.t -= 16; // no buttons to hold
    }
    if (isNarrow) {
      for (const trace of traces) {
        if (trace.colorbar) Object.assign(trace.colorbar, {title: {text: ""}, thickness: 9});
        if (trace.marker && trace.marker.colorbar)
          Object.assign(trace.marker.colorbar, {title: {text: ""}, thickness: 9});
      }
      if (layout.coloraxis)
        Object.assign(layout.coloraxis.colorbar, {title: {text: ""}, thickness: 9});
      layout.font.size = 11;
      Object.assign(layout.margin, {l: 36, r: 6});
      const n_axes = Object.keys(layout).filter((key) => key.startsWith("xaxis")).length;
      for (const key of Object.keys(layout)) {
        const ticks = layout[key].tickvals;
        if (!key.startsWith("xaxis") || !ticks) continue;
        const step = Math.ceil(ticks.length * 15 * n_axes / (root.clientWidth - 90));
        layout[key].tickvals = ticks.filter((_, k) => k % step === 0);
      }
    }
    caption.replaceChildren(...view.title.flatMap(
      (line, k) => k ? [element("br"), line] : [element("b", {}, line)]));
    plot.setAttribute("role", "img");
    plot.setAttribute("aria-label", `${view.title.join(", ")}; its values stand in the table below`);
    plot.style.maxWidth = `${layout.meta.max_width}px`;
    showControls();
    if (values.open) showValues();
    await Plotly.react(plot, traces, layout, {
      responsive: true, displaylogo: false, displayModeBar: isCoarse ? false : "hover",
      modeBarButtons: [["toImage"], ["zoom2d", "pan2d"],
                       ["zoomIn2d", "zoomOut2d", "resetScale2d"]],
    });
  };
  values.addEventListener("toggle", () => values.open && showValues());
  root.replaceChildren(controls, caption, plot, values);
  await draw();
  root.style.minHeight = "";
  return {choose, plot};
};

// Findings: all of a table or its strongest; a cell opens the view that shows it.
for (const button of document.querySelectorAll("button.more")) {
  button.addEventListener("click", () => {
    const isAll = document.getElementById(button.dataset.of).classList.toggle("all");
    button.setAttribute("aria-expanded", isAll);
    button.textContent = isAll ? button.dataset.less : button.dataset.more;
  });
}
for (const link of document.querySelectorAll("a[data-show]")) {
  link.addEventListener("click", async () => {
    const [kind, ...at] = link.dataset.show.split(" ");
    const view = await patchsweep.mount(document.querySelector(`[data-view=${kind}]`));
    if (kind === "attention") view.choose(...at.map(Number));
    else view.find(at.join(" "));
  });
}

// The contents mark the part that is read.
const links = new Map([...document.querySelectorAll("nav.contents a")].map(
  (link) => [link.getAttribute("href").slice(1), link]));
const mark = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    for (const link of links.values()) link.classList.remove("here");
    const link = links.get(entry.target.id);
    link.classList.add("here");
    const box = link.parentElement;
    box.scrollTo({left: link.offsetLeft - box.clientWidth / 2 + link.offsetWidth / 2});
  }
}, {rootMargin: "-20% 0px -75% 0px"});
for (const section of document.querySelectorAll("section[id]")) mark.observe(section);
