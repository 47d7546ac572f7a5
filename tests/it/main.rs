//! The integration tests: one binary, one file for each subject.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

mod activation;
mod adopted;
mod against_mpi;
mod answers;
mod archives;
mod backups;
mod base_channel;
mod book;
mod bundles;
mod channels;
mod check_target;
mod client;
mod commands;
mod content_names;
mod errors;
mod exact;
mod exports;
mod failures;
mod faults;
mod firewall;
mod formats;
mod gc;
mod host;
mod host_command;
mod images;
mod index;
mod ledger;
mod locking;
mod locks;
mod matrix;
mod mentioned;
mod modules;
mod noop;
mod packs;
mod parallel;
mod quickstart;
mod readonly;
mod recipes;
mod refusals;
mod repair;
mod reproducible;
mod restores;
mod self_extracting;
mod stopping;
mod tidy;
mod updates;
mod usage;
