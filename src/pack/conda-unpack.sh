#!/bin/sh
# Writes the path where this environment lies into its files. Run it once after the archive was unpacked:
#     sh bin/conda-unpack
# It needs a POSIX shell, GNU sed, GNU coreutils and xargs.
set -eu
LC_ALL=C
export LC_ALL
unset CDPATH

old='@PLACEHOLDER@'
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

if [ -f "$meta/prefix" ]; then
    if leads_here "$meta/prefix"; then
        printf 'conda-unpack: already done for %s\n' "$was"
        exit 0
    fi
    fail "the files of this environment already hold the path $was; to have it at $prefix, unpack the archive there again"
fi
if [ -f "$meta/prefix.part" ] && ! leads_here "$meta/prefix.part"; then
    fail "an earlier run was interrupted while it wrote the path $was; unpack the archive again"
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

printf '%s\n' "$prefix" >"$meta/prefix.part"
cd -- "$prefix"

# What `sed` would not take literally in a replacement.
new=$(printf '%s\n' "$prefix" | sed -e 's/[\\&|]/\\&/g')
padding=
count=${#prefix}
while [ "$count" -lt "$limit" ]; do
    padding=$padding'\x00'
    count=$((count + 1))
done

if [ "$prefix" != "$old" ]; then
    if [ -s "$meta/text" ]; then
        xargs -0 sed -i -e "s|$old|$new|g" -- <"$meta/text"
    fi
    # A string in a binary file ends at its NUL byte and keeps its length: what the path is shorter is filled up there.
    if [ -s "$meta/binary" ]; then
        xargs -0 sed -z -i -e ':again' -e "s|$old\\(.*\\)|$new\\1$padding|" -e 't again' -- <"$meta/binary"
    fi
    if [ -s "$meta/links" ]; then
        # shellcheck disable=SC2016
        xargs -0 -n 2 sh -c '
            target=$4
            while :; do
                case $target in
                    *"$1"*) target=${target%%"$1"*}$2${target#*"$1"} ;;
                    *) break ;;
                esac
            done
            ln -sfn -- "$target" "./$3"
        ' sh "$old" "$prefix" <"$meta/links"
    fi
fi

mv -f -- "$meta/prefix.part" "$meta/prefix"
printf 'conda-unpack: this environment now lies at %s\n' "$prefix"
