//! Real builds with the machine's C compiler, of recipes that the tests write.

mod archive;
mod bench;
mod dependencies;
mod failures;
mod log;
mod relocation;
mod sources;
