//! Values that an option cannot have: they are told with the option's name before anything is read, and the status is 2.

use std::fs;

use crate::support::{Project, files_below};

/// Words of the command line, the option that has to be named, and what else has to be said.
type Case<'a> = (&'a [&'a str], &'a str, &'a str);

const CASES: &[Case<'_>] = &[
    (&["pack", "-p", "env", "--arcroot", "/abs"], "--arcroot <DIR>", "a relative path"),
    (&["pack", "-p", "env", "--arcroot", "a/../b"], "--arcroot <DIR>", "a relative path"),
    (&["pack", "-p", "env", "--arcroot", "a/"], "--arcroot <DIR>", "a relative path"),
    (&["pack", "-p", "env", "--exclude", "["], "--exclude <GLOB>", "is not a pattern"),
    (&["pack", "-p", "env", "--exclude", "a", "--include", "{b"], "--include <GLOB>", "is not a pattern"),
    (&["pack", "-p", "env", "--dest-prefix", "a/b"], "--dest-prefix <PATH>", "an absolute path"),
    (&["pack", "-p", "env", "--dest-prefix", "/a/../b"], "--dest-prefix <PATH>", "an absolute path"),
    (&["pack", "-p", "env", "--dest-prefix", "/a:b"], "--dest-prefix <PATH>", "holds `:`"),
    (&["pack", "-p", "env", "--dest-prefix", LONG], "--dest-prefix <PATH>", "301 bytes long"),
    (&["pack", "-p", "env", "--split", "many"], "--split <SIZE>", "as in 2G"),
    (&["pack", "-p", "env", "--split", "1M", "-o", "folder/"], "--split <SIZE>", "folder"),
    (&["pack", "-p", "env", "--level", "high"], "--level <N>", "invalid"),
    (&["pack", "-p", "env", "--level", "99"], "--level <N>", "1 to 19"),
    (&["pack", "-p", "env", "--level", "5", "-o", "x.tar"], "--level <N>", "no such level"),
    (&["pack", "-p", "env", "--since", "nothing"], "--since <OLD>", "not there"),
    (&["pack", "-p", "env", "-o", "x.doc"], "--output <FILE>", ".tar.zst"),
    (&["pack", "-p", "env", "-j", "0"], "--jobs <N>", "1..=1024"),
    (&["pack", "-p", "env", "--target", "__glibc=x y"], "--target", "__glibc"),
    (&["pack", "env", "--target", "nowhere"], "--target <NAME>", "only with '--output <FILE>'"),
    (&["pack", "env", "-o", "x.tar", "--target", "nowhere"], "--target", "this-machine"),
    (&["pack", "env", "--include", "x"], "--include <GLOB>", "name a file with -o"),
    (&["pack", "env", "-o", "x.tar", "--exclude", "["], "--exclude <GLOB>", "is not a pattern"),
    (&["pack", "env", "-o", "x.bundle", "--exclude", "x"], "--exclude", "a bundle holds"),
    (&["pack", "env", "-o", "x.tar", "--include-editable"], "--include-editable", "only with '--prefix <PREFIX>'"),
    (&["pack", "env", "--short-prefix", "-o", "x.tar"], "--short-prefix", "only with '--prefix <PREFIX>'"),
    (&["pack", "-p", ""], "--prefix <PREFIX>", "value is required"),
    (&["unpack", "x.tar", "-p", "a:b"], "--prefix <PREFIX>", "holds `:`"),
    (&["unpack", "x.tar", "-p", "a", "-j", "many"], "--jobs <N>", "invalid"),
    (&["unpack", "--verify", "env", "--format", "xml"], "--format <FORMAT>", "xml"),
    (&["backup", "-p", "env", "-o", "saved", "--test", "nothing"], "--test <SCRIPT>", "not there"),
    (&["backup", "-p", "env", "-o", "saved", "-j", "0"], "--jobs <N>", "1..=1024"),
    (&["restore", "saved", "-p", "a$b"], "--prefix <PREFIX>", "holds `$`"),
    (&["restore", "saved", "-p", "a", "--by", "magic"], "--by <BY>", "explicit"),
    (&["clone", "./env", "-p", "a\"b"], "--prefix <PREFIX>", "holds `\"`"),
    (&["clone", "./env", "-p", "a", "-j", "2000"], "--jobs <N>", "1..=1024"),
    (&["export", "env", "--format", "conda"], "--format <FORMAT>", "conda-lock"),
    (&["check", "env", "--target", "glibc=2.17"], "--target", "no machine is described"),
    (&["check", "env", "--target", "__glibc=two words"], "--target", "__glibc"),
    (&["check", "env", "--target", "GLIBCXX=new"], "--target", "no version of the symbols"),
    (&["check", "env", "--target", "__glibc=2.17,lib["], "--target", "no pattern of libraries"),
    (&["check", "env", "--target", "nowhere"], "--target", "this-machine"),
];

/// A path of 301 bytes.
const LONG: &str = concat!(
    "/",
    "a-part-of-a-path-that-has-exactly-one-hundred-characters-in-it-and-is-therefore-of-some-use-here-ab/",
    "a-part-of-a-path-that-has-exactly-one-hundred-characters-in-it-and-is-therefore-of-some-use-here-ab/",
    "a-part-of-a-path-that-has-exactly-one-hundred-characters-in-it-and-is-therefore-of-some-use-here-abc"
);

#[test]
fn values_that_cannot_be_are_told_with_their_option() {
    let project = Project::new();
    fs::create_dir_all(project.path("env/conda-meta")).unwrap();
    // Nothing may be read: this would fail with another status.
    fs::write(project.path("env/conda-meta/damaged-1-0.json"), "no json").unwrap();
    let before = files_below(project.root());
    let mut wrong = Vec::new();
    for (words, option, told) in CASES {
        let ran = project.run(words);
        // A sentence may be broken where a line ends.
        let said = ran.stderr.split_whitespace().filter(|it| *it != "│").collect::<Vec<_>>().join(" ");
        if ran.status != Some(2) || !said.contains(option) || !said.contains(told) {
            wrong.push(format!("{words:?} ends with {:?} and does not say {option} and {told}: {said}", ran.status));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(files_below(project.root()), before);
}
