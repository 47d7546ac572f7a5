//! What README.md and the book say is tried: their commands are run, their links followed, their lists compared with the
//! program's own.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(relative: &str) -> String {
    fs::read_to_string(root().join(relative)).unwrap_or_else(|error| panic!("{relative}: {error}"))
}

/// A copy of the quickstart, and a place where nothing of the user's own is seen.
struct Bench {
    folder: tempfile::TempDir,
    project: PathBuf,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path().join("examples/quickstart");
        copy(&root().join("examples/quickstart"), &project);
        fs::create_dir(folder.path().join("home")).unwrap();
        Self { folder, project }
    }

    /// Runs a line of a console block through bash. Gives what it prints on both streams, as a terminal shows them.
    #[expect(clippy::disallowed_methods, reason = "a test is started by the operating system, as main is")]
    fn bash(&self, line: &str, folder: &Path) -> (String, bool) {
        let program = Path::new(env!("CARGO_BIN_EXE_envbuild")).parent().unwrap();
        let path = std::env::var("PATH").unwrap();
        let output = Command::new("bash")
            .args(["-c", &format!("exec 2>&1\n{line}")])
            .current_dir(folder)
            .env_clear()
            .env("PATH", format!("{}:{path}", program.display()))
            .env("HOME", self.folder.path().join("home"))
            .env("ENVBUILD_CACHE_DIR", self.folder.path().join("cache"))
            .env("ENVBUILD_SCRATCH", self.folder.path().join("scratch"))
            .env("LC_ALL", "C.UTF-8")
            .output()
            .unwrap();
        (String::from_utf8(output.stdout).unwrap(), output.status.success())
    }
}

/// Copies the files that are the project's own, and nothing that a build left beside them.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if ["output", "dist", ".envbuild", "envbuild.lock"].iter().any(|made| name == *made) {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(name));
        } else {
            fs::copy(entry.path(), to.join(name)).unwrap();
        }
    }
}

/// One command of a console block, and what the page says it prints.
struct Step {
    place: String,
    section: String,
    command: String,
    expected: Vec<String>,
}

/// The commands of all `console` blocks of a page, in order.
fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut section = String::new();
    let mut inside = false;
    for (number, line) in text(page).lines().enumerate() {
        match (inside, line) {
            (false, "```console") => inside = true,
            (true, "```") => inside = false,
            (false, line) if line.starts_with("## ") => section = line.to_owned(),
            (true, line) => match line.strip_prefix("$ ") {
                Some(command) => steps.push(Step {
                    place: format!("{page}:{}", number + 1),
                    section: section.clone(),
                    command: command.to_owned(),
                    expected: Vec::new(),
                }),
                None => steps.last_mut().expect("a block begins with a command").expected.push(line.to_owned()),
            },
            _ => {}
        }
    }
    assert!(!inside, "{page}: a console block is not closed");
    steps
}

/// Whether a text is what a page says: `...` is any number of lines, `[..]` anything within a line.
fn fits(expected: &[String], found: &[&str]) -> bool {
    match expected.split_first() {
        None => found.is_empty(),
        Some((first, rest)) if first == "..." => (0..=found.len()).any(|at| fits(rest, &found[at..])),
        Some((first, rest)) => found.split_first().is_some_and(|(line, more)| {
            let parts: Vec<&str> = first.split("[..]").collect();
            line_fits(&parts, line) && fits(rest, more)
        }),
    }
}

fn line_fits(parts: &[&str], line: &str) -> bool {
    let [first, rest @ ..] = parts else { return line.is_empty() };
    let Some(line) = line.strip_prefix(first) else { return false };
    if rest.is_empty() {
        return line.is_empty();
    }
    line.char_indices().map(|(at, _)| at).chain([line.len()]).any(|at| line_fits(rest, &line[at..]))
}

fn check(step: &Step, printed: &str) {
    let found: Vec<&str> = printed.lines().map(str::trim_end).collect();
    assert!(
        fits(&step.expected, &found),
        "{}: `{}` prints something else.\n\n--- the page\n{}\n\n--- the program\n{}\n",
        step.place,
        step.command,
        step.expected.join("\n"),
        found.join("\n")
    );
}

#[test]
fn patterns_fit_what_they_stand_for() {
    let fits = |expected: &str, found: &str| {
        let expected: Vec<String> = expected.lines().map(str::to_owned).collect();
        fits(&expected, &found.lines().collect::<Vec<_>>())
    };
    assert!(fits("a [..] s\n...\nend", "a 0.1 s\nx\ny\nend"));
    assert!(fits("...\nend", "end"));
    assert!(fits("[..]b[..]", "abc"));
    assert!(!fits("a\nend", "a\nx\nend"));
    assert!(!fits("a [..] s", "a 0.1 m"));
    assert!(fits("...", "a\nb"));
    assert!(!fits("", "a"));
}

#[test]
fn the_tutorial_does_what_it_says() {
    let bench = Bench::new();
    let (_, has_zstd) = bench.bash("command -v zstd", &bench.project);
    for step in steps("book/src/tutorial.md") {
        if step.section.ends_with("without envbuild") && !has_zstd {
            assert!(!is_ci(), "in CI, zstd must be installed");
            if step.command.contains("tar --zstd") {
                tell("skipped a section of the tutorial: there is no `zstd` for `tar`");
            }
            continue;
        }
        let (printed, good) = bench.bash(&step.command, &bench.project);
        check(&step, &printed);
        assert!(good, "{}: `{}` fails:\n{printed}", step.place, step.command);
    }
}

#[test]
fn the_readme_does_what_it_says() {
    let bench = Bench::new();
    for step in steps("README.md") {
        // The tests are running already, and so is what cargo would build.
        if step.command == "cargo test" {
            continue;
        }
        let command = step.command.replace("cargo run --", "envbuild");
        assert!(!command.contains("cargo"), "{}: `{command}` cannot be tried", step.place);
        let (printed, good) = bench.bash(&command, bench.folder.path());
        check(&step, &printed);
        assert!(good, "{}: `{command}` fails:\n{printed}", step.place);
    }
}

#[expect(clippy::disallowed_methods, reason = "a test is started by the operating system, as main is")]
fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|it| it == "true")
}

/// Says something past the test harness, which shows what a passing test prints to nobody.
fn tell(line: &str) {
    use std::io::Write as _;
    drop(writeln!(std::io::stderr(), "{line}"));
}

#[test]
fn the_readme_draws_the_graph_that_is_planned() {
    let bench = Bench::new();
    let (printed, good) = bench.bash("envbuild plan --format json libgreet_version=1.0.0", &bench.project);
    assert!(good, "{printed}");
    let plan: serde_json::Value = serde_json::from_str(&printed).unwrap();
    let short = |id: &str| id.split('[').next().unwrap().replace("-libgreet1.0.0", "");
    let mut needs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for node in plan["nodes"].as_array().unwrap() {
        let of = node["needs"].as_array().unwrap().iter().map(|it| short(it.as_str().unwrap())).collect();
        needs.insert(short(node["id"].as_str().unwrap()), of);
    }
    let mut planned = BTreeSet::new();
    for (node, direct) in &needs {
        for need in direct {
            let follows = direct.iter().any(|other| other != need && reaches(&needs, other, need));
            if !follows {
                planned.insert((need.clone(), node.clone()));
            }
        }
    }
    assert_eq!(drawn(&text("README.md")), planned);
}

/// Whether `from` needs `to`, directly or by way of others.
fn reaches(needs: &BTreeMap<String, BTreeSet<String>>, from: &str, to: &str) -> bool {
    needs[from].iter().any(|it| it == to || reaches(needs, it, to))
}

/// The edges of a page's mermaid flowchart, by the texts in the boxes.
fn drawn(page: &str) -> BTreeSet<(String, String)> {
    let (_, chart) = page.split_once("```mermaid\n").expect("the page has a flowchart");
    let (chart, _) = chart.split_once("```").expect("the flowchart ends");
    let mut labels = BTreeMap::new();
    let mut edges = Vec::new();
    for line in chart.lines().filter(|line| line.contains("-->")) {
        let mut ends = line.split("-->").map(|end| {
            let end = end.trim();
            let (name, label) = end.split_once('[').unwrap_or((end, ""));
            if !label.is_empty() {
                labels.insert(name.to_owned(), label.trim_matches(['[', ']', '"']).to_owned());
            }
            name.to_owned()
        });
        edges.push((ends.next().unwrap(), ends.next().unwrap()));
    }
    edges.iter().map(|(from, to)| (labels[from].clone(), labels[to].clone())).collect()
}

/// The pages of the book.
fn chapters() -> BTreeSet<String> {
    let files = fs::read_dir(root().join("book/src")).unwrap();
    files.map(|it| it.unwrap().file_name().into_string().unwrap()).filter(|name| name.ends_with(".md")).collect()
}

/// What a page's links point at, without those to other sites, and whether they stand in a code block.
fn links(page: &str) -> Vec<String> {
    let mut links = Vec::new();
    let mut code = false;
    for line in page.lines() {
        if line.starts_with("```") {
            code = !code;
        }
        for (at, _) in line.match_indices("](").filter(|_| !code) {
            let target = line[at + 2..].split(')').next().unwrap();
            if !target.contains("://") {
                links.push(target.to_owned());
            }
        }
    }
    links
}

#[test]
fn the_summary_lists_every_chapter_once() {
    let listed = links(&text("book/src/SUMMARY.md"));
    let once: BTreeSet<String> = listed.iter().cloned().collect();
    assert_eq!(listed.len(), once.len(), "a chapter is listed twice");
    let mut chapters = chapters();
    chapters.remove("SUMMARY.md");
    assert_eq!(once, chapters);
}

#[test]
fn every_link_leads_somewhere() {
    let mut pages = vec!["README.md".to_owned(), "examples/quickstart/README.md".to_owned()];
    pages.extend(chapters().iter().map(|name| format!("book/src/{name}")));
    for page in pages {
        for link in links(&text(&page)) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let folder = Path::new(&page).parent().unwrap();
            let target = if file.is_empty() { PathBuf::from(&page) } else { folder.join(file) };
            assert!(root().join(&target).is_file(), "{page}: there is no {}", target.display());
            let known = anchor.is_empty() || anchors(&text(&target.to_string_lossy())).contains(anchor);
            assert!(known, "{page}: {} has no section #{anchor}", target.display());
        }
    }
}

/// The anchors that mdBook gives a page's headings.
fn anchors(page: &str) -> BTreeSet<String> {
    let anchor = |heading: &str| {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|it| it.is_alphanumeric() || " -_".contains(*it));
        kept.map(|it| if it == ' ' { '-' } else { it }).collect()
    };
    page.lines().filter(|line| line.starts_with('#')).map(anchor).collect()
}

#[test]
fn every_command_and_option_is_in_the_book() {
    let bench = Bench::new();
    let page = text("book/src/commands.md");
    let help = |command: &str| {
        let (printed, good) = bench.bash(&format!("envbuild {command} --help"), &bench.project);
        assert!(good, "{printed}");
        printed
    };
    let whole = help("");
    let list = whole.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let commands: Vec<&str> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() > 10, "the help lists {commands:?}");
    for command in commands {
        if command == "help" {
            continue;
        }
        assert!(page.contains(&format!("\n## `envbuild {command}")), "commands.md has no section for `{command}`");
        for option in options(&help(command)) {
            assert!(page.contains(&format!("`{option}")), "commands.md does not name `{option}` of `{command}`");
        }
    }
}

/// The long options that a help text lists.
fn options(help: &str) -> BTreeSet<String> {
    let begins = help.lines().filter(|line| line.trim_start().starts_with('-'));
    let words = begins.flat_map(|line| line.split_whitespace().take(2));
    words.filter(|word| word.starts_with("--")).map(|word| word.trim_end_matches(',').to_owned()).collect()
}

#[test]
fn every_key_is_in_the_book() {
    let page = text("book/src/manifest.md");
    for file in ["src/manifest/parse.rs", "src/manifest/configuration.rs"] {
        let source = text(file);
        let keys = strings_after(&source, "known: &[").into_iter().chain(strings_after(&source, "later: &["));
        let keys: BTreeSet<String> = keys.chain(["zip".to_owned(), "exclude".to_owned()]).collect();
        assert!(keys.len() > 3, "{file} names only {keys:?}");
        for key in keys {
            let named = [format!("`{key}`"), format!("`[{key}]`"), format!("`[{key}.")];
            assert!(named.iter().any(|it| page.contains(it)), "manifest.md does not name `{key}` of {file}");
        }
    }
}

/// The string literals in the lists that begin with `start`.
fn strings_after(source: &str, start: &str) -> Vec<String> {
    let lists = source.split(start).skip(1).filter_map(|rest| rest.split(']').next());
    lists.flat_map(|list| list.split('"').skip(1).step_by(2)).map(str::to_owned).collect()
}

#[test]
fn the_exit_statuses_are_those_of_the_code() {
    let source = text("src/cli/exit.rs");
    let arms = source.lines().filter_map(|line| line.trim().strip_prefix("Exit::")?.split_once(" => "));
    let numbers = arms.filter_map(|(_, status)| status.trim_end_matches(',').parse::<u8>().ok());
    let known: BTreeSet<u8> = numbers.collect();
    assert!(known.len() > 3, "src/cli/exit.rs maps only {known:?}");
    let page = text("book/src/commands.md");
    let (_, section) = page.split_once("## Exit statuses\n").expect("the page has a section for them");
    let table =
        section.split("\n## ").next().unwrap().lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next());
    assert_eq!(table.filter_map(|it| it.parse::<u8>().ok()).collect::<BTreeSet<_>>(), known);
}
