//! What no person writes: noise, megabytes, lines without end.

use std::time::Instant;

use miette::Diagnostic as _;
use proptest::prelude::{Strategy, any, prop, prop_assert, proptest};

use super::{
    ManifestError, parse,
    tests::{errors, report},
};

#[test]
fn ten_megabytes_of_noise_make_one_short_error() {
    let noise: String =
        (0..10_000_000_u32).map(|n| char::from(33 + (n.wrapping_mul(2_654_435_761) >> 25) as u8 % 90)).collect();
    let started = Instant::now();
    let errors = errors(&noise);
    let drawn = report(&errors);
    assert!(started.elapsed().as_secs() < 5);
    insta::assert_snapshot!("too_large", drawn);
}

#[test]
fn a_long_line_is_not_drawn() {
    let text = format!("[project]\nname = \"a\"\nchannels = [{}]\nzork = 1\n", "\"é\", ".repeat(100_000));
    insta::assert_snapshot!("long_line_beside", report(&errors(&text)));

    let text = format!("[project]\nname = \"a\"\nchannels = [{}, 1]\nplatforms = [\"x\"]\n", "\"é\", ".repeat(1000));
    let errors = errors(&text);
    assert!(report(&errors).lines().all(|line| line.chars().count() < 200));
    insta::assert_snapshot!("long_line", report(&errors));
}

#[test]
fn thousands_of_problems_are_counted_and_fifty_shown() {
    let names: String = (0..20_000).map(|n| format!("\"name{n}\", ")).collect();
    let text = format!("[project]\nname = \"a\"\n[environments.e]\nmatrix = [\n{}\n]\n", names.replace(", ", ",\n"));
    let errors = errors(&text);
    assert_eq!((errors.problems().len(), errors.untold()), (50, 19_950));
    let drawn = report(&errors);
    assert!(drawn.contains("has 20000 problems") && drawn.contains("the first 50 are shown"), "{drawn}");
}

#[test]
fn a_value_over_many_lines_is_drawn_by_its_first() {
    let text = format!("[project]\nname = [\n{}]\n", "\"x\",\n".repeat(1000));
    insta::assert_snapshot!("long_value", report(&errors(&text)));
}

#[test]
fn deep_nesting_is_an_error() {
    let opened = format!("[project]\nname = {}", "[".repeat(500_000));
    let dotted = format!("{}x = 1\n", "a.".repeat(500_000));
    let tables = format!("[{}x]\n", "a.".repeat(500_000));
    for text in [opened, dotted, tables] {
        assert_eq!(errors(&text).problems().len(), 1);
    }
}

/// Pieces of manifests, so that random texts get past the TOML parser often.
fn soup() -> impl Strategy<Value = String> {
    const LINES: &[&str] = &[
        "[project]",
        "name = \"a\"",
        "channels = [\"x\", 1]",
        "platforms = [\"linux-64\", \"é\"]",
        "[host]",
        "label = \"x-\"",
        "[matrix]",
        "python = [\"3.10\", \"3.11\"]",
        "python = [3.10]",
        "numpy = []",
        "zip = [[\"python\", \"numpy\"], []]",
        "zip = [[\"a\"], 1]",
        "exclude = [{ python = \"3.10\" }, {}]",
        "exclude = {}",
        "[[matrix.exclude]]",
        "[recipes.a]",
        "path = \"p\"",
        "host-bound = 1",
        "[recipes]",
        "a = 1",
        "a.b.c = 1979-05-27",
        "[environments.\"\"]",
        "[environments.e]",
        "dependencies = [\"a ${{ python }} *x*\", \"[\", \"a[b\", \"${{\", \"é\"]",
        "matrix = [\"python\", \"python\"]",
        "target = \"t\"",
        "pack = [\"tar.zst\"]",
        "[targets.t]",
        "virtual-packages = { __glibc = \"2\", x = \"\\u0000\" }",
        "platform = '''\nx'''",
        "[[targets]]",
        "[engines]",
        "\"\" = 1",
        "é = \"é\"",
        "# é",
        "]",
        "=",
    ];
    prop::collection::vec(prop::sample::select(LINES), 0..24).prop_map(|lines| lines.join("\n"))
}

/// Reads and draws. What matters is that it comes back, and that every place lies within the text.
fn survives(text: &str) -> bool {
    let Err(errors) = parse("project.toml", text) else { return true };
    report(&errors);
    let inside =
        |it: &ManifestError| it.labels().into_iter().flatten().all(|label| label.offset() + label.len() <= text.len());
    !errors.problems().is_empty() && errors.problems().iter().all(inside)
}

proptest! {
    #[test]
    fn any_text_gives_a_manifest_or_a_report(text in any::<String>()) {
        prop_assert!(survives(&text));
    }

    #[test]
    fn any_soup_gives_a_manifest_or_a_report(text in soup()) {
        prop_assert!(survives(&text));
    }

    #[test]
    fn any_dependency_gives_a_manifest_or_a_report(spec in "[a-z0-9 =<>,.*$\\[\\]{}:/'#!~|-]{0,24}") {
        let text = format!("[project]\nname = \"a\"\n[environments.e]\ndependencies = [\"\"\"{spec}\"\"\"]\n");
        prop_assert!(survives(&text));
    }
}
