"""Colours that tell apart for everybody, and figures as bytes that are the same for the same input."""

from __future__ import annotations

import io

import matplotlib

matplotlib.use("Agg")

from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#777777"


def rendered(figure: Figure, name: str, kind: str) -> bytes:
    """A figure as png or svg; no dates in it and ids by `name`, so the same figure gives the same bytes."""
    stream = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(stream, format=kind, dpi=110, metadata={"Software": None} if kind == "png" else {"Date": None})
    return stream.getvalue()
