#!/usr/bin/env bash
# Runs in the activated environment, which holds hello and what it needs, and nothing else.
set -euo pipefail

fail() {
    echo "minimal.sh: $*" >&2
    exit 1
}

[[ $(command -v hello) == "$CONDA_PREFIX/bin/hello" ]] || fail "hello is not the environment's own"
[[ ! -e $CONDA_PREFIX/bin/shout ]] || fail "shout is here, which nothing asked for"
# The program finds its library by its run path, whatever the caller's environment is.
hello=$(env -i "$CONDA_PREFIX/bin/hello" World)
[[ $hello == *", World!" ]] || fail "hello says '$hello'"
[[ $(hello --everyone) == *", Grace!"* ]] || fail "hello does not find the names"
echo "minimal.sh: $hello"
