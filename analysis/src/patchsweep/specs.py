"""Figures as plotly's JSON: what `figures` made, as traces and a layout. It needs no
plotly; `interactive` makes Figures of these, and the report keeps them as they are.

Heights are in pixels; layout.meta.max_width is what a figure can use of the width of
its place, which it fills.
"""

from __future__ import annotations

import html
import textwrap
from typing import Any

import numpy as np

from .figures import Bars, Lines, Map, Points, Shown, scale_limit

Spec = dict[str, Any]

# ColorBrewer's RdBu from blue to red and its Blues, and viridis: told apart by the
# colour-blind.
DIVERGING = ("#053061", "#2166ac", "#4393c3", "#92c5de", "#d1e5f0", "#f7f7f7",
             "#fddbc7", "#f4a582", "#d6604d", "#b2182b", "#67001f")
BLUES = ("#f7fbff", "#deebf7", "#c6dbef", "#9ecae1", "#6baed6", "#4292c6", "#2171b5",
         "#08519c", "#08306b")
EVEN = ("#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779",
        "#6ece58", "#b5de2b", "#fde725")
BLUE, RED, GREY, INK, GRID, ZERO = ("#2166ac", "#b2182b", "#cfcfcf", "#1f2430", "#e9ebef",
                                    "#9aa1ad")
# Okabe and Ito's colours; a line or group is told by its marker and dash too.
GROUPS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#332288",
          "#882255")
MARKERS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross",
           "star", "x")
DASHES = ("solid", "dash", "dot", "dashdot")
STATUS = ("", "computed", "unchanged: the base run's value, as the tokens tell",
          "failed", "not applicable", "excluded",
          "determined: follows from the tokens, says nothing of the model",
          "estimated: to first order, not run")
MOST_TICKS = 64
LEGEND = {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"}
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"


def _safe(value: str) -> str:
    """A text that plotly must not take for tags."""
    return html.escape(value, quote=False)


def _all_safe(values: list[str]) -> list[str]:
    return [_safe(value) for value in values]


def _scale(colours: tuple[str, ...]) -> list[list[Any]]:
    return [[number / (len(colours) - 1), colour]
            for number, colour in enumerate(colours)]


def _round(array: np.ndarray) -> list[Any]:
    """Values of six digits, None for NaN: a page's numbers need no more."""
    array = np.asarray(array, dtype=float)
    flat = [float(f"{value:.6g}") if np.isfinite(value) else None
            for value in array.reshape(-1).tolist()]
    if array.ndim < 2:
        return flat
    width = array.shape[1]
    return [flat[first:first + width] for first in range(0, len(flat), width)]


def _layout(title: str, banner: str, height: float, width: float) -> Spec:
    """What all figures share."""
    lines = _all_safe(title.split("\n"))
    lines += [f"<span style='font-size:11px;color:#9d1c1c'>{_safe(line)}</span>"
              for line in textwrap.wrap(banner, 80)]
    return {
        "template": {}, "height": int(height), "autosize": True,
        "meta": {"max_width": int(width)},
        "font": {"family": FONT, "size": 13, "color": INK},
        "title": {"text": "<br>".join(lines), "font": {"size": 15}, "x": 0,
                  "xref": "paper", "xanchor": "left", "yref": "container", "y": 1,
                  "yanchor": "top", "pad": {"t": 12}},
        "margin": {"l": 64, "r": 16, "t": 30 + 20 * len(lines), "b": 48},
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
        "hoverlabel": {"font": {"family": FONT, "size": 13}, "align": "left"},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "#8a92a0", "activecolor": INK},
        "showlegend": False,
    }


def _axis(label: str, **more: Any) -> Spec:
    return {"title": {"text": _safe(label), "standoff": 8}, "automargin": True,
            "zeroline": False, "showgrid": False, **more}


def _numbers(label: str) -> Spec:
    return _axis(label, showgrid=True, gridcolor=GRID, zeroline=True, zerolinecolor=ZERO)


def _categories(label: str, names: list[str], **more: Any) -> Spec:
    """An axis of texts, slanted where they are long and stand across."""
    step = max(1, -(-len(names) // MOST_TICKS))
    is_slanted = "autorange" not in more and max(map(len, names), default=0) > 3
    return _axis(label, type="category", tickmode="array", tickvals=names[::step],
                 tickangle=-50 if is_slanted else 0, **more)


def _colour_bar(label: str) -> Spec:
    return {"title": {"text": _safe(label), "side": "right"}, "thickness": 12,
            "outlinewidth": 0}


def _heatmap(shown: Map, **more: Any) -> Spec:
    """The trace of a map."""
    notes = None
    if shown.status is not None:
        said = [f"<br>{text}" if value > 1 else "" for value, text in enumerate(STATUS)]
        notes = [[said[value] if value < len(said) else "" for value in row]
                 for row in shown.status.astype(int).tolist()]
    template = (f"{_safe(shown.row_label)} <b>%{{y}}</b><br>"
                f"{_safe(shown.column_label)} <b>%{{x}}</b><br>"
                f"{_safe(shown.colour_label or 'value')} <b>%{{z:.4g}}</b>"
                f"{'%{customdata}' if notes else ''}<extra></extra>")
    trace = {"type": "heatmap", "z": _round(shown.grid), "x": _all_safe(shown.columns),
             "y": _all_safe(shown.rows), "xgap": int(len(shown.columns) < 60),
             "ygap": int(len(shown.rows) < 60), "hoverongaps": False,
             "hovertemplate": template, **more}
    if notes:
        trace["customdata"] = notes
    return trace


def _map_height(n_rows: int) -> float:
    return 150 + max(90.0, n_rows * min(26.0, max(8.0, 900 / max(1, n_rows))))


def _limit(shown: Map) -> float:
    return shown.limit or scale_limit(shown.grid)


def heatmap(shown: Map) -> Spec:
    """A map, the first row on top."""
    limit = _limit(shown)
    layout = _layout(shown.title, shown.banner, _map_height(len(shown.rows)),
                     230 + 58 * max(4, len(shown.columns)))
    layout["plot_bgcolor"] = GREY
    layout["xaxis"] = _categories(shown.column_label, _all_safe(shown.columns))
    layout["yaxis"] = _categories(shown.row_label, _all_safe(shown.rows),
                                  autorange="reversed")
    trace = _heatmap(shown, zmin=0 if shown.is_share else -limit, zmax=limit,
                     colorscale=_scale(BLUES if shown.is_share else DIVERGING),
                     colorbar=_colour_bar(shown.colour_label))
    if shown.texts:
        layout["meta"]["max_width"] += 50 * len(shown.columns)
        layout["annotations"] = [
            {"x": column, "y": row, "text": _safe(written),
             "showarrow": False, "font": {
                 "size": 11, "color": "#fff" if abs(shown.grid[row, column]) > 0.6 * limit
                 else INK}}
            for row, texts in enumerate(shown.texts)
            for column, written in enumerate(texts)]
    return {"data": [trace], "layout": layout}


def groups(maps: list[Map], title: str) -> Spec:
    """Maps side by side, of one scale."""
    limit, n = _limit(maps[0]), len(maps)
    rows = _all_safe(maps[0].rows)
    layout = _layout(title, maps[0].banner, _map_height(len(rows)) + 20,
                     150 + n * (60 + 44 * max(4, len(maps[0].columns))))
    layout["plot_bgcolor"] = GREY
    layout["margin"]["t"] += 24
    layout["annotations"], data = [], []
    gap = 0.02 if n < 8 else 0.1 / n
    width = (1 - gap * (n - 1)) / n
    for number, shown in enumerate(maps):
        mark = str(number + 1) if number else ""
        low = number * (width + gap)
        data.append(_heatmap(shown, coloraxis="coloraxis", xaxis=f"x{mark}",
                             yaxis=f"y{mark}"))
        layout[f"xaxis{mark}"] = _categories(
            shown.column_label, _all_safe(shown.columns),
            domain=[low, min(1.0, low + width)], anchor=f"y{mark}")
        layout[f"yaxis{mark}"] = _categories(
            shown.row_label if not number else "", rows, autorange="reversed",
            anchor=f"x{mark}", **({"matches": "y", "showticklabels": False}
                                  if number else {}))
        layout["annotations"].append({
            "text": _safe(shown.title), "showarrow": False, "xref": "paper",
            "yref": "paper", "x": low + width / 2, "y": 1, "xanchor": "center",
            "yanchor": "bottom", "font": {"size": 14}})
    layout["coloraxis"] = {"colorscale": _scale(DIVERGING), "cmin": -limit, "cmax": limit,
                           "colorbar": _colour_bar(maps[0].colour_label)}
    return {"data": data, "layout": layout}


def bars(shown: Bars) -> Spec:
    """Bars, the highest value on top."""
    layout = _layout(shown.title, shown.banner, 130 + 20 * len(shown.names), 760)
    names = _all_safe(shown.names)
    layout["xaxis"] = {**_numbers(shown.label), "zerolinecolor": INK}
    layout["yaxis"] = _axis("", type="category", tickmode="array", tickvals=names,
                            autorange="reversed")
    trace = {"type": "bar", "x": _round(shown.values), "y": names, "orientation": "h",
             "marker": {"color": [RED if value > 0 else BLUE for value in shown.values]},
             "hovertemplate": f"<b>%{{y}}</b><br>{_safe(shown.label)} <b>%{{x:.4g}}</b>"
                              "<extra></extra>"}
    return {"data": [trace], "layout": layout}


def points(shown: Points) -> Spec:
    """Points: of groups, each with its marker, or coloured by layer."""
    layout = _layout(shown.title, shown.banner, 460, 680)
    layout["hovermode"] = "closest"
    names = _all_safe(shown.names)
    line = {"width": 1, "color": "white"}

    def trace(which: np.ndarray, marker: Spec, **more: Any) -> Spec:
        return {
            "type": "scatter", "mode": "markers", "x": _round(shown.x[which]),
            "y": _round(shown.y[which]), "customdata": [names[k] for k in which],
            "marker": {"line": line, **marker},
            "hovertemplate": f"<b>%{{customdata}}</b><br>{_safe(shown.x_label)} "
                             f"<b>%{{x:.4g}}</b><br>{_safe(shown.y_label)} "
                             "<b>%{y:.4g}</b><extra></extra>", **more}

    if shown.groups:
        data = [trace(np.flatnonzero(shown.colour == number),
                      {"size": 10, "opacity": 0.85,
                       "color": GROUPS[number % len(GROUPS)],
                       "symbol": MARKERS[number % len(MARKERS)]}, name=_safe(name))
                for number, name in enumerate(shown.groups)]
        if len(shown.groups) > 1:
            layout.update(showlegend=True, legend=LEGEND)
            layout["margin"]["t"] += 24
    else:
        data = [trace(np.arange(len(names)),
                      {"size": 8, "color": _round(shown.colour),
                       "colorscale": _scale(EVEN), "showscale": bool(shown.colour_label),
                       "colorbar": _colour_bar(shown.colour_label)})]
    layout["annotations"] = [
        {"x": float(shown.x[k]), "y": float(shown.y[k]), "text": names[k],
         "showarrow": False, "xanchor": "left", "yanchor": "bottom", "xshift": 4,
         "font": {"size": 12}} for k in shown.marked]
    layout["xaxis"], layout["yaxis"] = _numbers(shown.x_label), _numbers(shown.y_label)
    both = np.concatenate([shown.x, shown.y])
    both = both[np.isfinite(both)]
    if shown.diagonal and both.size:
        low, high = float(min(both.min(), 0)), float(max(both.max(), 0))
        layout["shapes"] = [{"type": "line", "x0": low, "y0": low, "x1": high, "y1": high,
                             "layer": "below", "line": {"color": ZERO, "dash": "dot"}}]
    return {"data": data, "layout": layout}


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[at:at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"


def lines(shown: Lines) -> Spec:
    """Lines with their intervals as bands."""
    note = f"\nband: {shown.note}" if shown.note else ""
    layout = _layout(f"{shown.title}{note}", shown.banner, 460, 260 + 34 * len(shown.x))
    layout.update(hovermode="x unified", showlegend=True, legend=LEGEND)
    layout["margin"]["t"] += 24
    names, data = _all_safe(shown.x), []
    for number, line in enumerate(shown.lines):
        colour = GROUPS[number % len(GROUPS)]
        if np.isfinite(line.low).any():
            data += [{"type": "scatter", "x": names, "y": _round(bound), "mode": "lines",
                      "line": {"width": 0}, "fill": fill, "fillcolor": _faint(colour),
                      "hoverinfo": "skip", "showlegend": False,
                      "legendgroup": line.name, "name": f"{_safe(line.name)}, band"}
                     for bound, fill in ((line.low, "none"), (line.high, "tonexty"))]
        data.append({
            "type": "scatter", "x": names, "y": _round(line.mean),
            "mode": "lines+markers", "name": _safe(line.name), "legendgroup": line.name,
            "customdata": [f" ({low:.4g} .. {high:.4g})" if np.isfinite(low) else ""
                           for low, high in zip(line.low, line.high)],
            "line": {"color": colour, "dash": DASHES[number % len(DASHES)]},
            "marker": {"symbol": MARKERS[number % len(MARKERS)], "size": 6},
            "hovertemplate": f"{_safe(line.name)} <b>%{{y:.4g}}</b>%{{customdata}}"
                             "<extra></extra>"})
    layout["xaxis"] = _categories(shown.x_label, names)
    layout["yaxis"] = _numbers(shown.y_label)
    return {"data": data, "layout": layout}


def spec(shown: Shown) -> Spec:
    """Whatever `figures` made."""
    if isinstance(shown, Map):
        return heatmap(shown)
    if isinstance(shown, Bars):
        return bars(shown)
    return lines(shown) if isinstance(shown, Lines) else points(shown)
