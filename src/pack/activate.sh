# Source this file in sh, bash or zsh to use the environment: . bin/activate
# To leave it again: . bin/deactivate
if [ -n "${_ENVBUILD_PREFIX-}" ] && [ -f "$_ENVBUILD_PREFIX/bin/deactivate" ]; then
    . "$_ENVBUILD_PREFIX/bin/deactivate"
fi
IFS= read -r _ENVBUILD_PREFIX <<'_ENVBUILD_END'
@PLACEHOLDER@
_ENVBUILD_END
if [ ! -f "$_ENVBUILD_PREFIX/bin/activate" ]; then
    printf 'activate: %s is not there; run bin/conda-unpack first\n' "$_ENVBUILD_PREFIX" >&2
    unset _ENVBUILD_PREFIX
    return 1
fi
@SET@
hash -r 2>/dev/null || :
# Scripts of packages may use variables that are not set.
_ENVBUILD_FLAGS=$-
set +u
if [ -d "$CONDA_PREFIX/etc/conda/activate.d" ] && ls -A "$CONDA_PREFIX/etc/conda/activate.d" | grep -q '[.]sh$'; then
    for _ENVBUILD_SCRIPT in "$CONDA_PREFIX"/etc/conda/activate.d/*.sh; do
        . "$_ENVBUILD_SCRIPT"
    done
    unset _ENVBUILD_SCRIPT
fi
case $_ENVBUILD_FLAGS in
    *u*) set -u ;;
esac
unset _ENVBUILD_FLAGS
