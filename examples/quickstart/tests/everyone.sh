#!/usr/bin/env bash
# Runs in the activated environment, which holds both programs and the data.
set -euo pipefail

fail() {
    echo "everyone.sh: $*" >&2
    exit 1
}

version=$(hello --version)
case $version in
    "libgreet 1.0.0") greeting=Hello ;;
    "libgreet 2.0.0") greeting=Welcome ;;
    *) fail "no greeting is known for '$version'" ;;
esac
[[ $(shout --version) == "$version" ]] || fail "the programs load different versions of libgreet"

names=$CONDA_PREFIX/share/greet/names.txt
[[ $(wc -l <"$names") -eq 3 ]] || fail "$names does not hold three names"
while read -r name; do
    [[ $(hello "$name") == "$greeting, $name!" ]] || fail "hello $name says '$(hello "$name")'"
    expected="$greeting, $name! How are you?"
    [[ $(shout "$name") == "${expected^^}" ]] || fail "shout $name says '$(shout "$name")'"
done <"$names"

# The program has its prefix compiled in and must find the data there.
[[ $(hello --everyone | wc -l) -eq 3 ]] || fail "hello --everyone does not greet three people"
echo "everyone.sh: $version greets with $greeting"
