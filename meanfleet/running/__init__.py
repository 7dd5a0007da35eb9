"""The parts put together: runs in one process, the process graph, the supervisor, summaries and figures."""
