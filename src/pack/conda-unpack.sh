#!/bin/sh
# Writes the path where this environment lies into its files. Run it after the archive was unpacked, and again after the
# environment was moved or copied:
#     sh bin/conda-unpack
# It needs a POSIX shell, GNU sed, GNU coreutils, xargs, and, after a move, GNU grep.
set -eu
LC_ALL=C
export LC_ALL
unset CDPATH

placeholder='@PLACEHOLDER@'
limit=@LENGTH@

fail() {
    printf 'conda-unpack: %s\n' "$1" >&2
    exit 1
}

# A final `.` keeps line breaks at the end of a path, which $(...) would drop; the checks below are to see them.
script=$0
case $script in
    */*) ;;
    *) [ -f "$script" ] || script=$(command -v -- "$script") || fail "cannot find $0" ;;
esac
if [ -L "$script" ]; then
    script=$(readlink -f -- "$script" && printf .)
    script=${script%??}
fi
case $script in
    */*) folder=${script%/*} ;;
    *) folder=. ;;
esac
prefix=$(cd -- "$folder/.." && pwd && printf .) || fail "cannot enter the folder above $folder"
prefix=${prefix%??}
meta=$prefix/conda-meta/envbuild
[ -f "$meta/relocate.json" ] || fail "$prefix was not unpacked from an archive made by envbuild"

# Whether the path written in the file $1 leads here, under that name or another.
leads_here() {
    was=$(cat -- "$1" && printf .)
    was=${was%??}
    [ "$was" = "$prefix" ] && return 0
    there=$(cd -- "$was" 2>/dev/null && pwd -P) || return 1
    [ "$there" = "$(cd -- "$prefix" && pwd -P)" ]
}

elsewhere="use 'envbuild unpack --relocate', or unpack the archive there again"
old=$placeholder
if [ -f "$meta/prefix" ]; then
    if leads_here "$meta/prefix"; then
        printf 'conda-unpack: already done for %s\n' "$was"
        exit 0
    fi
    old=$was
elif [ -f "$meta/prefix.part" ] && ! leads_here "$meta/prefix.part"; then
    fail "an earlier run was interrupted while it wrote another path into the files; $elsewhere"
fi

case $prefix in
    *'
'*) fail "the path of this environment holds a line break, which scripts cannot have in their path; choose another" ;;
    *[\"\$\`:\'\\]*)
        fail "$prefix holds one of \" \$ \` : ' \\ which files cannot have in their path; choose a path without it"
        ;;
esac
[ "${#prefix}" -le "$limit" ] ||
    fail "$prefix is ${#prefix} bytes long; this environment can live at a path of at most $limit"

bytes=$(printf 'xy\0' | sed -z -e 's|x\(.*\)|\1\x00\x00|' 2>/dev/null | od -An -c | tr -d ' \n') || bytes=
[ "$bytes" = 'y\0\0\0' ] || fail "this needs GNU sed"

cd -- "$prefix"

# The target $1 of a link with every $2 replaced by $3.
# shellcheck disable=SC2016
retarget='
retarget() {
    rest=$1
    target=
    while :; do
        case $rest in
            *"$2"*) target=$target${rest%%"$2"*}$3 rest=${rest#*"$2"} ;;
            *) break ;;
        esac
    done
    target=$target$rest
}
'

# How often the old path stands in the files of a list. It may stand in more places than the lists know of, by chance or
# because somebody wrote it there: which of those are to be replaced cannot be told here.
count() {
    [ ! -s "$1" ] || xargs -0 grep -h -o -a -F -e "$old" -- <"$1" | wc -l | tr -d ' '
}
if [ "$old" != "$placeholder" ]; then
    {
        read -r texts
        read -r binaries
    } <"$meta/counts" 2>/dev/null || fail "the list of counts is missing; $elsewhere"
    found=$(count "$meta/text")
    [ "${found:-0}" = "$texts" ] ||
        fail "text files hold the path $old ${found:-0} times, and should $texts times; $elsewhere"
    found=$(count "$meta/binary")
    [ "${found:-0}" = "$binaries" ] ||
        fail "binary files hold the path $old ${found:-0} times, and should $binaries times; $elsewhere"
    if [ -s "$meta/links" ]; then
        # shellcheck disable=SC2016
        xargs -0 -n 2 sh -c "$retarget"'
            retarget "$4" "$1" "$2"
            [ "$(readlink -- "./$3" && printf .)" = "$target
." ]
        ' sh "$placeholder" "$old" <"$meta/links" || fail "a link was changed; $elsewhere"
    fi
    # Only the first time can be taken up again: the placeholder stands in no path.
    printf '%s\n%s\n' "$prefix" "$old" >"$meta/prefix.part"
    rm -f -- "$meta/prefix"
else
    printf '%s\n' "$prefix" >"$meta/prefix.part"
fi

# What `sed` would not take literally in a replacement, and in what it looks for.
new=$(printf '%s\n' "$prefix" | sed -e 's/[\\&|]/\\&/g')
sought=$(printf '%s\n' "$old" | sed -e 's/[][\\.*^$|]/\\&/g')
# A string in a binary file ends at its NUL byte and keeps its length: what the path is shorter is filled up there, and what
# it is longer is taken from there. A record of `sed -z` holds no NUL byte, so two bytes that begin with one stand for the
# old path meanwhile.
padding=
count=${#prefix}
while [ "$count" -lt "${#old}" ]; do
    padding=$padding'\x00'
    count=$((count + 1))
done
taken=
count=${#old}
while [ "$count" -lt "${#prefix}" ]; do
    taken=${taken}'$!N;'
    count=$((count + 1))
done
[ -z "$taken" ] || taken="${taken}s|\x00\{$((${#prefix} - ${#old}))\}\$||"

if [ "$prefix" != "$old" ]; then
    if [ -s "$meta/text" ]; then
        xargs -0 sed -i -e "s|$sought|$new|g" -- <"$meta/text"
    fi
    if [ -s "$meta/binary" ]; then
        if [ -n "$taken" ] && [ "${#prefix}" -eq "$limit" ]; then
            # A string at the very end of a file may have no NUL byte of its own. Where all that it was filled up with is
            # taken, `sed` ends it with one that was not there, and the file gets its length back.
            # shellcheck disable=SC2016
            rewrite() {
                xargs -0 -n 1 sh -c 'for file do :; done; size=$(stat -c %s -- "$file") || exit
                    sed "$@" || exit; truncate -s "$size" -- "$file"' sh "$@"
            }
        else
            rewrite() { xargs -0 sed "$@"; }
        fi
        rewrite -z -i -e "s|$sought|\x00\x01|g" -e ':again' -e '/\x00\x01/!b' \
            -e "s|\x00\x01\(.*\)|$new\1$padding|" -e "$taken" -e 'b again' -- <"$meta/binary"
    fi
    if [ -s "$meta/links" ]; then
        # shellcheck disable=SC2016
        xargs -0 -n 2 sh -c "$retarget"'
            retarget "$4" "$1" "$2"
            ln -sfn -- "$target" "./$3"
        ' sh "$placeholder" "$prefix" <"$meta/links"
    fi
fi

printf '%s\n' "$prefix" >"$meta/prefix.done"
mv -f -- "$meta/prefix.done" "$meta/prefix"
rm -f -- "$meta/prefix.part"
printf 'conda-unpack: this environment now lies at %s\n' "$prefix"
