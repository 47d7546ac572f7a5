//! `resources` of a recipe: what one of its builds needs of the machine.

use super::{
    error::ManifestError,
    model::{Resources, Spanned},
    problems::{Problems, clip},
    read::{Keys, Reader},
};

const RESOURCES: Keys = Keys { known: &["cpus", "memory"], later: &["walltime", "engine"] };

/// Reads the table at `resources`, if it is there. What could not be read is left out, with a problem for it.
pub(super) fn resources(recipe: &Reader<'_>, problems: &mut Problems) -> Option<Resources> {
    let table = recipe.inline_table("resources", problems)?;
    table.only(&RESOURCES, problems);
    Some(Resources { span: table.at.clone(), cpus: cpus(&table, problems), memory: memory(&table, problems) })
}

fn cpus(table: &Reader<'_>, problems: &mut Problems) -> Option<Spanned<u32>> {
    let Spanned { value, span } = table.integer("cpus", problems)?;
    match u32::try_from(value) {
        Ok(value) if value >= 1 => Some(Spanned { value, span }),
        _ => {
            problems.push(ManifestError::InvalidResource {
                what: table.what("cpus"),
                written: value.to_string(),
                wanted: "a number of processors",
                help: "write a whole number of at least 1, as in `cpus = 4`, or leave it out".to_owned(),
                at: span.into(),
            });
            None
        }
    }
}

fn memory(table: &Reader<'_>, problems: &mut Problems) -> Option<Spanned<u64>> {
    let Spanned { value, span } = table.string("memory", problems)?;
    let parsed = bytes(&value);
    if parsed.is_none() {
        problems.push(ManifestError::InvalidResource {
            what: table.what("memory"),
            written: clip(&value),
            wanted: "an amount of memory",
            help: "write a number and one of K, M, G, T or KiB, MiB, GiB, TiB, as in `memory = \"8G\"`; \
                   a G is 1024 M"
                .to_owned(),
            at: span.clone().into(),
        });
    }
    Some(Spanned { value: parsed?, span })
}

/// `8G`, `1.5 GiB`, `512m` in bytes: units are powers of 1024. Nothing for anything else, for zero, and for more than a
/// machine can address.
pub fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let unit = text.find(|it: char| it.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit);
    let number = number.trim_end();
    if !number.chars().all(|it| it.is_ascii_digit() || it == '.') || !number.starts_with(|it: char| it.is_ascii_digit())
    {
        return None;
    }
    let power = match unit.to_ascii_lowercase().as_str() {
        "k" | "kib" => 1,
        "m" | "mib" => 2,
        "g" | "gib" => 3,
        "t" | "tib" => 4,
        _ => return None,
    };
    let bytes = number.parse::<f64>().ok()? * 1024_f64.powi(power);
    (bytes >= 1.0 && bytes < 2_f64.powi(63)).then(|| bytes.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn units_are_powers_of_1024() {
        assert_eq!(bytes("8G"), Some(8 << 30));
        assert_eq!(bytes("1.5 GiB"), Some(3 << 29));
        assert_eq!(bytes("512m"), Some(512 << 20));
        assert_eq!(bytes("1K"), Some(1024));
        assert_eq!(bytes(" 2TiB "), Some(2 << 40));
    }

    #[test]
    fn what_is_no_amount_is_nothing() {
        for text in ["8", "G", "0G", "-1G", "1.2.3G", "8 GB", "8X", "1e3G", ".G", "9999999999T", "8G 1M", "é"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }
}
