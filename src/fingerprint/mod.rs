//! Is it the same as last time? A node's key is a digest of its named inputs and of the contents of what it depends on.
//!
//! | input | enters the key of | not entering, on purpose |
//! | --- | --- | --- |
//! | every file of the recipe's folder: name, bytes, exec bit, link target | build | times, owners, the folder's place |
//! | path sources, patches and scripts outside the folder, likewise | build | |
//! | the scratch folder, which compiled files may name | build | |
//! | the used axis values, the platform, the engine's version | build | axes that the recipe does not use |
//! | the host's label, run paths, libraries, modules, variables, facts, compilers, for a host-bound package | build | `-j`, HOME, the user |
//! | the locked packages of base channels in its build and host environments | build | the day, and what channels have by then |
//! | its requirements and what else decides them, the channels, the platform | resolve | the recipe's other text |
//! | the *content* of the local packages in its build and host environments | resolve, build | their recipes |
//! | the build strings of local packages that it pins exactly | build | |
//! | specs, channels, the target's virtual packages, the content of its local packages | lock | the order of toml keys |
//! | the locked packages | install, test, pack | the prefix's path |
//! | the test script: bytes, exec bit | test | files that it reads |
//! | archive format and level | pack | the number of threads |
//!
//! Knows nothing of: where records are kept, who runs a node.

mod error;
mod inputs;
mod key;
mod reason;
mod tree;

pub use error::FingerprintError;
pub use inputs::{
    BuildInputs, LockInputs, PACKAGE, PackInputs, ResolveInputs, ScanFn, TestInputs, build_inputs, install_inputs,
    lock_inputs, outer_sources, pack_inputs, resolve_inputs, test_inputs,
};
pub use key::{Inputs, Key};
pub use reason::{Change, Reason};
pub use tree::{Entry, scan};
