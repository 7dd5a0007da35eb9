"""A short GIF of the warehouse from above, from a bag: pads, robots coloured by zone, the priority, who is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib import animation
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from numpy.typing import NDArray

from meanfleet.base.errors import UserError
from meanfleet.base.files import replacing
from meanfleet.config import Config
from meanfleet.floors.ring import RingLayout
from meanfleet.sim.bags.log import UNKNOWN, FleetLog
from meanfleet.sim.bags.poses import read_poses
from meanfleet.sim.bags.reading import read_fleet

from .figures import PALETTE

FRAMES, RATE = 96, 8  # frames, and frames per second shown
SPACING = 1.0  # [s, simulated] between frames
INCHES, DPI = 5.2, 80
FAINT = 0.10


@dataclass(frozen=True)
class Picture:
    """The parts of the figure that change from frame to frame."""

    pads: Sequence[Polygon]
    robots: Any
    asked: Any
    text: Any


def warehouse_gif(
    path: Path,
    bag: Path,
    config: Config,
    *,
    begin: float | None = None,
    frames: int = FRAMES,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Write the GIF.

    Args:
        path: file to write.
        bag: of the run, with poses, zones and the dispatcher's diagnostics.
        config: layout, names of robots and zones.
        begin: [s] stamp of the first frame; None: where most of the priorities that were published change.
        frames: how many, `SPACING` apart.
        progress: called with the number of frames drawn.

    Raises:
        UserError: the bag has no ticks or no poses.
    """
    log = read_fleet(bag, config)
    known = np.flatnonzero(log.priority != UNKNOWN)
    if not len(known):
        raise UserError(f"bag {bag} has no priorities: nothing to show")
    first = _busiest(log, frames * SPACING) if begin is None else begin
    frames = max(min(frames, int((log.stamps[known[-1]] - first) / SPACING) + 1), 2)
    times: NDArray[np.float64] = np.asarray(first + SPACING * np.arange(frames), dtype=np.float64)
    positions = read_poses(bag, config, times)
    layout = RingLayout.from_config(config)
    figure = Figure(figsize=(INCHES, INCHES), dpi=DPI)
    picture = _drawn(figure.add_axes((0.0, 0.0, 1.0, 1.0)), layout, config.zones)
    asked = {round(entry["stamp"], 3): entry for entry in log.ticks}
    writer = animation.PillowWriter(fps=RATE)
    index = {name: i for i, name in enumerate(config.robots)}
    with TemporaryDirectory(prefix="meanfleet-gif-") as folder:
        scratch = Path(folder) / "warehouse.gif"
        with writer.saving(figure, str(scratch), DPI):
            for frame, at in enumerate(times.tolist()):
                row = int(np.searchsorted(log.stamps, at + 1e-6, side="right")) - 1
                entry = asked.get(round(float(log.stamps[row]), 3), {})
                heard = [index[name] for name in entry.get("heard", ()) if name in index]
                _show(picture, positions[frame], log, row, heard, at - float(log.stamps[known[0]]), layout)
                writer.grab_frame()
                if progress is not None:
                    progress(frame + 1)
        with replacing(path) as stream:
            stream.write(scratch.read_bytes())


def _busiest(log: FleetLog, seconds: float) -> float:
    """Stamp of the tick from which on most changes of the priority fall within so many seconds."""
    known = np.flatnonzero(log.priority != UNKNOWN)
    changes = known[1:][np.diff(log.priority[known]) != 0]
    latest = max(float(log.stamps[known[-1]]) - seconds, float(log.stamps[known[0]]))
    starts = known[log.stamps[known] <= latest]
    within = [int(((changes >= t) & (log.stamps[changes] < log.stamps[t] + seconds)).sum()) for t in starts.tolist()]
    return float(log.stamps[starts[int(np.argmax(within))]])


def _drawn(axes: Axes, layout: RingLayout, zones: Sequence[str]) -> Picture:
    reach = layout.outer_radius * 1.42
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    axes.axis("off")
    pads = []
    for zone, corners in enumerate(layout.pads):
        pads.append(Polygon(corners, closed=True, facecolor="white", edgecolor="#cccccc", zorder=1))
        axes.add_patch(pads[-1])
        angle = zone * layout.zone_angle
        x, y = 1.24 * layout.outer_radius * np.cos(angle), 1.1 * layout.outer_radius * np.sin(angle)
        axes.text(x, y, zones[zone], ha="center", va="center", fontsize=9)
    pixels = INCHES * 72 / (2 * reach)  # points per metre
    size = (2 * layout.spec.robot_radius * pixels) ** 2
    robots = axes.scatter([], [], s=size, linewidths=0, zorder=3)
    asked = axes.scatter([], [], s=4 * size, facecolors="none", edgecolors="black", linewidths=1.2, zorder=4)
    text = axes.text(-0.97 * reach, 0.97 * reach, "", ha="left", va="top", fontsize=10, linespacing=1.5)
    return Picture(pads, robots, asked, text)


def _show(
    picture: Picture,
    positions: NDArray[np.float64],
    log: FleetLog,
    row: int,
    heard: Sequence[int],
    seconds: float,
    layout: RingLayout,
) -> None:
    """Draw a frame; mutates the picture."""
    priority = int(log.priority[row])
    for zone, pad in enumerate(picture.pads):
        colour = PALETTE[zone % len(PALETTE)]
        chosen = zone == priority
        pad.set_facecolor(to_rgba(colour, 0.28 if chosen else FAINT))
        pad.set_edgecolor(colour if chosen else "#cccccc")
        pad.set_linewidth(2.5 if chosen else 0.8)
    seen: NDArray[np.bool_] = np.asarray(np.isfinite(positions).all(axis=1))
    zones = layout.zone_map.locate(positions[seen])
    picture.robots.set_offsets(positions[seen])
    picture.robots.set_facecolors([PALETTE[zone % len(PALETTE)] for zone in zones.tolist()])
    picture.asked.set_offsets(positions[[i for i in heard if seen[i]]].reshape(-1, 2))
    name = log.zone_names[priority] if priority != UNKNOWN else "–"
    there = int((zones == priority).sum())
    picture.text.set_text(
        f"{seconds:.0f} s\npriority: {name}\n{there} of {int(seen.sum())} there\n○ {len(heard)} asked"
    )
