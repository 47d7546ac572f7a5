# Source this file to leave the environment that bin/activate entered: . bin/deactivate
if [ -n "${_ENVBUILD_PREFIX-}" ]; then
    _ENVBUILD_FLAGS=$-
    set +u
    # Last first, as conda does. In a function the caller keeps its positional parameters.
    _envbuild_leave() {
        _ENVBUILD_COUNT=$#
        while [ "$_ENVBUILD_COUNT" -gt 0 ]; do
            eval "_ENVBUILD_SCRIPT=\${$_ENVBUILD_COUNT}"
            _ENVBUILD_COUNT=$((_ENVBUILD_COUNT - 1))
            . "$_ENVBUILD_SCRIPT"
        done
        unset _ENVBUILD_COUNT _ENVBUILD_SCRIPT
    }
    if [ -d "$_ENVBUILD_PREFIX/etc/conda/deactivate.d" ] &&
        ls -A "$_ENVBUILD_PREFIX/etc/conda/deactivate.d" | grep -q '[.]sh$'; then
        _envbuild_leave "$_ENVBUILD_PREFIX"/etc/conda/deactivate.d/*.sh
    fi
    unset -f _envbuild_leave
    case $_ENVBUILD_FLAGS in
        *u*) set -u ;;
    esac
    unset _ENVBUILD_FLAGS
@RESTORE@
    unset _ENVBUILD_PREFIX
    hash -r 2>/dev/null || :
fi
