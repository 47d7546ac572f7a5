//! Bytecode of real Pythons from `ENVBUILD_TEST_CHANNEL`, and bytes that no Python wrote.

use std::{
    collections::BTreeMap,
    fs::{File, create_dir_all, read, read_dir, write},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use tempfile::TempDir;

use super::{BytecodeError, Compiler, canonical::canonical, settle, target};
use crate::{base::testing::base_channel, rt::Rt};

/// What is written in more than one way: names that stand in one-character texts, sets of what has an address for a
/// hash, sets in several functions, classes of one name in several places, and every kind of constant.
const ODD: &str = "\
import sys
é = 1
class Outer:
    class Inner:
        name = 'é'
        class Deeper: 'Its text.'
    def again(self): return __class__
class Other:
    class Inner: text = 'Outer.Inner', 'Other.Inner', 'Inner', '.', '', 'ä', 'λ', 'two words'
def one(x): return x in {None, 'getwindowsversion', 'join', ..., 1, 1.5, ('path', None), b'join'}
def two(x): return x in {None, 'getwindowsversion', 'join', ..., 1, 1.5, ('path', None), b'join'}
def three(x, *, y=2, **z): return [lambda: x, lambda: x, lambda: y, 0.0, -0.0, 1e999 - 1e999, 1e999 - 1e999, 2j]
numbers = (5, -5, 1 << 40, -(1 << 40), 10 ** 60, True, False, None, ..., 257, 257, b'', b'.', b'bytes')
long = 'LONG', 'LÖNG'
many = (MANY)
assert one(None) and one(('path', None)) and two(b'join') and not two('x') and sys is __import__('sys')
assert numbers[3] == -1099511627776 and many[299] == 299 and Other.Inner.text[4] == '' and len(long[0]) == 300
values = three(7)
assert str(values[3:5]) == '[0.0, -0.0]' and values[5] != values[6] and values[0]() == 7 and values[2]() == 2
assert Outer.Inner.Deeper.__doc__ == 'Its text.'
";

/// A little of everything, to be damaged.
const LITTLE: &str = "def f(a, *, é=1.5): return a in {None, 'a', ('b', 1 << 40)}, lambda: a, 'ö', b'', 2j, 'a b'\n";

/// Compiles what the arguments name, below the first one, where every word of all of them is in use elsewhere.
const BUSY: &str = "\
import py_compile, os, re, sys
root, *names = sys.argv[1:]
text = ''.join(open(os.path.join(root, name), encoding='utf8').read() for name in names)
kept = [sys.intern(it) for it in set(re.findall(r'[\\w.]+', text)) | set(text) | {'Other.Inner', 'Outer.Inner.Deeper'}]
mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
for name in names:
    py_compile.compile(os.path.join(root, name), dfile=name, doraise=True, invalidation_mode=mode)
";

/// Compares what two folders hold by these names, value by value.
const COMPARE: &str = "\
import marshal, os, struct, sys
def same(a, b):
    assert type(a) is type(b), (a, b)
    if isinstance(a, type(COMPARED)):
        for name in dir(a):
            if name.startswith('co_') and not callable(getattr(a, name)): same(getattr(a, name), getattr(b, name))
    elif isinstance(a, tuple):
        assert len(a) == len(b)
        for pair in zip(a, b): same(*pair)
    elif isinstance(a, frozenset):
        assert a == b and sorted(map(repr, a)) == sorted(map(repr, b))
    elif isinstance(a, float):
        assert struct.pack('d', a) == struct.pack('d', b)
    else:
        assert a == b, (a, b)
COMPARED = same.__code__
one, other, *names = sys.argv[1:]
for name in names:
    first, second = (open(os.path.join(it, name), 'rb').read() for it in (one, other))
    assert first[:16] == second[:16], name
    same(marshal.loads(first[16:]), marshal.loads(second[16:]))
print(len(names))
";

/// A Python and sources, unpacked.
struct Bench {
    folder: TempDir,
    rt: Rt,
    version: (u64, u64),
}

impl Bench {
    fn new(minor: u64) -> Option<Self> {
        let channel = base_channel("the bytecode of a real Python")?.to_file_path().unwrap();
        let bench = Self { folder: tempfile::tempdir().unwrap(), rt: Rt::new().unwrap(), version: (3, minor) };
        for (subdir, start) in
            [("linux-64", &*format!("python-3.{minor}.")), ("noarch", "pip-"), ("noarch", "packaging-")]
        {
            let mut files = read_dir(channel.join(subdir)).unwrap().map(|it| it.unwrap());
            let archive = files.find(|it| it.file_name().to_str().unwrap().starts_with(start)).unwrap().path();
            rattler_package_streaming::fs::extract(&archive, &bench.path("unpacked")).unwrap();
        }
        Some(bench)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn interpreter(&self) -> PathBuf {
        self.path(&format!("unpacked/bin/python3.{}", self.version.1))
    }

    fn compiler(&self) -> Compiler {
        Compiler::new(&self.interpreter(), self.version, self.folder.path())
    }

    /// Runs a text with arguments and the paths that modules are looked for in; gives what it prints.
    fn python(&self, text: &str, arguments: &[&Path], path: &Path) -> String {
        let mut python = Command::new(self.interpreter());
        python.args(["-B", "-s", "-S", "-c", text]).args(arguments).env_clear();
        let ran = python.env("PYTHONHASHSEED", "0").env("PYTHONPATH", path).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap().trim().to_owned()
    }

    /// The names of the sources, which now stand in a folder of this name.
    fn sources(&self, name: &str) -> (PathBuf, Vec<PathBuf>) {
        let from = self.path("unpacked/site-packages");
        let root = self.path(name);
        let many: Vec<String> = (0..300).map(|it| it.to_string()).collect();
        let odd = ODD.replace("LONG", &"a b".repeat(100)).replace("LÖNG", &"ö".repeat(300));
        create_dir_all(&root).unwrap();
        write(root.join("odd.py"), odd.replace("MANY", &many.join(", "))).unwrap();
        write(root.join("little.py"), LITTLE).unwrap();
        let mut names = vec![PathBuf::from("odd.py"), PathBuf::from("little.py")];
        let mut folders = vec![from.join("packaging"), from.join("pip/_vendor/rich")];
        while let Some(folder) = folders.pop() {
            create_dir_all(root.join(folder.strip_prefix(&from).unwrap())).unwrap();
            for entry in read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|kind| kind == "py") {
                    let name = path.strip_prefix(&from).unwrap().to_owned();
                    write(root.join(&name), read(&path).unwrap()).unwrap();
                    names.push(name);
                }
            }
        }
        names.sort();
        assert!(names.len() > 80, "{}", names.len());
        (root, names)
    }
}

/// The bytecode of these sources.
fn made(root: &Path, names: &[PathBuf], tag: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    names.iter().map(|name| (name.clone(), read(root.join(target(name, tag))).unwrap())).collect()
}

#[track_caller]
fn assert_same(one: &BTreeMap<PathBuf, Vec<u8>>, other: &BTreeMap<PathBuf, Vec<u8>>) {
    let differing: Vec<_> = other.iter().filter(|(name, bytes)| one[*name] != **bytes).map(|(name, _)| name).collect();
    assert!(differing.is_empty(), "{differing:?}");
}

/// Bytecode of a Python is the same whatever was compiled before and whatever is in use, and is what Python wrote.
fn assert_settled(minor: u64) {
    let Some(bench) = Bench::new(minor) else { return };
    let compiler = bench.compiler();
    let tag = compiler.tag(&bench.rt).unwrap();
    let (root, names) = bench.sources("forwards");
    compiler.run(&bench.rt, &root, &tag, names.iter()).unwrap();
    let forwards = made(&root, &names, &tag);

    let (other, _) = bench.sources("a longer name/backwards");
    compiler.run(&bench.rt, &other, &tag, names.iter().rev()).unwrap();
    assert_same(&forwards, &made(&other, &names, &tag));

    let (alone, _) = bench.sources("alone");
    for name in ["odd.py", "pip/_vendor/rich/_windows.py", "packaging/tags.py"].map(PathBuf::from) {
        compiler.run(&bench.rt, &alone, &tag, std::iter::once(&name)).unwrap();
        assert_same(&forwards, &made(&alone, &[name], &tag));
    }

    // Where every name is in use, Python does write other bytes.
    let (busy, _) = bench.sources("busy");
    let arguments: Vec<&Path> = std::iter::once(&busy).chain(&names).map(PathBuf::as_path).collect();
    bench.python(BUSY, &arguments, Path::new(""));
    let raw = made(&busy, &names, &tag);
    let (kept, _) = bench.sources("kept");
    for (name, bytes) in &raw {
        let goal = kept.join(target(name, &tag));
        create_dir_all(goal.parent().unwrap()).unwrap();
        write(goal, bytes).unwrap();
        settle(&busy.join(target(name, &tag))).unwrap();
    }
    assert!(raw != forwards, "nothing was to be settled");
    assert_same(&forwards, &made(&busy, &names, &tag));

    // The values are those that Python wrote.
    let targets: Vec<PathBuf> = names.iter().map(|name| target(name, &tag)).collect();
    let arguments: Vec<&Path> = [&kept, &root].into_iter().chain(&targets).map(PathBuf::as_path).collect();
    assert_eq!(bench.python(COMPARE, &arguments, Path::new("")), names.len().to_string());

    // It is loaded: there is nothing else that could be.
    for name in &names {
        write(root.join(name), b"").unwrap();
    }
    let run = "import odd, packaging.requirements as it; print(it.Requirement('a >=1; python_version >= \"3\"').name)";
    assert_eq!(bench.python(run, &[], &root), "a");

    // Its own form is the one.
    for (name, bytes) in &forwards {
        assert_eq!(canonical(bytes).unwrap().as_ref(), Some(bytes), "{}", name.display());
    }
    assert_nothing_panics(&forwards[Path::new("little.py")]);
}

#[test]
fn bytecode_of_3_10_depends_on_its_source_alone() {
    assert_settled(10);
}

#[test]
fn bytecode_of_3_11_depends_on_its_source_alone() {
    assert_settled(11);
}

#[test]
fn bytecode_of_3_12_depends_on_its_source_alone() {
    assert_settled(12);
}

#[test]
fn bytecode_of_3_13_depends_on_its_source_alone() {
    assert_settled(13);
}

/// Cuts a file everywhere and changes every byte of it.
fn assert_nothing_panics(whole: &[u8]) {
    for end in 16..whole.len() {
        assert!(canonical(&whole[..end]).is_err(), "cut at {end}");
    }
    assert!(canonical(&[whole, b"N"].concat()).is_err());
    let mut bytes = whole.to_vec();
    for at in 16..bytes.len() {
        for change in [0x01, 0x80, 0xff] {
            bytes[at] ^= change;
            if let Ok(Some(settled)) = canonical(&bytes) {
                assert_eq!(canonical(&settled), Ok(Some(settled.clone())), "byte {at}");
            }
            bytes[at] ^= change;
        }
    }
}

/// A value behind the header of Python 3.12.
fn file(value: &[u8]) -> Vec<u8> {
    [&3531u16.to_le_bytes(), b"\r\n".as_slice(), &[0; 12], value].concat()
}

#[test]
fn what_no_python_wrote_is_refused() {
    let reason = |value: &[u8]| canonical(&file(value)).unwrap_err().to_string();
    assert_eq!(reason(b""), "at byte 0: it is cut off");
    for endless in [b"(\xff\xff\xff\xff", b">\xff\xff\xff\x7f", b"l\x00\x00\x00\x80", b"s\xff\xff\xff\xff"] {
        assert!(reason(endless).ends_with("it is cut off"), "{}", reason(endless));
    }
    assert!(reason(b"r\0\0\0\0").contains("refers"));
    assert!(reason(b"\xa9\x01r\0\0\0\0").contains("refers"), "nothing contains itself");
    assert!(reason(b"\xceN").contains("never marked"));
    assert!(reason(b"[\0\0\0\0").contains("no such object"));
    assert!(reason(b"NN").contains("follows"));
    let deep = |depth: usize| canonical(&file(&[b")\x01".repeat(depth), b"N".to_vec()].concat()));
    assert_eq!(deep(2000), Ok(Some(file(&[b")\x01".repeat(2000), b"N".to_vec()].concat()))));
    assert!(deep(2001).unwrap_err().to_string().contains("too deep"));
    assert!(deep(1_000_000).is_err());
}

#[test]
fn what_is_of_another_python_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.pyc");
    for bytes in [b"".to_vec(), b"short".to_vec(), [&9999u16.to_le_bytes(), b"\r\n?".as_slice(), &[0; 20]].concat()] {
        write(&path, &bytes).unwrap();
        settle(&path).unwrap();
        assert_eq!(read(&path).unwrap(), bytes);
    }
    settle(&folder.path().join("nothing")).unwrap();
    write(&path, file(b"?")).unwrap();
    let error = settle(&path).unwrap_err().to_string();
    assert!(error.contains("other.pyc") && error.contains("no such object"), "{error}");
}

#[test]
fn an_equal_value_has_equal_bytes() {
    // Marked or not, interned or not, sorted or not, one object or two.
    let all: [&[u8]; 4] = [
        b")\x05Z\x02abz\x02abz\x01.>\x02\0\0\0Ni\x01\0\0\0>\x02\0\0\0i\x01\0\0\0N",
        b"\xa9\x05\xfa\x02abZ\x02ab\xda\x01.\xbe\x02\0\0\0i\x01\0\0\0N>\x02\0\0\0N\xe9\x01\0\0\0",
        b")\x05\xda\x02abr\0\0\0\0Z\x01.\xbe\x02\0\0\0Ni\x01\0\0\0r\x01\0\0\0",
        b")\x05z\x02abA\x02\0\0\0abZ\x01.>\x02\0\0\0N\xe9\x01\0\0\0>\x02\0\0\0Nr\0\0\0\0",
    ];
    let one = b")\x05\xda\x02abr\0\0\0\0Z\x01.\xbe\x02\0\0\0Ni\x01\0\0\0r\x01\0\0\0";
    for value in all {
        assert_eq!(canonical(&file(value)), Ok(Some(file(one))), "{}", value.escape_ascii());
    }
    // Neither the sign of nothing nor the kind of a number is lost, and what is no number is itself alone.
    let zeros = b")\x02g\0\0\0\0\0\0\0\0g\0\0\0\0\0\0\0\x80";
    assert_eq!(canonical(&file(zeros)), Ok(Some(file(zeros))));
    let nans = b")\x02g\0\0\0\0\0\0\xf8\x7fg\0\0\0\0\0\0\xf8\x7f";
    assert_eq!(canonical(&file(nans)), Ok(Some(file(nans))));
}

#[test]
fn a_full_disk_is_told_and_what_is_no_code_is_left_out() {
    let Some(bench) = Bench::new(13) else { return };
    let compiler = bench.compiler();
    let tag = compiler.tag(&bench.rt).unwrap();
    let root = bench.path("small disk");
    create_dir_all(&root).unwrap();
    // Only root may mount one.
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "none"]).arg(&root).output().unwrap();
    if !mount.status.success() {
        return;
    }
    let names = ["a template.py", "good.py", "nothing.py", "null.py"].map(PathBuf::from);
    write(root.join(&names[0]), "class {{ name }}: pass\n").unwrap();
    write(root.join(&names[1]), format!("text = '{}'\n", "long".repeat(3000))).unwrap();
    write(root.join(&names[3]), "x = '\0'\n").unwrap();
    compiler.run(&bench.rt, &root, &tag, names.iter()).unwrap();
    let there = names.each_ref().map(|name| root.join(target(name, &tag)).exists());
    std::fs::remove_dir_all(root.join("__pycache__")).unwrap();
    // The first of its blocks can be written.
    write(root.join("zeros"), vec![0; 40 << 10]).unwrap();
    let full = compiler.run(&bench.rt, &root, &tag, names.iter());
    let left = read_dir(root.join("__pycache__")).unwrap().count();
    assert!(Command::new("umount").arg(&root).status().unwrap().success());
    assert_eq!(there, [false, true, false, false]);
    let BytecodeError::File(error) = full.unwrap_err() else { panic!("the interpreter is blamed") };
    assert!(error.is_full() && error.path() == root.join(target(&names[1], &tag)), "{error}");
    assert_eq!(left, 0);
}

#[test]
fn an_interpreter_that_is_being_written_is_waited_for() {
    let Some(bench) = Bench::new(10) else { return };
    let compiler = bench.compiler();
    let held = File::options().append(true).open(bench.interpreter()).unwrap();
    let busy = Command::new(bench.interpreter()).arg("-V").output().unwrap_err();
    assert_eq!(busy.kind(), std::io::ErrorKind::ExecutableFileBusy);
    let holder = thread::spawn(move || {
        thread::sleep(Duration::from_millis(100));
        drop(held);
    });
    assert_eq!(compiler.tag(&bench.rt).unwrap(), "cpython-310");
    holder.join().unwrap();
}
