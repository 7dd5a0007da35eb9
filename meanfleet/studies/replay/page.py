"""report.html: one file that an operator can read, figures inline, nothing loaded from elsewhere."""

from __future__ import annotations

from html import escape
from typing import Any

from meanfleet.base.html import STYLE

NAMES = {"memoryless": "memoryless", "dirichlet": "remembering (dirichlet)"}


def page(summary: dict[str, Any], figures: dict[str, str]) -> str:
    """The page, from a replay's summary and its figures as SVG by name."""
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><title>meanfleet replay</title>',
        f"<style>{STYLE}</style></head><body>",
        "<h1>How many robots have to be polled?</h1>",
        _verdict(summary),
        "<h2>What another k would have cost</h2>",
        _figure(figures["loss"]),
        "<p>Loss is what the fleet earns less than with everybody polled, as a share of what it earns then. Bands are "
        "95 % intervals. On the recorded ticks a decision is charged what it is worth less than the best one by the "
        "policy's own Q. In rollouts the model goes on from recorded states for "
        f"{_rollouts(summary)}, with the same chance for every k.</p>",
        _table(summary),
        _figure(figures["agreement"]),
        "<h2>What was in the bag</h2>",
        _bag(summary),
        _figure(figures["fleet"]),
        "<h2>How far this can be trusted</h2>",
        _limits(summary),
        "<h2>What this verdict is about</h2>",
        _identity(summary),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _figure(svg: str) -> str:
    """The figure as an element of the page: without the prologue of a file of its own."""
    return f"<figure>{svg[svg.index('<svg') :]}</figure>"


def _verdict(summary: dict[str, Any]) -> str:
    choice = summary["verdict"]
    if choice["k"] is None:
        return f'<p class="verdict"><b>No recommendation.</b> {escape(_sentence(choice["reason"]))}</p>'
    point = next(p for p in summary["curve"] if (p["observer"], p["k"]) == (choice["observer"], choice["k"]))
    sent = point["messages"]
    return (
        f'<p class="verdict"><b>Poll k = {choice["k"]} of {summary["bag"]["robots"]} robots per tick with observer '
        f"{choice['observer']}.</b> {escape(_sentence(choice['reason']))} It needs "
        f"{_counted(sent['heard_per_tick'], 'zone message')} per tick instead of {sent['whole_per_tick']:.4g}, "
        f"{sent['saved_share']:.0%} fewer.</p>"
    )


def _counted(number: float, what: str) -> str:
    return f"{number:.4g} {what}" + ("" if number == 1 else "s")


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _rollouts(summary: dict[str, Any]) -> str:
    whole = summary["whole"]
    if "rollouts" not in whole:
        return "some time (not done here)"
    source = "the game fitted to the bag" if whole["fitted"] else "the policy's game"
    return f"{whole['horizon']} ticks, what follows as in their later half, {whole['rollouts']} times, by {source}"


def _table(summary: dict[str, Any]) -> str:
    with_rollouts = "rollouts_share" in summary["curve"][0]
    heads = ["dispatcher", "k", "agreement", "estimate off by", "loss on the bag"]
    heads += ["loss in rollouts"] if with_rollouts else []
    heads += ["messages per tick", "saved", "payload saved per tick"]
    lines = ["<table><tr>" + "".join(f"<th>{head}</th>" for head in heads) + "</tr>"]
    chosen = (summary["verdict"]["observer"], summary["verdict"]["k"])
    for point in summary["curve"]:
        cells = [escape(NAMES[point["observer"]]), str(point["k"])]
        cells += [percent(point[name], 1) for name in ("agreement", "distance")]
        cells += [percent(point[name], 2) for name in ("regret_share", "rollouts_share") if name in point]
        sent = point["messages"]
        cells += [
            f"{sent['heard_per_tick']:.4g}",
            f"{sent['saved_share']:.0%}",
            f"{sent['bytes_saved_per_tick']:.0f} B",
        ]
        mark = ' class="chosen"' if (point["observer"], point["k"]) == chosen else ""
        lines.append(f"<tr{mark}>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return "\n".join([*lines, "</table>"])


def percent(band: dict[str, float], digits: int) -> str:
    """A share above its interval, as a table's cell."""
    mean, low, high = (
        f"{100 * band[key]:.{digits}f}".replace("-0." + "0" * digits, "0." + "0" * digits)
        for key in ("mean", "low", "high")
    )
    return f"{mean} %<small>{low} … {high}</small>"


def _bag(summary: dict[str, Any]) -> str:
    bag = summary["bag"]
    rows = [
        ("bag", f"<code>{escape(bag['source'])}</code>"),
        ("robots", f"{bag['robots']}"),
        (
            "ticks",
            f"{bag['ticks']} over {bag['seconds']:.6g} s, {bag['ticks_compared']} with a known robot, "
            f"{bag['ticks_with_all_robots']} with all of them",
        ),
        ("zones known", f"{bag['known_share']:.1%} of all robots and ticks"),
        ("zone or pose messages read", f"{bag['messages']}, {bag['bytes']} bytes"),
        ("ticks without a recorded priority", f"{bag['priorities_assumed']}"),
    ]
    rows += [(escape(name), str(count)) for name, count in bag["counts"].items() if name != "ticks without priority"]
    rows += [("note", escape(line)) for line in [*bag["remarks"], *summary["left_out"]]]
    if "reenacted" in summary:
        live = summary["reenacted"]
        differences = _counted(live["mismatches"], "difference")
        verdict = f"{live['ticks']} ticks re-enacted under this policy, {differences} {live['said']}"
        rows.append(("the live dispatcher's decisions", escape(verdict.rstrip())))
    body = "".join(f"<tr><td>{name}</td><td>{value}</td></tr>" for name, value in rows)
    return f'<table class="facts">{body}</table>'


def _limits(summary: dict[str, Any]) -> str:
    bag, options = summary["bag"], summary["options"]
    blocks = sorted(point["regret"]["block"] for point in summary["curve"])
    limits = [
        "The recorded fleet does not react. Another k would have sent the robots elsewhere; the loss on the bag rates "
        "every decision where the fleet really was, the rollouts go on from there with a model.",
        f"Whole-fleet decisions and losses are those of the policy's Q for κ = {summary['whole']['kappa']} robots, "
        "interpolated. If its model of the robots is wrong, so are they: fit a game to the bag (meanfleet fit) and "
        "replay with --game.",
        f"Intervals are for mean losses of dispatchers like this one ({options['seeds']} draws of robots averaged), "
        f"over other times of the same fleet, in blocks of {blocks[0]} to {blocks[-1]} ticks. A loss that is rare in "
        "the bag, or never occurred, is bounded by the largest there could be, in about 3 of as many blocks as the bag "
        "has. A wide interval says that the bag is too short to tell.",
        _open(summary),
        "Robots are drawn with equal chances, whatever the dispatcher's sampling design.",
        "A robot whose zone is unknown at a tick is taken not to have answered, and another is asked in its place.",
        "Bytes are the payload of the zone messages; headers of the transport and discovery come on top.",
    ]
    if bag["priorities_assumed"] == bag["ticks"]:
        limits.insert(
            1,
            "No priority was recorded. The one assumed is the most probable under whole-fleet decisions; "
            "the fleet never heard it.",
        )
    elif bag["priorities_assumed"]:
        count = _counted(bag["priorities_assumed"], "tick")
        limits.insert(1, f"The priority of {count} was not recorded: there the one before is taken.")
    return "<ul>" + "".join(f"<li>{escape(limit)}</li>" for limit in limits) + "</ul>"


def _open(summary: dict[str, Any]) -> str:
    """What the rollouts' intervals include."""
    whole = summary["whole"]
    if "rollouts" not in whole:
        return "No rollouts were done."
    said = f"Intervals in rollouts include their chance and that of the bag: {whole['worlds']} draws of its blocks"
    if whole["draws"] > 1:
        return f"{said}, and as many of the transitions by what the fit counted."
    return f"{said}. The game they follow is taken as exact: it holds no counts that say how well it is known."


def _identity(summary: dict[str, Any]) -> str:
    verdict, options = summary["verdict"], summary["options"]
    return (
        f"<p>bag <code>{verdict['bag']}</code><br>policy <code>{verdict['policy']}</code><br>"
        f"seeds {verdict['seed']} to {verdict['seed'] + verdict['seeds'] - 1}; k = "
        f"{', '.join(map(str, options['ks']))}; tolerance {options['tolerance']:.3g}; "
        f"{options['rollouts']} rollouts per k</p>"
    )
