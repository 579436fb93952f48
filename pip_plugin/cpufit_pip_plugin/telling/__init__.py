"""Telling an index this machine's CPU: ``cpufit env``, ``cpufit run`` and ``cpufit config``.

::

    addresses, user_data     the two ways a profile travels: an index URL, pip's User-Agent
    indexes ─► checking      which index is meant, and whether it is a cpufit server
    variables                from both to environment variables (pure)
    shells                   variables as text that a shell takes in
    settings/                files of pip and uv: edited by lines, restored byte for byte
    situation                what the commands ask first
    env_command, run_command, config_command
"""
