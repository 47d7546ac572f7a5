//! Feeds the readers of archives with what no program wrote.
//!
//! - `cargo test --test fuzz`: changes archives of every format at random for a few seconds, the same way every time.
//! - `cargo test --test fuzz -- 600`: for so many seconds.
//! - `cargo test --test fuzz -- FILE…`: reads these files, and `-` standard input, once each, as AFL and honggfuzz want
//!   it (`afl-fuzz … -- target/debug/deps/fuzz-… @@`).
//!
//! A reading ends with an error or is whole, stays within its limits and within 300 MB, and gives no name that leads
//! outside. Anything else aborts the program, after writing the input to `target/tmp/fuzz-input`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod archives;
mod random;

use std::{
    fs,
    io::{Cursor, Read as _, Write as _},
    panic,
    path::Path,
    process::abort,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use envbuild::archive::{Fault, Kind, Limits, read};

use random::Random;

/// What the readers may take: little, so that bombs are soon over.
const LIMITS: Limits = Limits { entries: 1000, bytes: 16 << 20 };

/// How long it runs with every other test, in seconds.
const USUAL: u64 = 5;

/// What is being read.
static INPUT: Mutex<Vec<u8>> = Mutex::new(Vec::new());

fn main() {
    let show = panic::take_hook();
    // In whichever thread it happens.
    panic::set_hook(Box::new(move |what| {
        show(what);
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz-input");
        if let Ok(input) = INPUT.try_lock()
            && fs::write(&place, &*input).is_ok()
        {
            let _ = writeln!(std::io::stderr(), "the input is in `{}`", place.display());
        }
        abort();
    }));
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // What `cargo test` hands to every test: its options, and the name of a test to run.
    let words: Vec<&String> = arguments.iter().filter(|it| *it == "-" || !it.starts_with('-')).collect();
    let mut seconds = USUAL;
    let (mut files, mut names) = (0, Vec::new());
    for word in &words {
        if let Ok(number) = word.parse() {
            seconds = number;
        } else if *word == "-" {
            let mut input = Vec::new();
            std::io::stdin().read_to_end(&mut input).unwrap();
            try_one(&input);
            files += 1;
        } else if Path::new(word).is_file() {
            try_one(&fs::read(word).unwrap());
            files += 1;
        } else {
            names.push(word.as_str());
        }
    }
    // Perhaps only other tests were named.
    let is_meant = names.is_empty() || names.iter().any(|it| "fuzz".contains(it));
    if files == 0 && is_meant {
        change(Duration::from_secs(seconds));
    }
    assert!(memory() < 300 << 10, "the readers took {} KiB", memory());
}

/// The most memory that this process ever had, in KiB.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Reads changed archives until the time is over.
fn change(time: Duration) {
    let end = Instant::now() + time;
    let bases = archives::all();
    for base in &bases {
        assert!(try_one(&base.packed()), "an archive that nobody changed cannot be read");
    }
    let mut random = Random::new();
    let (mut tried, mut whole) = (0_u64, 0_u64);
    while Instant::now() < end {
        let base = random.choose(&bases);
        let other = random.choose(&bases);
        whole += u64::from(try_one(&base.changed(&mut random, &other.plain)));
        tried += 1;
    }
    let mut out = std::io::stdout();
    writeln!(out, "{tried} changed archives, of which {whole} could still be read, {} KiB", memory()).unwrap();
    assert!(whole < tried, "no change was ever noticed");
}

/// Reads an archive in two ways, and says whether it could be read.
fn try_one(input: &[u8]) -> bool {
    {
        let mut slot = INPUT.lock().unwrap_or_else(PoisonError::into_inner);
        slot.clear();
        slot.extend_from_slice(input);
    }
    let whole = read_all(input, &[]);
    read_all(input, &["b/large", "absent", "a"]);
    whole
}

fn read_all(input: &[u8], first: &[&str]) -> bool {
    let mut source = match read(Box::new(Cursor::new(input.to_vec())), first, LIMITS) {
        Ok(source) => source,
        Err(fault) => return told(&fault),
    };
    let (mut entries, mut bytes) = (0, 0);
    let fault = loop {
        let member = match source.next() {
            Ok(Some(member)) => member,
            Ok(None) => {
                assert!(matches!(source.next(), Ok(None)), "there is something after the end");
                return true;
            }
            Err(fault) => break fault,
        };
        entries += 1;
        assert!(entries <= LIMITS.entries, "too many entries");
        let mut parts = member.name.split(|byte| *byte == b'/');
        let is_inside = parts.all(|it| !it.is_empty() && it != b"." && it != b".." && it.len() < 256);
        assert!(is_inside && !member.name.contains(&0), "{}", member.name.escape_ascii());
        let expected = match member.kind {
            Kind::File(info) => info.size,
            Kind::Link(target) => {
                assert!(!target.is_empty() && target.len() < 4096 && !target.contains(&0));
                0
            }
            Kind::Folder => 0,
        };
        bytes += expected;
        assert!(bytes <= LIMITS.bytes, "too many bytes");
        // Every third is skipped, as a caller may do.
        if entries % 3 == 0 {
            continue;
        }
        match std::io::copy(member.data, &mut std::io::sink()) {
            Ok(found) => assert_eq!(found, expected, "a file has another size than was said"),
            Err(error) => break Fault::from(error),
        }
    };
    told(&fault)
}

/// An error says something. Gives that the archive cannot be read.
fn told(fault: &Fault) -> bool {
    assert!(!matches!(fault, Fault::File(_)), "no file was asked for: {fault}");
    assert!(fault.to_string().len() > 10, "{fault}");
    false
}
