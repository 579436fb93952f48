"""Where wheels come from when they are imported.

The flow, in the order of the modules::

    text ─► spec ─► listing (over the fetcher) ─► choosing ─► SourceFile ─► importing ─► staging ─► ingest

:mod:`spec` and :mod:`choosing` are pure; :mod:`pip_settings` asks pip which index it uses; only :mod:`fetcher` touches
the network.
"""
