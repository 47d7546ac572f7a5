//! The recipes of this repository, compiled against the host's real MPI.
//!
//! These are the longest tests. A test run begins with what comes first in the alphabet, and with these begun early it does
//! not have to wait for them at its end.

mod matrix;
mod parallel;
mod second;
