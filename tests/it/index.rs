//! Sources that name no host, brought from a real index: a server for a folder, and the one that this machine's pip asks.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::support::{Project, contents_below, skip};

/// A folder behind a server, laid out as PEP 503 says.
struct Index {
    folder: TempDir,
    server: Child,
    address: String,
}

impl Index {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Command::new("python3")
            .args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory"])
            .arg(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (_, rest) = line.split_once(" port ").unwrap();
        let address = format!("http://127.0.0.1:{}", rest.split_whitespace().next().unwrap());
        Self { folder, server, address }
    }

    /// The address for pip, with a password that nobody may see.
    fn url(&self) -> String {
        self.address.replace("http://", "http://somebody:hidden@") + "/simple"
    }

    /// Puts an archive with one text into the index; gives its sha256.
    fn add(&self, project: &str, text: &str) -> String {
        let inner = self.folder.path().join(format!("{project}-1.0"));
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join("words.txt"), text).unwrap();
        let name = format!("{project}-1.0.tar.gz");
        let archive = self.folder.path().join("files").join(&name);
        fs::create_dir_all(archive.parent().unwrap()).unwrap();
        let mut tar = Command::new("tar");
        tar.arg("-czf").arg(&archive).arg("-C").arg(self.folder.path()).arg(format!("{project}-1.0"));
        assert!(tar.status().unwrap().success());
        let sha256 = sha256(&archive);
        let page = self.folder.path().join("simple").join(project.replace('_', "-")).join("index.html");
        fs::create_dir_all(page.parent().unwrap()).unwrap();
        let link = format!("<a href=\"../../files/{name}#sha256={sha256}\" data-yanked=\"\">{name}</a>");
        fs::write(page, format!("<!DOCTYPE html><html><body>\n{link}<br/>\n</body></html>\n")).unwrap();
        sha256
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        self.server.kill().ok();
        self.server.wait().ok();
    }
}

fn sha256(file: &Path) -> String {
    let sum = Command::new("sha256sum").arg(file).output().unwrap();
    String::from_utf8(sum.stdout).unwrap().split_whitespace().next().unwrap().to_owned()
}

/// A project with one recipe, and without the machine's own configuration of pip.
fn project(sources: &str, script: &str) -> Project {
    let recipe = format!(
        "context:\n  version: \"1.0\"\npackage:\n  name: thing\n  version: ${{{{ version }}}}\nsource:\n{sources}\
         build:\n  noarch: generic\n  script:\n    - mkdir -p $PREFIX/share\n    - {script} > $PREFIX/share/thing.txt\n"
    );
    Project::new()
        .manifest("[project]\nname = \"p\"\nchannels = []\n\n[recipes.thing]\npath = \"recipes/thing\"\n")
        .recipe("thing", &recipe)
        .env("PIP_CONFIG_FILE", "/dev/null")
}

/// What the package's one file says.
fn built(project: &Project) -> String {
    let file = project.only("output/noarch", "thing-1.0-");
    let unpacked = project.beside("unpacked");
    let mut extract = Command::new("python3");
    extract.arg("-c").arg(
        "import io, sys, zipfile\n\
         archive = zipfile.ZipFile(sys.argv[1])\n\
         name = next(it for it in archive.namelist() if it.startswith('pkg-'))\n\
         open(sys.argv[2], 'wb').write(archive.read(name))\n",
    );
    assert!(extract.arg(&file).arg(&unpacked).status().unwrap().success(), "{}", file.display());
    let text = Command::new("tar").args(["--zstd", "-xOf"]).arg(&unpacked).arg("share/thing.txt").output().unwrap();
    String::from_utf8(text.stdout).unwrap()
}

#[test]
fn sources_of_every_shape_come_from_the_index_that_pip_is_told_of() {
    let index = Index::new();
    let (first, second) = (index.add("some_thing", "one\n"), index.add("other", "two\n"));
    let file = sha256(&index.folder.path().join("files/some_thing-1.0.tar.gz"));
    assert_eq!(file, first);
    let sources = format!(
        "  - url: mirror://pypi/Some_Thing/some_thing-${{{{ version }}}}.tar.gz\n    sha256: {first}\n    \
         patches: [words.patch]\n\
         \x20 - url:\n      - http://127.0.0.1:9/other-1.0.tar.gz\n      - mirror://pypi/other/other-1.0.tar.gz\n    \
         sha256: {second}\n    target_directory: other\n\
         \x20 - url: mirror://pypi/other/other-1.0.tar.gz\n    sha256: {second}\n    file_name: kept.bin\n    \
         target_directory: kept\n"
    );
    let patch = "--- a/words.txt\n+++ b/words.txt\n@@ -1 +1 @@\n-one\n+ONE\n";
    let script = "cat words.txt other/words.txt && ls kept";
    let mut project = project(&sources, &format!("({script})")).file("recipes/thing/words.patch", patch);

    // No index: what was tried is told, and with the network off as well.
    project.run(&["build", "--offline"]).failure(1).says("pip's own index was not asked: the network is off");

    project.set("PIP_INDEX_URL", index.url());
    let run = project.run(&["build"]).success();
    assert!(!run.stderr.contains("hidden"), "{}", run.stderr);
    assert_eq!(built(&project), "ONE\ntwo\nkept.bin\n");

    // Where the files came from is no input, and the store has them from now on.
    project.set("PIP_INDEX_URL", "http://127.0.0.1:9/simple");
    project.run(&["build"]).success().says("nothing to do");
    project.edit("recipes/thing/recipe.yaml", "ls kept", "ls kept && echo again");
    project.run(&["build", "--offline"]).success().says("1 built");
}

#[test]
fn an_index_of_a_configuration_file_is_asked_and_its_password_stays_hidden() {
    let index = Index::new();
    let sha256 = index.add("other", "two\n");
    let other = "0".repeat(64);
    let source = |sha256| format!("  url: mirror://pypi/other/other-1.0.tar.gz\n  sha256: {sha256}\n");
    let mut project = project(&source(&other), "cat words.txt");
    let file = project.beside("home/.config/pip/pip.conf");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, format!("[global]\nextra-index-url =\n    {0}/none\n    {0}\n", index.url())).unwrap();
    project.set("PIP_CONFIG_FILE", "");
    project.set("PIP_INDEX_URL", format!("{}/gone", index.url()));
    let run = project.run(&["build"]).failure(1).says(&format!("expected sha256 {other}"));
    let run = run.says("/simple/gone/other/` answered 404").says("http://****@127.0.0.1").says(&sha256);
    assert!(!run.stderr.contains("hidden") && !run.stderr.contains("somebody"), "{}", run.stderr);
    for (file, bytes) in contents_below(&project.path(".envbuild")) {
        assert!(!String::from_utf8_lossy(&bytes).contains("hidden"), "{} has the password", file.display());
    }
    project.edit("recipes/thing/recipe.yaml", &other, &sha256);
    project.run(&["build"]).success();
    assert_eq!(built(&project), "two\n");
}

/// pip's own view of the machine: the file that it downloads is the one that a recipe gets.
#[test]
fn without_any_setting_the_file_is_the_one_that_pip_downloads() {
    let folder = tempfile::tempdir().unwrap();
    let pip = Command::new("python3")
        .args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "-d"])
        .arg(folder.path())
        .arg("six==1.17.0")
        .output();
    if !pip.is_ok_and(|it| it.status.success()) {
        return skip("pip that can download a file");
    }
    let name = "six-1.17.0-py2.py3-none-any.whl";
    let sha256 = sha256(&folder.path().join(name));
    let source = format!("  url: mirror://pypi/six/{name}\n  sha256: {sha256}\n");
    let project = project(&source, &format!("echo {name} && test -f {name}; ls")).with_settings_of_pip();
    project.run(&["build"]).success();
    assert!(built(&project).contains(name));
}
