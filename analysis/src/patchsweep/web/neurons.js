// One neuron's activation over the texts of all prompts. data:
//   texts    [{name, pair, run, tokens: [token]} ..]
//   layer, neuron   [neuron] which they are
//   scale    [neuron] the largest size of its activations
//   values   base64 of signed bytes [neuron, tokens of all texts], 127 = scale
//   marked   [[index, why] ..] those that the results name, strongest first
//   n_all    how many neurons the activations hold
"use strict";
patchsweep.views.neurons = (root, data) => {
  const {element} = patchsweep;
  const values = new Int8Array(patchsweep.bytes(data.values).buffer);
  const first = [];
  let n_tokens = 0;
  for (const text of data.texts) {
    first.push(n_tokens);
    n_tokens += text.tokens.length;
  }
  const name = (n) => `L${data.layer[n]}N${data.neuron[n]}`;
  const index = new Map(data.layer.map((l, n) => [name(n), n]));
  const value = (n, t, k) => values[n * n_tokens + first[t] + k] / 127 * data.scale[n];
  let neuron = 0, order = "texts", runs = "all";

  // Neurons by the largest difference between the runs of a pair.
  const differences = () => {
    const couples = [];
    data.texts.forEach((text, t) => data.texts.forEach((other, o) => {
      if (text.pair === other.pair && t < o && text.tokens.length === other.tokens.length)
        couples.push([first[t], first[o], text.tokens.length]);
    }));
    return data.layer.map((_, n) => {
      let most = 0;
      const at = n * n_tokens;
      for (const [a, b, length] of couples)
        for (let k = 0; k < length; k++)
          most = Math.max(most, Math.abs(values[at + a + k] - values[at + b + k]));
      return most / 127 * data.scale[n];
    });
  };
  const best = (sizes) => sizes.map((size, n) => [size, n]).sort((a, b) => b[0] - a[0])
    .slice(0, 18).map(([size, n]) => [n, patchsweep.number(size)]);
  const ranks = {};
  if (data.marked.length)
    ranks.marked = ["named by the results", () => data.marked.slice(0, 18)];
  ranks.largest = ["largest activation", () => best(data.scale)];
  if (new Set(data.texts.map((text) => text.run)).size > 1)
    ranks.differ = ["differ most between the runs", () => best(differences())];
  let rank = Object.keys(ranks)[0];

  const list = element("div", {class: "chips", role: "group", "aria-label": "Neurons"});
  const said = element("p", {class: "told", "aria-live": "polite"});
  const heading = element("h4");
  const legend = element("p", {class: "legend"});
  const texts = element("div", {class: "texts"});
  const input = element("input", {
    type: "search", id: "neuron-search", placeholder: "L8N2744", autocomplete: "off",
    spellcheck: "false",
  });
  const search = element("form", {class: "field", role: "search", onsubmit: (event) => {
    event.preventDefault();
    find(input.value);
  }}, element("label", {for: "neuron-search"}, "Layer and neuron"), input,
                         element("button", {type: "submit"}, "Show"));

  const find = (asked) => {
    const match = /^\s*L?\s*(\d+)\s*[N.,:\s]\s*(\d+)\s*$/i.exec(asked);
    if (!match) {
      said.textContent = "Write layer and neuron, as L8N2744 or 8.2744.";
      return false;
    }
    const found = index.get(`L${Number(match[1])}N${Number(match[2])}`);
    if (found === undefined) {
      said.textContent = `L${match[1]}N${match[2]} is not in this page, which holds `
        + `${data.layer.length} of ${data.n_all} neurons.`;
      return false;
    }
    choose(found);
    return true;
  };

  const showList = () => {
    list.replaceChildren(...ranks[rank][1]().map(([n, why]) => element("button", {
      type: "button", "data-neuron": n, "aria-pressed": n === neuron,
      onclick: () => choose(n),
    }, element("b", {}, name(n)), ` ${why}`)));
  };

  const choose = (n) => {
    neuron = n;
    for (const button of list.children)
      button.setAttribute("aria-pressed", Number(button.dataset.neuron) === n);
    let low = Infinity, high = -Infinity;
    const rows = data.texts.map((text, t) => {
      const own = text.tokens.map((_, k) => value(n, t, k));
      low = Math.min(low, ...own);
      high = Math.max(high, ...own);
      return {text, own, most: Math.max(...own.map(Math.abs))};
    }).filter((row) => runs === "all" || row.text.run === runs);
    if (order === "strongest") rows.sort((a, b) => b.most - a.most);
    heading.textContent = `Layer ${data.layer[n]}, neuron ${data.neuron[n]}`;
    const limit = data.scale[n] || 1;
    legend.replaceChildren(
      `from ${patchsweep.number(low)} to ${patchsweep.number(high)} `,
      element("span", {class: "bar", "aria-hidden": "true"}),
      ` ${patchsweep.number(-limit)} .. 0 .. ${patchsweep.number(limit)}`);
    said.textContent = "";
    texts.replaceChildren(...rows.map(({text, own}) => {
      const row = patchsweep.tokens(text.tokens, `${text.name}, ${text.run} run`, (k) => {
        said.textContent = `'${text.tokens[k]}' ${k}: ${patchsweep.number(own[k])}`;
      }, null);
      own.forEach((v, k) => row.paint(k, patchsweep.diverging(v / limit),
                                      patchsweep.number(v)));
      return element("div", {class: "text"},
                     element("p", {class: "label"}, `${text.name}, ${text.run}`), row);
    }));
  };

  const allRuns = [...new Set(data.texts.map((text) => text.run))];
  const controls = element("div", {class: "controls"}, search, patchsweep.select(
    "List", Object.entries(ranks).map(([key, [label]]) => [key, label]), rank, (key) => {
      rank = key;
      showList();
    }), patchsweep.select("Prompts", [["texts", "in order"], ["strongest", "strongest first"]],
                          order, (key) => {
                            order = key;
                            choose(neuron);
                          }));
  if (allRuns.length > 1)
    controls.append(patchsweep.switch("Run", [["all", "both runs"],
                                              ...allRuns.map((run) => [run, run])], runs,
                                      (run) => {
                                        runs = run;
                                        choose(neuron);
                                      }));
  root.replaceChildren(controls, list, heading, legend, said, texts);
  showList();
  choose(ranks[rank][1]()[0][0]);
  return {find};
};
