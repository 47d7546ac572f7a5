//! The squashfs format 4.0, as the kernel's `fs/squashfs` reads it and squashfs-tools write it: a file system that is
//! mounted as it is. Written with zstd; read with zstd, gzip or xz.

mod content;
mod image;
mod layout;
mod listing;
mod metadata;
mod read;
mod tables;
mod write;

pub(super) use read::SquashfsSource;
pub(super) use write::SquashfsSink;
