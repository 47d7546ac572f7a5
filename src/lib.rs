//! `envbuild` builds conda environments the way `make` builds programs.
//!
//! One `project.toml` names local recipes, a matrix of versions, and the environments that people use. Text becomes a
//! [`manifest::Manifest`], a manifest becomes a [`workspace::Workspace`], a workspace becomes a [`plan::Plan`], and only
//! a [`run`] touches the world. The book's chapter "Architecture" draws the rooms and says who may name whom;
//! `tests/it/tidy.rs` holds the walls.

pub mod activation;
pub mod archive;
pub mod base;
pub mod bytecode;
pub mod conda;
pub mod elf;
pub mod http;
pub mod pkgcache;
pub mod rt;
pub mod tree;

pub mod manifest;
pub mod recipe;

pub mod ledger;
pub mod unpacker;
pub mod workspace;

pub mod host;
pub mod plan;

pub mod fingerprint;

pub mod store;

pub mod adopt;
pub mod backup;
pub mod build;
pub mod channel;
pub mod export;
pub mod fetch;
pub mod image;
pub mod install;
pub mod lock;
pub mod needs;
pub mod pack;
pub mod solve;
pub mod unpack;

pub mod exec;

pub mod run;

pub mod cli;
