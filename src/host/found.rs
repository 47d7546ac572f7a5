//! A module set as it was found: the value that everybody reads.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    capture::{Captured, Module},
    compiler::Compiler,
    fact::FoundFact,
    mpi::Library,
    variables,
};
use crate::base::Digest;

/// What a module set gives.
#[derive(Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The environment, without what belongs to the shell and to the module system.
    pub environment: BTreeMap<String, String>,
    /// What is loaded, in the order of loading.
    pub loaded: Vec<Module>,
    /// The facts, by name.
    pub facts: BTreeMap<String, FoundFact>,
    /// The compilers that a build would find, by command.
    pub compilers: BTreeMap<String, Compiler>,
    /// The libraries of the MPI that a build would link to, by the names that packages need them by.
    pub mpi: BTreeMap<String, Library>,
}

/// A file of the host.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// The digest of its bytes.
    pub content: Digest,
    /// The build id of an ELF file, in hexadecimal digits.
    pub build_id: Option<String>,
}

impl File {
    /// The file in words, for an input's value.
    pub(super) fn words(&self) -> String {
        match &self.build_id {
            Some(id) => format!("build id {id}, content {}", self.content),
            None => format!("content {}", self.content),
        }
    }
}

impl Found {
    pub(super) fn of(captured: &Captured) -> Self {
        let environment = variables::of_host(&captured.environment);
        Self { environment, loaded: captured.loaded.clone(), ..Self::default() }
    }

    /// The inputs that a host-bound build has of it, by name. Where a compiler or a file of a fact stands is none of
    /// them; what it holds is.
    pub fn inputs(&self) -> BTreeMap<String, String> {
        let mut inputs = BTreeMap::new();
        let names: Vec<&str> = self.loaded.iter().map(|it| it.name.as_str()).collect();
        inputs.insert("host/modules".to_owned(), names.join(" "));
        for (name, value) in &self.environment {
            inputs.insert(format!("host/environment/{name}"), value.clone());
        }
        for (name, fact) in &self.facts {
            if let Some(version) = &fact.version {
                inputs.insert(format!("host/fact/{name}"), version.clone());
            }
            for (written, file) in &fact.files {
                inputs.insert(format!("host/fact/{name}/{written}"), file.words());
            }
        }
        for (name, compiler) in &self.compilers {
            inputs.insert(format!("host/compiler/{name}"), format!("{}, {}", compiler.version, compiler.file.words()));
        }
        for (name, library) in &self.mpi {
            let words = format!("{} {}", library.version, library.file.words());
            inputs.insert(format!("host/mpi/{name}"), words.trim_start().to_owned());
        }
        inputs
    }

    /// What solvers are told of it: names and versions, sorted.
    pub fn virtual_packages(&self) -> Vec<(String, String)> {
        let told = |it: &FoundFact| Some((it.virtual_package.clone()?, it.version.clone()?));
        let mut packages: Vec<(String, String)> = self.facts.values().filter_map(told).collect();
        packages.sort();
        packages
    }
}
