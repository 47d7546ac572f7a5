//! The `make` in front of a build's `PATH`: GNU make leaves its jobserver when it is told a number of jobs, and nearly all
//! recipes tell one. This takes the number away where there is a jobserver, and goes on as the make behind it.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{FileTypeExt as _, PermissionsExt as _},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::Command,
};

/// The names that GNU make goes by.
pub(super) const NAMES: [&str; 2] = ["make", "gmake"];

/// Whether a program of this name is a make.
pub fn is_make(name: &OsStr) -> bool {
    NAMES.iter().any(|it| name == *it)
}

/// Becomes the next make on `path`. `arguments` begin with the name that this one was called by. Comes back only with the
/// reason why there is none.
pub fn make(arguments: &[OsString], path: Option<&str>, flags: Option<&str>) -> io::Error {
    let Some((called, arguments)) = arguments.split_first() else { return io::ErrorKind::InvalidInput.into() };
    let name = Path::new(called).file_name().unwrap_or(called);
    let Some(program) = next(name, path.unwrap_or_default()) else {
        return io::Error::new(io::ErrorKind::NotFound, "there is no other one on PATH");
    };
    let shared = flags.is_some_and(offers_jobserver);
    let arguments = if shared { without_jobs(arguments) } else { arguments.to_vec() };
    // The name stays: make calls itself by it, and those calls come here too.
    Command::new(program).arg0(called).args(arguments).exec()
}

/// The first program of that name on a `PATH` that is not this one.
pub(super) fn next(name: &OsStr, path: &str) -> Option<PathBuf> {
    let own = fs::canonicalize("/proc/self/exe").ok();
    let own_name = own.as_deref().and_then(Path::file_name);
    // Another build of this program is passed over as well: it would find its way back here.
    let other = |it: &PathBuf| {
        let real = fs::canonicalize(it).ok();
        real.is_some() && real != own && real.as_deref().and_then(Path::file_name) != own_name
    };
    let runs = |it: &PathBuf| it.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
    path.split(':').map(|it| Path::new(it).join(name)).find(|it| runs(it) && other(it))
}

/// Whether `MAKEFLAGS` names a jobserver that this process can reach: whoever starts a process may close its pipe.
fn offers_jobserver(flags: &str) -> bool {
    let is_pipe = |path: &str| fs::metadata(path).is_ok_and(|it| it.file_type().is_fifo());
    let mut named = flags
        .split_ascii_whitespace()
        .filter_map(|it| it.strip_prefix("--jobserver-auth=").or_else(|| it.strip_prefix("--jobserver-fds=")));
    // The last one counts.
    named.next_back().is_some_and(|auth| match (auth.strip_prefix("fifo:"), auth.split_once(',')) {
        (Some(path), _) => is_pipe(path),
        (None, Some((read, write))) => [read, write]
            .iter()
            .all(|it| it.bytes().all(|digit| digit.is_ascii_digit()) && is_pipe(&format!("/proc/self/fd/{it}"))),
        (None, None) => false,
    })
}

/// Leaves `-j N` and `--jobs=N` out, in all the ways that make reads them. `-j1` stays: it says that the processes may not
/// run at the same time.
fn without_jobs(arguments: &[OsString]) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut rest = arguments.iter().peekable();
    while let Some(argument) = rest.next() {
        let bytes = argument.as_bytes();
        if bytes == b"--" {
            kept.push(argument.clone());
            break;
        }
        if let Some(number) = bytes.strip_prefix(b"--jobs=") {
            if !is_many(number) {
                kept.push(argument.clone());
            }
        } else if bytes == b"--jobs" {
            leave_out(b"", argument, &mut rest, &mut kept);
        } else if LONG_WITH_VALUE.iter().any(|it| bytes == it.as_bytes()) {
            kept.push(argument.clone());
            kept.extend(rest.next().cloned());
        } else if bytes.len() > 1 && bytes[0] == b'-' && bytes[1] != b'-' {
            match bytes.iter().position(|it| *it == b'j' || SHORT_WITH_VALUE.contains(it)) {
                Some(place) if bytes[place] == b'j' => {
                    let (before, number) = (&bytes[..place], &bytes[place + 1..]);
                    if number.is_empty() {
                        leave_out(before, argument, &mut rest, &mut kept);
                    } else if is_many(number) {
                        kept.extend((before.len() > 1).then(|| OsStr::from_bytes(before).to_owned()));
                    } else {
                        kept.push(argument.clone());
                    }
                }
                Some(place) => {
                    kept.push(argument.clone());
                    let needs_next = place + 1 == bytes.len() && !OPTIONAL_VALUE.contains(&bytes[place]);
                    kept.extend(needs_next.then(|| rest.next().cloned()).flatten());
                }
                None => kept.push(argument.clone()),
            }
        } else {
            kept.push(argument.clone());
        }
    }
    kept.extend(rest.cloned());
    kept
}

/// Letters after which the rest of the word, or the next word, is a value.
const SHORT_WITH_VALUE: &[u8] = b"CEfIloOW";

/// Of those, the ones whose value cannot be, or need not be, the next word.
const OPTIONAL_VALUE: &[u8] = b"lO";

/// Long options whose value is the next word.
const LONG_WITH_VALUE: [&str; 11] = [
    "--directory",
    "--eval",
    "--file",
    "--makefile",
    "--include-dir",
    "--old-file",
    "--assume-old",
    "--what-if",
    "--new-file",
    "--assume-new",
    "--jobserver-style",
];

/// Leaves out an option whose number may be the next word, keeping the letters before it.
fn leave_out<'a>(
    before: &[u8],
    argument: &OsString,
    rest: &mut std::iter::Peekable<impl Iterator<Item = &'a OsString>>,
    kept: &mut Vec<OsString>,
) {
    let number = rest.next_if(|it| !it.is_empty() && it.as_bytes().iter().all(u8::is_ascii_digit));
    match number {
        Some(number) if !is_many(number.as_bytes()) => kept.extend([argument.clone(), number.clone()]),
        _ => kept.extend((before.len() > 1).then(|| OsStr::from_bytes(before).to_owned())),
    }
}

/// Whether this is a number of jobs, and more than one. What is no number is left for make to complain about.
fn is_many(number: &[u8]) -> bool {
    let number = std::str::from_utf8(number).ok().and_then(|it| it.parse::<u64>().ok());
    number.is_some_and(|it| it > 1)
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsString, fs, os::fd::AsRawFd as _};

    use super::{next, offers_jobserver, without_jobs};

    fn reduced(words: &str) -> String {
        let words: Vec<OsString> = words.split(' ').map(OsString::from).collect();
        without_jobs(&words).iter().map(|it| it.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_way_to_tell_a_number_is_left_out() {
        for words in ["-j8 all", "-j 8 all", "-j all", "--jobs=8 all", "--jobs 8 all", "--jobs all"] {
            assert_eq!(reduced(words), "all", "{words}");
        }
        assert_eq!(reduced("-kj8 -sj 4 all"), "-k -s all");
        assert_eq!(reduced("install -j4 DESTDIR=/d"), "install DESTDIR=/d");
    }

    #[test]
    fn what_only_looks_like_one_stays() {
        for words in [
            "-j1 install",
            "-j 1 install",
            "--jobs=1",
            "--jobs 1",
            "-C -j8 all",
            "-f j8.mk -Cj8 all",
            "-kC -j8 all",
            "--directory -j8",
            "-l 4 -Oline all",
            "V=-j8 -- -j8",
            "-j8x",
            "--just-print",
        ] {
            assert_eq!(reduced(words), words);
        }
        assert_eq!(reduced("-l -j8"), "-l");
        assert_eq!(reduced("-O -j8"), "-O");
    }

    #[test]
    fn only_a_pipe_that_is_open_is_a_jobserver() {
        let (read, write) = std::io::pipe().unwrap();
        let (r, w) = (read.as_raw_fd(), write.as_raw_fd());
        assert!(offers_jobserver(&format!("-k -j --jobserver-auth={r},{w}")));
        assert!(offers_jobserver(&format!("--jobserver-fds={r},{w} -j")));
        assert!(!offers_jobserver(&format!("--jobserver-auth={r},{w} --jobserver-auth=99999,99998")));
        for flags in ["", "-j8", "--jobserver-auth=", "--jobserver-auth=-2,-2", "--jobserver-auth=fifo:/dev/null"] {
            assert!(!offers_jobserver(flags), "{flags}");
        }
    }

    #[test]
    fn the_next_one_on_the_path_is_never_this_program() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("first"), folder.path().join("second"));
        fs::create_dir(&first).unwrap();
        fs::create_dir(&second).unwrap();
        std::os::unix::fs::symlink("/proc/self/exe", first.join("make")).unwrap();
        let path = format!("{}:{}", first.display(), second.display());
        assert_eq!(next("make".as_ref(), &path), None);
        std::os::unix::fs::symlink("/bin/sh", second.join("make")).unwrap();
        assert_eq!(next("make".as_ref(), &path), Some(second.join("make")));
        fs::write(second.join("gmake"), "").unwrap();
        assert_eq!(next("gmake".as_ref(), &path), None, "it cannot be executed");
    }
}
