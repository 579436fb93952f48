"""Variables as text that a shell takes in: ``eval "$(cpufit env)"``.

Besides the variables there is a function ``uv``, because uv has one variable for what installs and for what locks:
``uv pip`` and ``uv tool`` get the profile URL, all else the plain one. A shell's child processes and scripts do not see
the function; they get the plain URL, which is right everywhere.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping

from .variables import Variables

_QUOTES_OF_POWERSHELL = re.compile("(['\u2018\u2019\u201a\u201b])")


def quote_posix(text: str) -> str:
    """Quote for bash and zsh."""
    return shlex.quote(text)


def quote_fish(text: str) -> str:
    """Quote for fish, where a backslash counts inside single quotes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def quote_powershell(text: str) -> str:
    """Quote for PowerShell, which takes typographic quotes for the plain one."""
    return "'" + _QUOTES_OF_POWERSHELL.sub(r"\1\1", text) + "'"


_POSIX_UV = """\
uv() {
    local cpufit_word cpufit_seen=
    for cpufit_word in "$@"; do
        case "$cpufit_seen:$cpufit_word" in
            :lock|:sync|:add|:remove|:run|:export|:tree|:version|:build|:init|:venv) break ;;
            :pip) cpufit_seen=pip ;;
            :tool) cpufit_seen=tool; break ;;
            pip:-*) ;;
            pip:compile) cpufit_seen=; break ;;
            pip:*) break ;;
        esac
    done
    if [ -n "$cpufit_seen" ]; then
        @NAME@=@VALUE@ command uv "$@"
    else
        command uv "$@"
    fi
}
uvx() { @NAME@=@VALUE@ command uvx "$@"; }
pipx() { @NAME@=@VALUE@ command pipx "$@"; }
"""

_FISH_UV = """\
function uv
    set -l cpufit_seen
    for cpufit_word in $argv
        switch "$cpufit_seen:$cpufit_word"
            case :lock :sync :add :remove :run :export :tree :version :build :init :venv
                break
            case :pip
                set cpufit_seen pip
            case :tool
                set cpufit_seen tool
                break
            case 'pip:-*'
            case pip:compile
                set cpufit_seen
                break
            case 'pip:*'
                break
        end
    end
    if test -n "$cpufit_seen"
        @NAME@=@VALUE@ command uv $argv
    else
        command uv $argv
    end
end
function uvx
    @NAME@=@VALUE@ command uvx $argv
end
function pipx
    @NAME@=@VALUE@ command pipx $argv
end
"""

_POWERSHELL_UV = """\
function cpufit_with_profile($program, $words) {
    $cpufit_before = $env:@NAME@
    $env:@NAME@ = @VALUE@
    try { & (Get-Command $program -CommandType Application | Select-Object -First 1) @words }
    finally { $env:@NAME@ = $cpufit_before }
}
function uv {
    $cpufit_seen = ''
    foreach ($cpufit_word in $args) {
        if ($cpufit_seen -eq '') {
            if ($cpufit_word -in 'lock', 'sync', 'add', 'remove', 'run', 'export', 'tree', 'version', 'build', 'init', \
'venv') { break }
            if ($cpufit_word -eq 'tool') { $cpufit_seen = 'tool'; break }
            if ($cpufit_word -eq 'pip') { $cpufit_seen = 'pip' }
        } elseif ("$cpufit_word" -notlike '-*') {
            if ($cpufit_word -eq 'compile') { $cpufit_seen = '' }
            break
        }
    }
    if ($cpufit_seen) { cpufit_with_profile uv $args }
    else { & (Get-Command uv -CommandType Application | Select-Object -First 1) @args }
}
function uvx { cpufit_with_profile uvx $args }
function pipx { cpufit_with_profile pipx $args }
"""

_FORMS: Mapping[str, tuple[str, Callable[[str], str], str]] = {
    "bash": ("export {name}={value}", quote_posix, _POSIX_UV),
    "zsh": ("export {name}={value}", quote_posix, _POSIX_UV),
    "fish": ("set -gx {name} {value}", quote_fish, _FISH_UV),
    "powershell": ("$env:{name} = {value}", quote_powershell, _POWERSHELL_UV),
}

SHELLS = tuple(_FORMS)


def usual_shell(environ: Mapping[str, str], platform: str) -> str:
    """Return the shell that somebody probably uses."""
    if platform == "win32":
        return "powershell"
    name = environ.get("SHELL", "").rpartition("/")[2]
    return {"fish": "fish", "zsh": "zsh", "pwsh": "powershell"}.get(name, "bash")


def script(variables: Variables, shell: str) -> str:
    """Return what a shell has to evaluate; values are quoted, so none of them is run."""
    setting, quote, function = _FORMS[shell]
    lines = [setting.format(name=name, value=quote(value)) for name, value in variables.everywhere.items()]
    text = "\n".join(lines) + "\n"
    return text + "".join(_filled(function, name, quote(value)) for name, value in variables.installing.items())


def _filled(function: str, name: str, value: str) -> str:
    # in one go: what has been put in is not looked at again, whatever the address holds
    return re.sub("@NAME@|@VALUE@", lambda found: name if found[0] == "@NAME@" else value, function)
