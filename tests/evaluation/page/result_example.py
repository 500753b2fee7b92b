"""An evaluation's result with every part that evaluate's JSON may have, and frames to show, for tests of the report."""

import copy
import json

import numpy as np

from jaxdepth.evaluation.metrics import METRIC_NAMES
from jaxdepth.evaluation.page.frames import Shown

_VALUES = (0.78095, 0.94925, 0.98687, 0.15229, 0.11897, 0.53794, 0.18999, 0.06483, 14.6334, 0.02701, 0.03569)
_FLOOR = (0.43925, 0.73871, 0.89441, 0.35830, 0.45794, 1.03547, 0.38179, 0.13808, 28.9372, 0.09287, 0.12839)
_MEDIAN = (0.85281, 0.95896, 0.98991, 0.11818, 0.08869, 0.44809, 0.15942, 0.05049, 14.6337, 0.02702, 0.03003)


def _scores(values, better=0.0):
    return {name: value * (1 - better) for name, value in zip(METRIC_NAMES, values, strict=True)}


def _bins(labels, worse, **extra):
    """A breakdown with values that all differ; the last bin has no pixel."""
    bins = []
    for i, label in enumerate(labels):
        empty = i == len(labels) - 1
        values = dict(delta1=0.9123 - 0.0411 * i, abs_rel=worse + 0.0203 * i, log_bias=0.0507 - 0.0214 * i)
        values = dict.fromkeys(values) if empty else values
        more = {key: given[i] for key, given in extra.items()}
        bins.append({"label": label, "pixels": 0 if empty else 90000 // (i + 1), **values, **more})
    return bins


def _breakdown(worse):
    ends = [0, 1, 2, 3, 4, 5, 7, 10]
    pairs = list(zip(ends, ends[1:], strict=False))
    places = [(row, column) for row in range(3) for column in range(4)]
    return {
        "distance": _bins(
            [f"{a} to {b} m" for a, b in pairs], worse, **{"from": [a for a, _ in pairs], "to": [b for _, b in pairs]}
        ),
        "place": _bins(
            [f"row {row + 1}, column {column + 1}" for row, column in places],
            worse,
            row=[row for row, _ in places],
            column=[column for _, column in places],
        ),
        "edge_distance": _bins(["up to 2 pixels", "2 to 8 pixels", "8 to 32 pixels", "more"], worse),
        "class": _bins(["wall", "floor", "ceiling", "table", "window"], worse),
    }


def _parts(worse, edges):
    names = ("precision", "recall", "f1")
    return {
        "aligned": {
            "median": _scores(_MEDIAN, worse),
            "scale": _scores(_MEDIAN, worse + 0.011),
            "scale_shift": _scores(_MEDIAN, worse - 0.027),
            "scale_shift_disparity": _scores(_MEDIAN, worse + 0.024),
        },
        "edges": {
            threshold: {name: edges * factor * (1 + 0.13 * i) for i, name in enumerate(names)}
            for threshold, factor in (("0.05", 1.0), ("0.125", 0.61), ("0.25", 0.23))
        },
        "measures": {
            "surface_normals": {"mean": 23.14 + 20 * worse, "median": 17.28, "within_11.25": 0.3127, "within_30": None},
            "point_cloud": {"f_0.05": 0.2519, "chamfer": 0.1382},
            "depth_boundary_error": {"accuracy": 3.718},
            "new_measure": {"some_error": 1.618},
        },
        "breakdown": _breakdown(0.1017 + worse),
    }


def result():
    """The result, as it comes out of json.loads."""
    scores = _scores(_VALUES)
    intervals = {name: [0.953 * value, 1.049 * value] for name, value in scores.items()}
    intervals |= {"aligned.median.delta1": [0.8377, 0.8691], "edges.0.05.f1": [0.3613, 0.4079]}
    intervals |= {"measures.surface_normals.mean": [21.56, 24.83], "measures.surface_normals.median": None}
    found = {
        "protocol": {
            "name": "eigen_crop",
            "source": "nyu",
            "split": "dev",
            "split_hash": "68cd3869d4a9",
            "frames": 109,
            "truth": "filled depth",
            "network_input": "centre 192x256 of 192x256 (rows x columns)",
            "scored_at": [480, 640],
            "resize": "border replicated to the frame, then bilinear depth",
            "rows": [45, 471],
            "columns": [41, 601],
            "min_depth": 0.001,
            "max_depth": 10.0,
            "pooling": "mean over images of per-image values",
            "clipping": "predictions are clipped to the depth range",
            "flip_tta": True,
            "trained_on": "rooms, split rooms; nyu, split dev",
            "frames_seen_in_training": 0,
            "mean_depth_image": "of 686 of 686 training frames",
        },
        "frames": 109,
        "frames_scored": 105,
        "metrics": scores,
        **_parts(0.0, 0.34),
        "outputs": {"scale1": _scores(_VALUES, 0.003), "scale2": _scores(_VALUES, 0.017)},
        "mean_depth_baseline": _scores(_FLOOR),
        "baseline": _parts(0.27, 0.0),
        "measured_frames": {"surface_normals": {"mean": 105, "median": 97}},
        "intervals": intervals,
        "interval_over": "23 runs of neighbouring frames",
        "predictions": {
            "folder": "somewhere/predictions",
            "files": 106,
            "kind": "inverse_depth",
            "scale": 0.001,
            "missing": ["0022", "0023", "0024"],
            "missing_count": 3,
            "extra_count": 2,
            "not_finite": {"pixels": 1234, "frames": 5},
            "warnings": [
                "frames without a prediction, not scored: 3 (0022, 0023, 0024)",
                "the median of the predictions is 12 times that of the truth",
            ],
            "made_by": {"network": "kscale", "step": 4200},
        },
        "per_frame": {"id": [22, 23], "name": ["0022", "0023"], "order": [22, 23], "delta1": [0.7, None]},
    }
    return json.loads(json.dumps(found))


def better(name="other"):
    """A second result on the same frames."""
    found = copy.deepcopy(result())
    found["metrics"] = {key: 0.9 * value for key, value in found["metrics"].items()}
    found["predictions"] = {
        **found["predictions"],
        "folder": name,
        "warnings": ["1 predictions are constant: 0022"],
        "missing_count": 0,
        "missing": [],
    }
    return found


def pictures(count=2, size=(96, 128), seed=0):
    """Frames to show: half of them best. Their truth has a hole, and a prediction has a value that is not finite."""
    rng = np.random.default_rng(seed)

    def patches(low, high, *channels):  # about as rough as pictures are, which white noise is not
        coarse = rng.uniform(low, high, (size[0] // 4 + 1, size[1] // 4 + 1, *channels))
        return coarse.repeat(4, 0).repeat(4, 1)[: size[0], : size[1]]

    truth = np.tile(np.linspace(1.0, 4.0, size[1], dtype=np.float32), (size[0], 1))
    truth[:9, :9] = 0
    prediction = np.float32(truth * patches(0.8, 1.25) + 0.1)
    prediction[-1, -1] = np.nan
    image = patches(0, 256, 3).astype(np.uint8)
    return [Shown(f"frame {i}", image, prediction, truth, i < (count + 1) // 2) for i in range(count)]
