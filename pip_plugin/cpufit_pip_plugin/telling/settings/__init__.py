"""Settings files of pip and uv: edited by lines, and restored byte for byte."""
