"""How fast an index answers, beside other indexes: ``python -m benchmarks.index --help``."""
