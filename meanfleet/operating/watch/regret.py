"""What is proven of the policy that is running, in a line or two."""

from __future__ import annotations

from meanfleet.base.words import gap_text
from meanfleet.solver.bundle.policy import PolicyBundle

from .statuses import Tick


def regret_lines(bundle: PolicyBundle | None, tick: Tick) -> list[str]:
    """How far the tick's decision rule is from the best there is, as far as the bundle knows."""
    if bundle is None:
        return ["not known here: give the bundle with --policy"]
    if tick.kappa is not None and bundle.filtering is not None:
        setting = bundle.filtering.settings.get(tick.k)
        text = f"remembering (κ = {tick.kappa}): no bound is proven"
        known = {} if setting is None else setting.fleet
        lead = known.get("lead")
        if lead is not None:
            text += f"; simulated {lead['low']:.2f} … {lead['high']:.2f} better than the table of k = {tick.k} (95 %)"
        return [text]
    certificate = bundle.certificate.get(tick.table_k) if tick.table_k is not None else None
    if certificate is None:
        return ["none: this tick was not decided by a table of the bundle"]
    lines = [_proven(certificate)]
    fleet = certificate.get("fleet")
    if fleet is not None:
        lines.append(f"discounted return {fleet['mean']:.1f} ± {fleet['error']:.1f}, simulated with n = {fleet['n']}")
    return lines


def _proven(certificate: dict[str, object]) -> str:
    """Both gaps of a table, as far as they were certified."""
    parts = []
    for who, key in (("dispatcher", "global_gap"), ("robots", "local_gap_high")):
        gap = certificate.get(key)
        parts.append(f"{who} ≤ {gap_text(gap)}" if isinstance(gap, float) else f"{who} not proven")
    value = certificate.get("value_low")
    of = f" of J = {value:.1f}" if isinstance(value, float) else ""
    return f"{', '.join(parts)}{of} in the system of k = {certificate.get('k', '?')} robots"
