#!/bin/sh
# A self-extracting archive of envbuild; its tar.zst begins at byte @ARCHIVE@
# `sh FILE --help` says what it does. Needed are a POSIX shell and cat, dd, dirname, mkdir, rm and uname.

system='@SYSTEM@'
machine='@MACHINE@'
block=@BLOCK@
blocks=@BLOCKS@
sum='@SUM@'

say() {
  printf '%s\n' "$*" >&2
}

fail() {
  say "error: $1"
  [ -z "$2" ] || say "  help: $2"
  exit "${3:-1}"
}

usage() {
  cat <<END
Unpacks the environment in this file. Nothing needs to be installed.

Usage: sh FILE [-p] PREFIX [-j N] [--ignore-platform]
       sh FILE --list

  -p, --prefix PREFIX   where the environment is to live: a path where nothing is, or an empty folder
  -j, --jobs N          threads that write (default: one for each processor)
  --ignore-platform     unpack it although it cannot run on this machine
  --list                print the names of what it holds
  -h, --help            print this
END
}

prefix=
jobs=
list=
ignore=
misused() {
  fail "$1" 'sh FILE --help lists what can be said' 2
}
place() {
  [ -n "$1" ] || misused 'PREFIX is empty'
  [ -z "$prefix" ] || misused "a second PREFIX: $1"
  prefix=$1
}
while [ $# -gt 0 ]; do
  option=$1
  shift
  case $option in
    -h | --help) usage && exit ;;
    --list) list=--list ;;
    --ignore-platform) ignore=--ignore-platform ;;
    -p | --prefix | -j | --jobs)
      [ $# -gt 0 ] || misused "$option needs a value"
      case $option in -j | --jobs) jobs=$1 ;; *) place "$1" ;; esac
      shift
      ;;
    --prefix=*) place "${option#*=}" ;;
    --jobs=*) jobs=${option#*=} ;;
    -j?*) jobs=${option#-j} ;;
    -*) misused "there is no option $option" ;;
    *) place "$option" ;;
  esac
done
case $jobs in
  *[!0-9]* | 0* | ??????*) misused "-j takes a number of threads, not $jobs" ;;
esac
[ -n "$prefix$list" ] || {
  usage >&2
  exit 2
}

here_system=$(uname -s)
here_machine=$(uname -m)
case $here_machine in
  amd64) here_machine=x86_64 ;;
  arm64) here_machine=aarch64 ;;
esac
[ "$here_system $here_machine" = "$system $machine" ] ||
  fail "this file unpacks itself on $system on $machine, and this is $here_system on $here_machine" \
    'get one that was made for this machine; envbuild unpack reads this one anywhere'

# A shell looks for a file without a slash in its name here first, and then among the programs.
case $0 in
  */*) self=$0 ;;
  *) if [ -f "./$0" ]; then self=./$0; else self=$(command -v -- "$0"); fi ;;
esac
mark=
[ ! -f "$self" ] || { read -r mark && read -r mark; } <"$self"
case $mark in
  *'self-extracting archive of envbuild'*) ;;
  *) fail 'the file itself is not to be found' 'run it as sh FILE, not through a pipe' ;;
esac

# The program goes into a private folder, where programs may run, and deletes it when it begins.
folder=
trap '[ -z "$folder" ] || rm -rf "$folder"' EXIT
# A signal may come when the folder is there and not yet known: it is heeded between steps.
stop=
trap 'stop=129' HUP
trap 'stop=130' INT
trap 'stop=143' TERM
beside=${prefix:-.}
while [ ! -d "$beside" ]; do beside=$(dirname -- "$beside"); done
why='there is no folder for it'
for within in "${TMPDIR:-/tmp}" "$beside" . "$HOME" /dev/shm; do
  [ -d "$within" ] || continue
  case $within in /*) ;; *) within=$PWD/$within ;; esac
  candidate=$within/.envbuild-unpack.$$
  (umask 077 && mkdir "$candidate") 2>/dev/null && folder=$candidate
  [ -z "$stop" ] || exit "$stop"
  [ -n "$folder" ] || continue
  program=$folder/unpack
  dd if="$self" of="$program" bs="$block" skip=1 count="$blocks" 2>/dev/null
  copied=$?
  [ -z "$stop" ] || exit "$stop"
  if [ "$copied" -ne 0 ]; then
    why="no room in $within"
  elif command -v cksum >/dev/null && [ "$(cksum <"$program")" != "$sum" ]; then
    fail 'the file is damaged: its program is not what it was' 'get it again and compare its checksum'
  elif chmod 700 "$program" 2>/dev/null && "$program" 2>/dev/null; then
    glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null)
    [ -z "$stop" ] || exit "$stop"
    set -- "$self" "${prefix:-.}" --glibc "${glibc#glibc }"
    [ -z "$jobs" ] || set -- "$@" -j "$jobs"
    [ -z "$list" ] || set -- "$@" "$list"
    [ -z "$ignore" ] || set -- "$@" "$ignore"
    # Until the program listens, nothing may end it: it has to delete its folder first.
    [ -n "$list" ] || trap '' INT TERM
    exec "$program" "$@"
  else
    why="programs may not run in $within"
  fi
  rm -rf "$folder"
  folder=
done
fail "the unpacker cannot be started: $why" 'set TMPDIR to a folder with 4 MB of room where programs may run'
