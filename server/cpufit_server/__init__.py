"""The HTTP shell of cpufit: pages, files, uploads and what stands behind them.

The way of a request, in the order of the modules::

    app ─► client (who asks) ─► pages (cache) ─► views (pure) ─► simple (page, caching headers)
        ─► upload ─► multipart ─► upload_form ─► blob store ─► ingest
        ─► files, selectors (bytes by hash)    ─► api (JSON)    ─► upstream (names not hosted here)

No rule about wheels or CPUs is made here: ``cpufit_wheelhouse`` and ``cpufit_resolver`` decide, this package asks them.
Make the application with :func:`cpufit_server.app.create_app`.
"""
