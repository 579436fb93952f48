"""Why a settings file is not written or not restored."""

from __future__ import annotations

from cpufit_resolver import CpufitError


class SettingsError(CpufitError):
    """A settings file stays as it is."""

    code = "settings-error"


class NotEditable(SettingsError):
    """What the file says cannot be changed line by line without changing more than is meant."""

    code = "settings-not-editable"


class NotAccessible(SettingsError):
    """The file cannot be read or written."""

    code = "settings-not-accessible"


class ChangedSince(SettingsError):
    """The file is not what cpufit wrote: restoring it would lose what somebody else wrote."""

    code = "settings-changed-since"


class BackupDamaged(SettingsError):
    """The backup is not what the record says."""

    code = "settings-backup-damaged"


class SharedHome(SettingsError):
    """The settings are on a network file system: machines with other CPUs may read them."""

    code = "settings-on-network-file-system"
    usual_hint = (
        "use cpufit env or cpufit run on each machine, or --cpu TOKEN with what every machine has (cpu-check --token)"
    )


class NothingToSet(SettingsError):
    """There is no index, or no settings file, to write."""

    code = "nothing-to-set"
