//! Where two systems differ, in sentences.

use std::fmt;

use rattler_conda_types::Version;
use serde::Serialize;

use super::system::System;

/// What two systems may differ in.
#[derive(Serialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Unlike {
    /// The hardware.
    Architecture,
    /// The operating system or its release.
    Os,
    /// The kernel.
    Kernel,
    /// The GNU C library.
    Glibc,
    /// What else solvers are told of the machine.
    VirtualPackage,
    /// A compiler.
    Compiler,
    /// A channel that cannot be reached.
    Channel,
}

/// One thing that is not as it was.
#[derive(Serialize, Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What it is about.
    pub what: Unlike,
    /// The name of the compiler, the virtual package or the channel; none for what there is one of.
    pub name: Option<String>,
    /// What the backup's system had; none when it had nothing of the kind.
    pub then: Option<String>,
    /// What this system has; none when it has nothing of the kind.
    pub now: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.as_deref().unwrap_or_default();
        let subject = match self.what {
            Unlike::Architecture => "the architecture".to_owned(),
            Unlike::Os => "the operating system".to_owned(),
            Unlike::Kernel => "the kernel".to_owned(),
            Unlike::Glibc => "the GNU C library".to_owned(),
            Unlike::VirtualPackage => format!("`{name}`"),
            Unlike::Compiler => format!("the compiler `{name}`"),
            Unlike::Channel => {
                return write!(
                    f,
                    "the channel `{name}` cannot be reached: {}",
                    self.now.as_deref().unwrap_or("no reason")
                );
            }
        };
        match (&self.then, &self.now) {
            (Some(then), Some(now)) => write!(f, "{subject} was {then}, and is {now} here"),
            (Some(then), None) => write!(f, "{subject} was {then}, and there is none here"),
            (None, Some(now)) => write!(f, "{subject} is {now} here, and there was none"),
            (None, None) => write!(f, "{subject} is the same"),
        }
    }
}

/// Everything in which `now` is not as `then`. Of virtual packages and compilers, what is only here is no difference: it
/// hinders nobody. `unreachable` are channels with the reasons.
pub fn differences(then: &System, now: &System, unreachable: &[(String, String)]) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut hold = |what, name: Option<&str>, then: Option<&str>, now: Option<&str>| {
        if then != now {
            let [name, then, now] = [name, then, now].map(|it| it.map(str::to_owned));
            found.push(Difference { what, name, then, now });
        }
    };
    hold(Unlike::Architecture, None, Some(&then.architecture), Some(&now.architecture));
    hold(Unlike::Os, None, Some(&then.os), Some(&now.os));
    hold(Unlike::Kernel, None, Some(&then.kernel), Some(&now.kernel));
    hold(Unlike::Glibc, None, then.glibc.as_deref(), now.glibc.as_deref());
    for package in &then.virtual_packages {
        let (name, version) = package.split_once('=').unwrap_or((package, ""));
        // These stand above, with more to them.
        if ["__glibc", "__linux", "__unix"].contains(&name) {
            continue;
        }
        let here = now.virtual_packages.iter().find_map(|it| it.strip_prefix(name)?.strip_prefix('='));
        hold(Unlike::VirtualPackage, Some(name), Some(version), here);
    }
    for (name, version) in &then.compilers {
        hold(Unlike::Compiler, Some(name), Some(version), now.compilers.get(name).map(String::as_str));
    }
    found.extend(unreachable.iter().map(|(channel, reason)| Difference {
        what: Unlike::Channel,
        name: Some(channel.clone()),
        then: None,
        now: Some(reason.clone()),
    }));
    found
}

impl System {
    /// Whether programs that were built for `then` and say nothing of what they need can be expected to run here: the same
    /// hardware, and a C library that is no older.
    pub fn can_stand_for(&self, then: &Self) -> bool {
        let version = |it: &Option<String>| it.as_deref().and_then(|it| it.parse::<Version>().ok());
        let newer = match (version(&then.glibc), version(&self.glibc)) {
            (Some(then), Some(now)) => now >= then,
            (None, now) => now.is_none(),
            (Some(_), None) => false,
        };
        self.architecture == then.architecture && newer
    }
}
