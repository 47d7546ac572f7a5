//! Generated projects: the same names and the same edges every time.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// Layers of a generated project.
pub(crate) const LAYERS: usize = 10;

/// How many packages of the layer before each package needs.
pub(crate) const NEEDS: usize = 2;

/// A graph of numbered packages in layers of equal width.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) nodes: usize,
    pub(crate) layers: usize,
    pub(crate) needs: usize,
}

impl Shape {
    /// The usual shape for so many packages.
    pub(crate) fn of(nodes: usize) -> Self {
        Self { nodes, layers: LAYERS.min(nodes), needs: NEEDS }
    }

    fn width(&self) -> usize {
        self.nodes.div_ceil(self.layers)
    }

    /// The packages that a package needs itself.
    pub(crate) fn needs_of(&self, node: usize) -> Vec<usize> {
        let width = self.width();
        let Some(before) = (node / width).checked_sub(1) else { return Vec::new() };
        (0..self.needs.min(width)).map(|step| before * width + (node % width + step) % width).collect()
    }

    /// Edges that recipes write.
    pub(crate) fn edges(&self) -> usize {
        (0..self.nodes).map(|node| self.needs_of(node).len()).sum()
    }
}

/// A package's name; names sort as numbers do.
pub(crate) fn name(node: usize) -> String {
    format!("pkg-{node:05}")
}

/// A project on disk.
#[derive(Debug, Clone)]
pub(crate) struct Project {
    pub(crate) root: PathBuf,
}

impl Project {
    /// Writes a project of noarch packages, two files for each recipe: the recipe and its script. What is there already
    /// with the same text is not touched.
    pub(crate) fn layered(root: &Path, shape: Shape, script: impl Fn(usize) -> String) -> Self {
        let mut manifest = "[project]\nname = \"bench\"\nchannels = []\n".to_owned();
        for node in 0..shape.nodes {
            let name = name(node);
            writeln!(manifest, "\n[recipes.{name}]\npath = \"recipes/{name}\"").unwrap();
            let needs: Vec<String> = shape.needs_of(node).into_iter().map(self::name).collect();
            let folder = root.join("recipes").join(&name);
            write(&folder.join("recipe.yaml"), &recipe(&name, &needs));
            write(&folder.join("build.sh"), &script(node));
        }
        write(&root.join("project.toml"), &manifest);
        Self { root: root.to_owned() }
    }

    /// Writes a project of one recipe with one axis of so many values.
    pub(crate) fn variants(root: &Path, count: usize) -> Self {
        // Two axes that advance together, so that the number need not be a product.
        let values = |prefix: &str| {
            let all: Vec<String> = (0..count).map(|it| format!("\"{prefix}{it}\"")).collect();
            all.join(", ")
        };
        let manifest = format!(
            "[project]\nname = \"variants\"\nchannels = []\n\n[matrix]\nfirst = [{}]\nsecond = [{}]\n\
             zip = [[\"first\", \"second\"]]\n\n[recipes.many]\npath = \"recipes/many\"\n",
            values("1."),
            values("2."),
        );
        write(&root.join("project.toml"), &manifest);
        let text = "package:\n  name: many\n  version: ${{ first }}\nbuild:\n  noarch: generic\n  script: build.sh\n\
                    about:\n  summary: built with ${{ second }}\n";
        write(&root.join("recipes/many/recipe.yaml"), text);
        write(&root.join("recipes/many/build.sh"), &trivial("many"));
        Self { root: root.to_owned() }
    }
}

fn recipe(name: &str, needs: &[String]) -> String {
    let mut text = format!(
        "package:\n  name: {name}\n  version: 1.0.0\n\nbuild:\n  noarch: generic\n  script: build.sh\n\nabout:\n  \
         license: BSD-3-Clause\n  summary: A generated package\n"
    );
    if !needs.is_empty() {
        text.push_str("\nrequirements:\n");
        for list in ["host", "run"] {
            writeln!(text, "  {list}:").unwrap();
            for need in needs {
                writeln!(text, "    - {need} >=1.0").unwrap();
            }
        }
    }
    text
}

/// A script that installs one file.
pub(crate) fn trivial(name: &str) -> String {
    format!("mkdir -p \"$PREFIX/share\"\necho {name} >\"$PREFIX/share/{name}\"\n")
}

/// Writes a file unless it holds this text already: a new time stamp would be a change to some.
pub(crate) fn write(path: &Path, text: &str) {
    if fs::read_to_string(path).is_ok_and(|it| it == text) {
        return;
    }
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}
