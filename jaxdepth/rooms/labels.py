"""The 40 classes of NYU Depth V2."""

# Gupta 2013. A label is an index into this tuple.
LABELS = (
    *("unlabelled", "wall", "floor", "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf"),
    *("picture", "counter", "blinds", "desk", "shelves", "curtain", "dresser", "pillow", "mirror", "floor mat"),
    *("clothes", "ceiling", "books", "refrigerator", "television", "paper", "towel", "shower curtain", "box"),
    *("whiteboard", "person", "night stand", "toilet", "sink", "lamp", "bathtub", "bag", "other structure"),
    *("other furniture", "other prop"),
)


def label_index(name: str) -> int:
    """Index of a class in LABELS.

    Raises:
      ValueError: if there is no class of that name.
    """
    if name not in LABELS:
        raise ValueError(f"label {name!r}: expected one of {', '.join(LABELS)}")
    return LABELS.index(name)
