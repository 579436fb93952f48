"""The raw ASGI layer in front of the framework: answers that are ready, sent as they are.

::

    app.py       Front: looks up, checks that nothing changed, sends; everything else goes on to the framework
    wishes.py    from a request's headers to what decides its answer
    answers.py   answers made ready: headers, bytes, and the 304
    splicing.py  a compressed page in which a random segment can be exchanged without compressing it again;
                 splicing_zstd.py: the same for zstd; gaps.py: what both have in common
    serials.py   whether a project changed: one look into the catalog, a few microseconds
    streaming.py large files, piece by piece
    keeping.py   how a route tells that its answer may be kept
    placing.py   putting it, and who watches, before an application

The routes of the framework stay the only place that knows what an answer is; this layer keeps what they made.
"""
