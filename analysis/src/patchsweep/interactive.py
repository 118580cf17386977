"""Figures, in plotly: to hover, zoom and publish as a page.

The functions of `plot` by the same names, with the same arguments; each returns a
plotly Figure:

    patchsweep.interactive.draw(results["z"]).show()
    patchsweep.interactive.draw(results["z"]).write_html("z.html")

What is drawn is made by `figures`, which `plot` shares. Colours diverge from zero,
are told apart by the colour-blind, and stand beside the numbers, which hovering
shows.
"""

from __future__ import annotations

import html
import textwrap
from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from . import figures
from .figures import Bars, Lines, Map, Points, scale_limit

# ColorBrewer's RdBu from blue to red, and viridis: both safe for the colour-blind.
DIVERGING = ("#053061", "#2166ac", "#4393c3", "#92c5de", "#d1e5f0", "#f7f7f7",
             "#fddbc7", "#f4a582", "#d6604d", "#b2182b", "#67001f")
EVEN = ("#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779",
        "#6ece58", "#b5de2b", "#fde725")
BLUE, RED, GREY, INK = "#2166ac", "#b2182b", "#cfcfcf", "#1f2430"
# Okabe and Ito's colours; a line or group is told by its marker and dash too.
GROUPS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#332288",
          "#882255")
MARKERS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross",
           "star", "x")
DASHES = ("solid", "dash", "dot", "dashdot")
STATUS = ("", "computed", "unchanged: the base run's value, as the tokens tell",
          "failed", "not applicable", "excluded",
          "determined: follows from the tokens, says nothing of the model")
MOST_TICKS = 64
LEGEND = {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"}
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"


def _safe(value: str) -> str:
    """A text that plotly must not take for tags."""
    return html.escape(value, quote=False)


def _scale(colours: tuple[str, ...]) -> list[list[Any]]:
    return [[number / (len(colours) - 1), colour]
            for number, colour in enumerate(colours)]


def _round(array: np.ndarray) -> list[Any]:
    """Values of six digits, None for NaN: a page's numbers need no more."""
    flat = [float(f"{value:.6g}") if np.isfinite(value) else None
            for value in np.asarray(array, dtype=float).reshape(-1)]
    return np.array(flat, dtype=object).reshape(np.shape(array)).tolist()


def _layout(title: str, banner: str, height: int, width: int) -> dict[str, Any]:
    """What all figures share; `width` is what the figure needs at most, and stands in
    meta, since figures fill the width of their place."""
    lines = [_safe(line) for line in title.split("\n")]
    lines += [f"<span style='font-size:11px;color:#9d1c1c'>{_safe(line)}</span>"
              for line in textwrap.wrap(banner, 80)]
    layout: dict[str, Any] = {
        "template": "none", "height": height, "autosize": True,
        "meta": {"max_width": width},
        "font": {"family": FONT, "size": 13, "color": INK},
        "title": {"text": "<br>".join(lines), "font": {"size": 15}, "x": 0, "xref": "paper",
                  "xanchor": "left", "yref": "container", "y": 1, "yanchor": "top",
                  "pad": {"t": 12}},
        "margin": {"l": 64, "r": 16, "t": 30 + 20 * len(lines), "b": 48},
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
        "hoverlabel": {"font": {"family": FONT, "size": 13}, "align": "left"},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "#8a92a0", "activecolor": INK},
        "showlegend": False,
    }
    return layout


def _axis(label: str, **more: Any) -> dict[str, Any]:
    return {"title": {"text": _safe(label), "standoff": 8}, "automargin": True,
            "zeroline": False, "showgrid": False, "fixedrange": False, **more}


def _categories(label: str, names: list[str], **more: Any) -> dict[str, Any]:
    step = max(1, -(-len(names) // MOST_TICKS))
    return _axis(label, type="category", tickmode="array", tickvals=names[::step],
                 **more)


def _notes(shown: Map) -> list[list[str]] | None:
    """Beside a value: what its status says, where that is not `computed`."""
    if shown.status is None:
        return None
    return [[f"<br>{STATUS[value]}" if 1 < value < len(STATUS) else ""
             for value in row] for row in shown.status]


def _heatmap_trace(shown: Map, limit: float, **more: Any) -> go.Heatmap:
    notes = _notes(shown)
    name = _safe(shown.colour_label or "value")
    return go.Heatmap(
        z=_round(shown.grid), x=[_safe(name) for name in shown.columns],
        y=[_safe(name) for name in shown.rows], zmin=-limit, zmax=limit, xgap=1, ygap=1,
        colorscale=_scale(DIVERGING), customdata=notes, hoverongaps=False,
        hovertemplate=f"{_safe(shown.row_label)} <b>%{{y}}</b><br>"
                      f"{_safe(shown.column_label)} <b>%{{x}}</b><br>"
                      f"{name} <b>%{{z:.4g}}</b>"
                      f"{'%{customdata}' if notes else ''}<extra></extra>", **more)


def _row_height(n_rows: int) -> float:
    return min(26.0, max(8.0, 900 / n_rows))


def _map_height(n_rows: int) -> int:
    return int(150 + max(90.0, n_rows * _row_height(n_rows)))


def heatmap(shown: Map, limit: float | None = None, title: str | None = None) -> go.Figure:
    """A map, the first row on top."""
    limit = limit or shown.limit or scale_limit(shown.grid)
    n_columns = len(shown.columns)
    layout = _layout(shown.title if title is None else title, shown.banner,
                     _map_height(len(shown.rows)), int(230 + 58 * max(4, n_columns)))
    layout["plot_bgcolor"] = GREY
    columns, rows = ([_safe(name) for name in names]
                     for names in (shown.columns, shown.rows))
    bar = {"title": {"text": _safe(shown.colour_label), "side": "right"},
           "thickness": 12, "outlinewidth": 0, "len": 1, "lenmode": "fraction"}
    figure = go.Figure(_heatmap_trace(shown, limit, colorbar=bar), layout)
    figure.update_xaxes(_categories(
        shown.column_label, columns,
        tickangle=-50 if max(map(len, columns), default=0) > 3 else 0))
    figure.update_yaxes(_categories(shown.row_label, rows, autorange="reversed"))
    return figure


def bars(shown: Bars) -> go.Figure:
    """Bars, the highest value on top."""
    layout = _layout(shown.title, shown.banner, 130 + 20 * len(shown.names), 760)
    names = [_safe(name) for name in shown.names]
    figure = go.Figure(go.Bar(
        x=_round(shown.values), y=names, orientation="h",
        marker={"color": [RED if value > 0 else BLUE for value in shown.values]},
        hovertemplate=f"<b>%{{y}}</b><br>{_safe(shown.label)} <b>%{{x:.4g}}</b>"
                      "<extra></extra>"), layout)
    figure.update_xaxes(_axis(shown.label, showgrid=True, gridcolor="#e4e6eb",
                              zeroline=True, zerolinecolor=INK))
    figure.update_yaxes(_axis("", type="category", tickmode="array", tickvals=names,
                              autorange="reversed"))
    return figure


def points(shown: Points) -> go.Figure:
    """Points: of groups, each with its marker, or coloured by layer."""
    layout = _layout(shown.title, shown.banner, 460, 680)
    layout["hovermode"] = "closest"
    figure = go.Figure(layout=layout)
    names = np.array([_safe(name) for name in shown.names], dtype=object)
    template = (f"<b>%{{customdata}}</b><br>{_safe(shown.x_label)} <b>%{{x:.4g}}</b><br>"
                f"{_safe(shown.y_label)} <b>%{{y:.4g}}</b><extra></extra>")
    if shown.groups:
        for number, name in enumerate(shown.groups):
            here = shown.colour == number
            figure.add_trace(go.Scatter(
                x=_round(shown.x[here]), y=_round(shown.y[here]), mode="markers",
                name=_safe(name), customdata=names[here].tolist(), hovertemplate=template,
                marker={"size": 10, "color": GROUPS[number % len(GROUPS)],
                        "symbol": MARKERS[number % len(MARKERS)], "opacity": 0.85,
                        "line": {"width": 1, "color": "white"}}))
        if len(shown.groups) > 1:
            figure.update_layout(showlegend=True, legend=LEGEND,
                                 margin_t=layout["margin"]["t"] + 24)
    else:
        figure.add_trace(go.Scatter(
            x=_round(shown.x), y=_round(shown.y), mode="markers",
            customdata=names.tolist(), hovertemplate=template,
            marker={"size": 8, "color": _round(shown.colour), "colorscale": _scale(EVEN),
                    "showscale": bool(shown.colour_label),
                    "colorbar": {"title": {"text": _safe(shown.colour_label),
                                           "side": "right"}, "thickness": 12,
                                 "outlinewidth": 0},
                    "line": {"width": 1, "color": "white"}}))
    for point in shown.marked:
        figure.add_annotation(x=float(shown.x[point]), y=float(shown.y[point]),
                              text=names[point], showarrow=False, xanchor="left",
                              yanchor="bottom", xshift=4, font={"size": 12})
    grid = {"showgrid": True, "gridcolor": "#e9ebef"}
    zero = {"zeroline": True, "zerolinecolor": "#9aa1ad"}
    figure.update_xaxes(_axis(shown.x_label, **{**grid, **zero}))
    figure.update_yaxes(_axis(shown.y_label, **{**grid, **zero}))
    if shown.diagonal:
        both = np.concatenate([shown.x, shown.y])
        both = both[np.isfinite(both)]
        if both.size:
            low, high = float(min(both.min(), 0)), float(max(both.max(), 0))
            figure.add_shape(type="line", x0=low, y0=low, x1=high, y1=high,
                             layer="below", line={"color": "#9aa1ad", "dash": "dot"})
    return figure


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[at:at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"


def lines(shown: Lines) -> go.Figure:
    """Lines with their intervals as bands."""
    note = f"\nband: {shown.note}" if shown.note else ""
    layout = _layout(f"{shown.title}{note}", shown.banner, 460,
                     int(260 + 34 * len(shown.x)))
    layout["hovermode"] = "x unified"
    layout["showlegend"] = True
    layout["legend"] = LEGEND
    layout["margin"]["t"] += 24
    figure = go.Figure(layout=layout)
    names = [_safe(name) for name in shown.x]
    for number, line in enumerate(shown.lines):
        colour = GROUPS[number % len(GROUPS)]
        has_band = bool(np.isfinite(line.low).any())
        if has_band:
            for bound, fill in ((line.low, None), (line.high, "tonexty")):
                figure.add_trace(go.Scatter(
                    x=names, y=_round(bound), mode="lines", line={"width": 0},
                    fill=fill, fillcolor=_faint(colour), hoverinfo="skip",
                    showlegend=False, legendgroup=line.name, name=f"{line.name}, band"))
        band = [f" ({low:.4g} .. {high:.4g})" if np.isfinite(low) else ""
                for low, high in zip(line.low, line.high)]
        figure.add_trace(go.Scatter(
            x=names, y=_round(line.mean), mode="lines+markers", name=_safe(line.name),
            legendgroup=line.name, customdata=band,
            line={"color": colour, "dash": DASHES[number % len(DASHES)]},
            marker={"symbol": MARKERS[number % len(MARKERS)], "size": 6},
            hovertemplate=f"{_safe(line.name)} <b>%{{y:.4g}}</b>%{{customdata}}"
                          "<extra></extra>"))
    figure.update_xaxes(_categories(
        shown.x_label, names,
        tickangle=-50 if max(map(len, names), default=0) > 3 else 0))
    figure.update_yaxes(_axis(shown.y_label, showgrid=True, gridcolor="#e9ebef",
                              zeroline=True, zerolinecolor="#9aa1ad"))
    return figure


def layer_position(sweep: xr.Dataset, metric: str | None = None,
                   kind: str | None = None, pair: int | None = None,
                   **options: Any) -> go.Figure:
    """Layers down, positions (or labels) across."""
    return heatmap(figures.layer_position(sweep, metric, kind, pair), **options)


def layer_head(sweep: xr.Dataset, metric: str | None = None, kind: str | None = None,
               pair: int | None = None, **options: Any) -> go.Figure:
    """Layers down, heads across."""
    return heatmap(figures.layer_head(sweep, metric, kind, pair), **options)


def heads_by_position(sweep: xr.Dataset, metric: str | None = None,
                      kind: str | None = None, pair: int | None = None,
                      **options: Any) -> go.Figure:
    """Heads of all layers down, positions (or labels, dest, src) across."""
    return heatmap(figures.heads_by_position(sweep, metric, kind, pair), **options)


def dest_src(sweep: xr.Dataset, layer: int | None = None, head: int | None = None,
             metric: str | None = None, kind: str | None = None,
             pair: int | None = None, **options: Any) -> go.Figure:
    """Query positions down, key positions across, of one head: by default the one
    with the strongest cell."""
    return heatmap(figures.dest_src(sweep, layer, head, metric, kind, pair), **options)


def any_map(sweep: xr.Dataset, metric: str | None = None, kind: str | None = None,
            pair: int | None = None, **options: Any) -> go.Figure:
    """Positions, labels or the last axis across, all others down."""
    return heatmap(figures.any_map(sweep, metric, kind, pair), **options)


def neurons(sweep: xr.Dataset, n: int = 30, metric: str | None = None,
            kind: str | None = None, pair: int | None = None) -> go.Figure:
    """The n strongest cells as bars, from the highest to the lowest value. For
    neurons; it takes any sweep."""
    return bars(figures.neurons(sweep, n, metric, kind, pair))


def clean_against_corrupted(sweep: xr.Dataset, metric: str | None = None) -> go.Figure:
    """The pairs' unedited runs: the metric of the clean one against that of the
    corrupted one, coloured by group."""
    return points(figures.clean_against_corrupted(sweep, metric))


def against(one: xr.Dataset, other: xr.Dataset, metric: str | None = None,
            kind: str | None = None, n_names: int = 5) -> go.Figure:
    """Two sweeps of the same axes: a point a cell, coloured by layer, the line where
    both are equal, and the names of the strongest."""
    return points(figures.against(one, other, metric, kind, n_names))


def groups(sweep: xr.Dataset, metric: str | None = None,
           kind: str | None = None) -> go.Figure:
    """One map a group of pairs, side by side, of one scale."""
    maps, title = figures.groups(sweep, metric, kind)
    layout = _layout(title, maps[0].banner, _map_height(len(maps[0].rows)) + 20,
                     int(150 + len(maps) * (60 + 44 * max(4, len(maps[0].columns)))))
    layout["plot_bgcolor"] = GREY
    layout["margin"]["t"] += 24
    figure = make_subplots(rows=1, cols=len(maps), shared_yaxes=True,
                           horizontal_spacing=0.02,
                           subplot_titles=[_safe(shown.title) for shown in maps])
    figure.update_layout(layout)
    for number, shown in enumerate(maps):
        figure.add_trace(_heatmap_trace(shown, shown.limit or 1.0,
                                        coloraxis="coloraxis"), 1, number + 1)
        columns = [_safe(name) for name in shown.columns]
        figure.update_xaxes(_categories(
            shown.column_label, columns,
            tickangle=-50 if max(map(len, columns), default=0) > 3 else 0),
            row=1, col=number + 1)
    rows = [_safe(name) for name in maps[0].rows]
    figure.update_yaxes(_categories("", rows, autorange="reversed"))
    figure.update_yaxes(title={"text": _safe(maps[0].row_label)}, col=1)
    figure.update_layout(coloraxis={
        "colorscale": _scale(DIVERGING), "cmin": -(maps[0].limit or 1.0),
        "cmax": maps[0].limit or 1.0,
        "colorbar": {"title": {"text": _safe(maps[0].colour_label), "side": "right"},
                     "thickness": 12, "outlinewidth": 0}})
    return figure


def lens(analysis: xr.Dataset, variable: str | None = None,
         position: int | str | None = None, pair: int | None = None,
         level: float = 0.95) -> go.Figure:
    """The logit lens: a line a run over the states of the residual stream."""
    return lines(figures.lens(analysis, variable, position, pair, level))


def attribution(analysis: xr.Dataset, variable: str | None = None,
                position: int | str | None = None, pair: int | None = None,
                level: float = 0.95) -> go.Figure:
    """Direct logit attribution: a line a run over the components."""
    return lines(figures.attribution(analysis, variable, position, pair, level))


def heads(analysis: xr.Dataset, variable: str | None = None, run: str | None = None,
          position: int | str | None = None, pair: int | None = None,
          **options: Any) -> go.Figure:
    """Direct logit attribution of heads: layers down, heads across."""
    return heatmap(figures.heads(analysis, variable, run, position, pair), **options)


def head_scores(analysis: xr.Dataset, score: str = "induction",
                **options: Any) -> go.Figure:
    """previous_token, duplicate_token or induction of every head."""
    return heatmap(figures.head_scores(analysis, score), **options)


def top_neurons(analysis: xr.Dataset, n: int = 30, run: str | None = None,
                position: int | str | None = None) -> go.Figure:
    """The neurons that write most into the logits directly."""
    return bars(figures.top_neurons(analysis, n, run, position))


def of_shown(shown: Map | Bars | Lines | Points) -> go.Figure:
    """Whatever `figures` made."""
    if isinstance(shown, Map):
        return heatmap(shown)
    if isinstance(shown, Bars):
        return bars(shown)
    return lines(shown) if isinstance(shown, Lines) else points(shown)


def draw(data: xr.Dataset, metric: str | None = None, kind: str | None = None,
         pair: int | None = None) -> go.Figure:
    """The figure that a sweep's axes, or an analysis' kind, ask for."""
    return of_shown(figures.of_analysis(data, pair=pair) if "analysis" in data.attrs
                    else figures.of_sweep(data, metric, kind, pair))
