//! The tree that is made from the package cache is the one that the installer makes.

mod bench;
mod handmade;
mod real;
