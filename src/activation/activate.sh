# Made by envbuild from the settings of a recipe. The script of the same name in deactivate.d undoes it.
_envbuild_depth=${@MEMORY@_n:-0}
case $_envbuild_depth in
    '' | *[!0-9]*) _envbuild_depth=0 ;;
esac
_envbuild_again=
eval "_envbuild_value=\${@MEMORY@_p$_envbuild_depth-}"
if [ "$_envbuild_depth" -gt 0 ] && [ "$_envbuild_value" = "${CONDA_PREFIX-}" ]; then
    _envbuild_again=yes
else
    _envbuild_depth=$((_envbuild_depth + 1))
    eval "export @MEMORY@_p$_envbuild_depth=\"\${CONDA_PREFIX-}\""
    export @MEMORY@_n="$_envbuild_depth"
fi
_envbuild_memory=@MEMORY@_o${_envbuild_depth}_

# Keeps what a variable was: unset, exported with a value, or known to this shell only.
_envbuild_remember() {
    if [ -n "$_envbuild_again" ]; then
        # What was there before the first time is what comes back.
        eval "_envbuild_value=\${$_envbuild_memory$1-}"
        if [ -n "$_envbuild_value" ]; then
            return 0
        fi
    fi
    eval "_envbuild_value=\${$1+x}"
    if [ -z "$_envbuild_value" ]; then
        _envbuild_value=u
    elif /bin/sh -c 'eval "[ -n \"\${$1+x}\" ]"' sh "$1"; then
        eval "_envbuild_value=\"x\${$1}\""
    else
        eval "_envbuild_value=\"s\${$1}\""
    fi
    eval "export $_envbuild_memory$1=\"\$_envbuild_value\""
}

# Puts a folder first or last into a list.
_envbuild_add() {
    eval "_envbuild_value=\"\${$2-}\""
    if [ -n "$_envbuild_again" ]; then
        case ":${_envbuild_value}:" in
            *":${3}:"*) return 0 ;;
        esac
    fi
    if [ -z "$_envbuild_value" ]; then
        _envbuild_value=$3
    elif [ "$1" = first ]; then
        _envbuild_value="${3}:${_envbuild_value}"
    else
        _envbuild_value="${_envbuild_value}:${3}"
    fi
    eval "export $2=\"\$_envbuild_value\""
}

@STEPS@

unset -f _envbuild_remember _envbuild_add
unset _envbuild_again _envbuild_depth _envbuild_memory _envbuild_value
