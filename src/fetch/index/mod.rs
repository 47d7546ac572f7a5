//! Files of Python projects: the indexes that pip is configured with, asked in pip's own way.

mod configuration;
mod page;
mod search;
#[cfg(test)]
mod tests;

pub(super) use search::{Outcome, Sought, search};
