"""L-LEARN's chained MDPs (MATH §4): their environments, UCFH on them, and the upper bounds they prove."""
