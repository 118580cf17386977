"""Results of patchsweep as labelled arrays.

    import patchsweep
    results = patchsweep.open("out/ioi")
    z = results["z"]                         # an xarray.Dataset
    patchsweep.mean(z)                       # recovered, over all pairs
    patchsweep.confidence_intervals(z)       # .. with intervals over clusters
    patchsweep.top_cells(z, n=5)             # the strongest, as a table
    patchsweep.attention(results)            # a page to look into heads

The arrays are those of docs/files.md, and what `mean` gives equals the program's
own `M_recovered_overall`, `M_effect_overall` and `M_overall`.
"""

from .results import Results, ResultsError, open  # pylint: disable=redefined-builtin
from .cells import cell_names
from .compare import diff
from .importance import importance, interactions
from .models import by_depth, open_models
from .statistics import (by_label, confidence_intervals, mean, mean_by_group,
                         normalised, top_cells)
from .tracing import by_subject
from .viewers import View, attention, neurons

__all__ = ["Results", "ResultsError", "View", "attention", "by_depth", "by_label",
           "by_subject", "cell_names",
           "confidence_intervals", "diff", "importance", "interactions", "mean",
           "mean_by_group", "neurons", "normalised", "open", "open_models",
           "top_cells"]
