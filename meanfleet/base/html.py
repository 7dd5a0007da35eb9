"""What the reports have in common: pages in one file, with nothing loaded from elsewhere."""

from __future__ import annotations

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
table { border-collapse: collapse; font-size: 0.88rem; } th, td { padding: 0.2rem 0.7rem; text-align: right; }
th { border-bottom: 1px solid #999; font-weight: 600; } td:first-child, th:first-child { text-align: left; }
tr.chosen { background: #fdebd8; font-weight: 600; } .verdict { border-left: 4px solid #d55e00; padding: 0.4rem 1rem; }
td small { display: block; color: #555; white-space: nowrap; } .facts td { text-align: left; }
code { font-size: 0.85em; word-break: break-all; }
figure { margin: 1rem 0; } svg { max-width: 100%; height: auto; }
"""
