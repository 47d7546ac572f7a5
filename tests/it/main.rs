//! The integration tests: one binary, one file for each subject.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

mod base_channel;
mod book;
mod client;
mod commands;
mod content_names;
mod errors;
mod failures;
mod faults;
mod firewall;
mod host;
mod locking;
mod matrix;
mod mpi;
mod packs;
mod quickstart;
mod repair;
mod reproducible;
mod stopping;
mod tidy;
