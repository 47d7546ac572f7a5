//! Takes out of a text what differs from run to run: places, times, digests, keys.

/// Replaces places (longest first), then times, then digests and keys.
pub(super) fn normalise(text: &str, places: &[(String, &str)]) -> String {
    let mut text = text.to_owned();
    for (place, name) in places {
        text = text.replace(place, name);
    }
    let lines: Vec<String> = text.lines().map(|line| numbers(line).trim_end().to_owned()).collect();
    lines.join("\n")
}

/// Replaces the words of a line that are times, digests or keys.
fn numbers(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let word = rest.len() - rest.trim_start_matches(|it: char| it.is_ascii_alphanumeric()).len();
        if word == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (text, behind) = rest.split_at(word);
        let seconds = behind.strip_prefix('.').and_then(|it| it.strip_prefix(|it: char| it.is_ascii_digit()));
        match seconds {
            Some(behind) if text.chars().all(|it| it.is_ascii_digit()) && behind.starts_with(" s") => {
                out.push_str("[TIME]");
                rest = &behind[" s".len()..];
            }
            _ => {
                out.push_str(digest(text));
                rest = behind;
            }
        }
    }
    out
}

/// A placeholder for what is a digest or a key, and the word itself when it is not.
fn digest(word: &str) -> &str {
    let hex = |it: &str| it.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
    match word.len() {
        64 if hex(word) => "[DIGEST]",
        10 if hex(word) && word.bytes().any(|it| it.is_ascii_digit()) => "[KEY]",
        8 if word.starts_with('h') && hex(&word[1..]) => "[VARIANT]",
        _ => word,
    }
}

#[test]
fn what_differs_is_replaced_and_nothing_else() {
    let digest = "a".repeat(64);
    let text = format!(
        "built  build:a in 0.1 s  \n/tmp/x/lib hello-1.0.0-h6ac50ef_0_6156fca97f.conda {digest} version 10.4 s\n"
    );
    let expected = "built  build:a in [TIME]\n[X]/lib hello-1.0.0-[VARIANT]_0_[KEY].conda [DIGEST] version [TIME]";
    assert_eq!(normalise(&text, &[("/tmp/x".to_owned(), "[X]")]), expected);
}
