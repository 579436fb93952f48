"""Several processes that serve one home at one address: who starts and ends them, and what runs in each.

They share the home and nothing else. What one commits the others see, since each looks at the catalog's serials at each
request; what must be done by one of them alone is held by a lock between processes.
"""
