//! The kinds of archives: their names, the endings of their files, their levels.

use std::ops::RangeInclusive;

/// A container with its compressor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// A tar archive, compressed with zstd.
    TarZst,
    /// A file that unpacks itself: a program, and behind it a tar archive, compressed with zstd.
    SelfExtracting,
    /// A tar archive, compressed with gzip.
    TarGz,
    /// A tar archive, compressed with bzip2.
    TarBz2,
    /// A tar archive, compressed with xz.
    TarXz,
    /// A tar archive.
    Tar,
    /// A zip archive, deflated.
    Zip,
    /// A squashfs image, compressed with zstd.
    Squashfs,
    /// A folder on disk.
    Folder,
}

impl Format {
    /// All of them, the default first.
    pub const ALL: [Self; 9] = [
        Self::TarZst,
        Self::TarGz,
        Self::TarBz2,
        Self::TarXz,
        Self::Tar,
        Self::Zip,
        Self::Squashfs,
        Self::SelfExtracting,
        Self::Folder,
    ];

    /// The name that users write.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TarZst => "tar.zst",
            Self::SelfExtracting => "sh",
            Self::TarGz => "tar.gz",
            Self::TarBz2 => "tar.bz2",
            Self::TarXz => "tar.xz",
            Self::Tar => "tar",
            Self::Zip => "zip",
            Self::Squashfs => "squashfs",
            Self::Folder => "folder",
        }
    }

    /// The format that a user names.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// What the name of a file of this format ends in after a dot; a folder's name ends in nothing.
    pub const fn extension(self) -> Option<&'static str> {
        match self {
            Self::Folder => None,
            other => Some(other.name()),
        }
    }

    /// The format that the name of a file promises, upper or lower case.
    pub fn of_file_name(name: &str) -> Option<Self> {
        Self::ending(name).map(|(_, format)| format)
    }

    /// The name of a file without the ending that promises a format.
    pub fn stem(name: &str) -> &str {
        Self::ending(name).map_or(name, |(ending, _)| &name[..name.len() - ending.len() - 1])
    }

    /// What the name of a file ends in after a dot, in lower case, and the format that this promises.
    fn ending(name: &str) -> Option<(&'static str, Self)> {
        const OTHERS: [(&str, Format); 10] = [
            ("tar.zstd", Format::TarZst),
            ("tzst", Format::TarZst),
            ("tgz", Format::TarGz),
            ("tbz2", Format::TarBz2),
            ("tbz", Format::TarBz2),
            ("txz", Format::TarXz),
            ("sqfs", Format::Squashfs),
            ("sqsh", Format::Squashfs),
            ("sfs", Format::Squashfs),
            ("squash", Format::Squashfs),
        ];
        let name = name.to_ascii_lowercase();
        let usual = Self::ALL.into_iter().filter_map(|it| Some((it.extension()?, it)));
        let mut endings = usual.chain(OTHERS);
        let ends = |ending: &str| name.strip_suffix(ending).is_some_and(|stem| stem.len() > 1 && stem.ends_with('.'));
        endings.find(|(ending, _)| ends(ending))
    }

    /// The level at which it is compressed unless the user wants another.
    pub const fn default_level(self) -> Option<i32> {
        match self {
            Self::TarZst | Self::SelfExtracting | Self::Squashfs => Some(3),
            Self::TarGz | Self::TarXz | Self::Zip => Some(6),
            Self::TarBz2 => Some(9),
            Self::Tar | Self::Folder => None,
        }
    }

    /// The levels that there are; those above need more memory than a program may take for itself.
    pub const fn levels(self) -> Option<RangeInclusive<i32>> {
        match self {
            Self::TarZst | Self::SelfExtracting | Self::Squashfs => Some(1..=19),
            Self::TarGz | Self::TarBz2 | Self::TarXz | Self::Zip => Some(1..=9),
            Self::Tar | Self::Folder => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Format;

    #[test]
    fn names_and_endings_lead_to_formats() {
        for format in Format::ALL {
            assert_eq!(Format::parse(format.name()), Some(format));
            if let Some(extension) = format.extension() {
                assert_eq!(Format::of_file_name(&format!("a.b.{extension}")), Some(format));
            }
            assert_eq!(format.default_level().is_some(), format.levels().is_some());
            assert!(format.levels().is_none_or(|levels| levels.contains(&format.default_level().unwrap())));
        }
        assert_eq!(Format::of_file_name("X.TGZ"), Some(Format::TarGz));
        assert_eq!([Format::stem("a.b.TAR.gz"), Format::stem(".tar"), Format::stem("x.gz")], ["a.b", ".tar", "x.gz"]);
        for none in ["tar", ".tar", "x.gz", "targz", "x.tar.lz", "folder", ""] {
            assert_eq!(Format::of_file_name(none), None, "{none}");
        }
    }
}
