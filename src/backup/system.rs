//! The system that a backup is made on, or restored to.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};

use crate::base::fs;

/// A machine and its operating system. The book's chapter "Backups" describes the fields.
#[derive(Serialize, Deserialize, Debug, Clone, Default, PartialEq, Eq)]
pub struct System {
    /// The hardware, as `uname -m` says it.
    pub architecture: String,
    /// The conda platform of the environment.
    pub platform: String,
    /// The operating system's name and release, such as `Debian GNU/Linux 12 (bookworm)`.
    pub os: String,
    /// The kernel, as `uname -sr` says it.
    pub kernel: String,
    /// The version of the GNU C library; none where there is another.
    pub glibc: Option<String>,
    /// What conda's solvers are told of the machine, such as `__cuda=12.3=0`.
    pub virtual_packages: Vec<String>,
    /// The compilers on the `PATH` by their commands, with the first line that each says of its version.
    pub compilers: BTreeMap<String, String>,
    /// The channels that the environment's packages are from.
    pub channels: Vec<String>,
}

impl System {
    /// Asks the operating system. The rest is told by the caller: `virtual_packages` as `NAME=VERSION=BUILD`.
    pub fn here(
        platform: &str,
        virtual_packages: Vec<String>,
        compilers: BTreeMap<String, String>,
        channels: Vec<String>,
    ) -> Self {
        let uname = rustix::system::uname();
        let text = |it: &std::ffi::CStr| it.to_string_lossy().into_owned();
        let glibc = virtual_packages.iter().find_map(|it| it.strip_prefix("__glibc="));
        Self {
            architecture: text(uname.machine()),
            platform: platform.to_owned(),
            os: os(&|path| fs::read_text(Path::new(path)).ok()).unwrap_or_else(|| text(uname.sysname())),
            kernel: format!("{} {}", text(uname.sysname()), text(uname.release())),
            glibc: glibc.map(|it| it.split('=').next().unwrap_or(it).to_owned()),
            virtual_packages,
            compilers,
            channels,
        }
    }
}

/// The name and release out of os-release(5).
fn os(read: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let text = ["/etc/os-release", "/usr/lib/os-release"].iter().find_map(|it| read(it))?;
    let value = |key: &str| {
        let line = text.lines().find_map(|it| it.strip_prefix(key)?.strip_prefix('='))?;
        Some(line.trim().trim_matches(['"', '\'']).to_owned())
    };
    value("PRETTY_NAME").or_else(|| Some(format!("{} {}", value("ID")?, value("VERSION_ID")?)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{System, os};

    #[test]
    fn the_release_has_a_name() {
        let text = "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n";
        let of = |text: &str| os(&|path| (path == "/usr/lib/os-release").then(|| text.to_owned()));
        assert_eq!(of(text).as_deref(), Some("Debian GNU/Linux 12 (bookworm)"));
        assert_eq!(of("ID=a\nVERSION_ID='1'\n").as_deref(), Some("a 1"));
        assert_eq!(os(&|_| None), None);
    }

    #[test]
    fn this_system_says_what_it_is() {
        let system = System::here("linux-64", vec!["__glibc=2.36=0".to_owned()], BTreeMap::new(), Vec::new());
        assert_eq!(system.glibc.as_deref(), Some("2.36"));
        assert!(!system.architecture.is_empty() && system.kernel.contains(' ') && !system.os.is_empty());
    }
}
