# Made by envbuild from the settings of a recipe. Undoes what the script of the same name in activate.d did.
_envbuild_depth=${@MEMORY@_n:-0}
case $_envbuild_depth in
    '' | *[!0-9]*) _envbuild_depth=0 ;;
esac
eval "_envbuild_prefix=\${@MEMORY@_p$_envbuild_depth-}"
_envbuild_memory=@MEMORY@_o${_envbuild_depth}_
# Some shells warn of variables that a function makes.
_envbuild_rest='' _envbuild_value='' _envbuild_was=''

# Takes out of the memory what a variable was. Without a memory there is nothing to undo.
_envbuild_recall() {
    eval "_envbuild_was=\${$_envbuild_memory$1-}"
    unset "$_envbuild_memory$1"
    [ -n "$_envbuild_was" ]
}

# Makes a variable what it was.
_envbuild_return() {
    unset "$1"
    case $_envbuild_was in
        x*) eval "export $1=\"\${_envbuild_was#x}\"" ;;
        s*) eval "$1=\"\${_envbuild_was#s}\"" ;;
    esac
}

# For a variable that was set. Another value is somebody else's.
_envbuild_restore() {
    if _envbuild_recall "$1"; then
        eval "_envbuild_value=\"x\${$1-}\""
        if [ "$_envbuild_value" = "x$2" ]; then
            _envbuild_return "$1"
        fi
    fi
}

# For a variable that was unset. A value is somebody else's.
_envbuild_reset() {
    if _envbuild_recall "$1"; then
        eval "_envbuild_value=\${$1+x}"
        if [ -z "$_envbuild_value" ]; then
            _envbuild_return "$1"
        fi
    fi
}

# Takes the first or the last of equal folders out of a list.
_envbuild_drop() {
    eval "_envbuild_value=\":\${$2-}:\""
    case $_envbuild_value in
        *":${3}:"*) ;;
        *) return 0 ;;
    esac
    if [ "$1" = first ]; then
        _envbuild_rest=${_envbuild_value#*":${3}:"}
        _envbuild_value=${_envbuild_value%%":${3}:"*}
    else
        _envbuild_rest=${_envbuild_value##*":${3}:"}
        _envbuild_value=${_envbuild_value%":${3}:"*}
    fi
    _envbuild_value="${_envbuild_value}:${_envbuild_rest}"
    _envbuild_value=${_envbuild_value#:}
    _envbuild_value=${_envbuild_value%:}
    eval "$2=\"\$_envbuild_value\""
}

# For a list whose own folders are gone: one that is empty now and was not there is unset again.
_envbuild_settle() {
    if _envbuild_recall "$1"; then
        eval "_envbuild_value=\${$1+x}\${$1-}"
        case $_envbuild_was$_envbuild_value in
            ux) unset "$1" ;;
            s*)
                eval "_envbuild_was=\"s\${$1-}\""
                if [ -n "$_envbuild_value" ]; then
                    _envbuild_return "$1"
                fi
                ;;
        esac
    fi
}

if [ "$_envbuild_depth" -gt 0 ]; then
@STEPS@
    unset "@MEMORY@_p$_envbuild_depth"
    if [ "$_envbuild_depth" -gt 1 ]; then
        export @MEMORY@_n="$((_envbuild_depth - 1))"
    else
        unset @MEMORY@_n
    fi
fi

unset -f _envbuild_recall _envbuild_return _envbuild_restore _envbuild_reset _envbuild_drop _envbuild_settle
unset _envbuild_depth _envbuild_memory _envbuild_prefix _envbuild_rest _envbuild_value _envbuild_was
