//! The benchmarks: `cargo bench`, or `cargo bench -- noop --nodes 1000` for one section. Prints Markdown.
//!
//! Knows nothing of: the inside of the program. It runs the real one, as a user does, on generated projects.
#![expect(clippy::print_stdout, reason = "the tables are what this program is for")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on stops")]

mod arguments;
mod machine;
mod measure;
mod noop;
mod overhead;
mod packing;
mod peers;
mod plan;
mod program;
mod project;
mod rattler_build;
mod schedule;
mod table;

use arguments::{Arguments, Section};
use clap::Parser as _;

fn main() {
    let arguments = Arguments::parse();
    let place = arguments.place();
    println!("{}\n", machine::describe(&place));
    for section in arguments.sections() {
        let text = match section {
            Section::Noop => noop::run(&arguments, &place),
            Section::Plan => plan::run(&arguments, &place),
            Section::Schedule => schedule::run(&arguments, &place),
            Section::Overhead => overhead::run(&arguments, &place),
            Section::Packing => packing::run(&arguments, &place),
        };
        println!("{text}");
    }
}
