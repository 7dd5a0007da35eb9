"""L-LEARN's chained MDPs (math.md §4): their environments, UCFH on them, and the upper bounds they prove."""
