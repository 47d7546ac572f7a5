//! The `envbuild` program.

fn main() {}
