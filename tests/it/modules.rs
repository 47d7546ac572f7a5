//! The host's modules: real module systems with real module files in a folder of the test's own.

mod broken;
mod cached;
mod externals;
mod facts;
mod loading;
mod processes;
mod site;
