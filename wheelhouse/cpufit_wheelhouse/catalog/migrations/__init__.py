"""How the catalog's tables came to be: Alembic runs ``env.py``, which runs the revisions in ``versions``."""
