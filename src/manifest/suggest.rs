//! "Did you mean": the known word that is nearest to a misspelt one.

/// Words longer than this are noise, and measuring them would take time.
const LONGEST: usize = 64;

/// The candidate that `word` was probably meant to be, or nothing when none is near. Letters' case and `-` against `_`
/// count for nothing; of candidates that are equally near, the first is taken.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.is_empty() || word.len() > LONGEST {
        return None;
    }
    let folded = fold(word);
    let allowed = match word.chars().count() {
        0..=3 => 1,
        4..=7 => 2,
        _ => 3,
    };
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        if candidate.len() > LONGEST {
            continue;
        }
        let distance = strsim::osa_distance(&folded, &fold(candidate));
        // A distance that rewrites the whole candidate (`mpi` for `py`) is no likeness.
        if distance <= allowed && distance < candidate.chars().count() && best.is_none_or(|(least, _)| distance < least)
        {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

fn fold(word: &str) -> String {
    word.to_lowercase().replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn finds_a_misspelt_word() {
        assert_eq!(closest("chanels", ["name", "channels"]), Some("channels"));
        assert_eq!(closest("host_bound", ["path", "host-bound"]), Some("host-bound"));
        assert_eq!(closest("pyhton", ["numpy", "python"]), Some("python"));
        assert_eq!(closest("Python", ["python"]), Some("python"));
    }

    #[test]
    fn offers_nothing_when_nothing_is_near() {
        assert_eq!(closest("license", ["name", "channels"]), None);
        assert_eq!(closest("", ["a"]), None);
        assert_eq!(closest("x", ["y"]), None);
        assert_eq!(closest(&"x".repeat(1 << 20), ["x"]), None);
    }
}
