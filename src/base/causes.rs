//! An error of a library, told whole.

use std::{
    error::Error,
    io::{self, ErrorKind},
};

/// An error's sentence and those of its causes, as one line. A cause that is repeated by what stands before it is left
/// out.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let sentence = error.to_string();
        if !text.contains(&sentence) {
            text.push_str(": ");
            text.push_str(&sentence);
        }
        cause = error.source();
    }
    text.truncate(text.trim_end().len());
    text
}

/// The error of the operating system that says that a disk or a quota is full, when that is an error's cause.
pub fn out_of_room(error: &(dyn Error + 'static)) -> Option<io::Error> {
    let (mut found, mut cause) = (None, Some(error));
    while let Some(error) = cause {
        let of_system = error.downcast_ref::<io::Error>();
        if let Some(error) = of_system.filter(|it| is_full(it.kind())) {
            found = Some(error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error));
        }
        // Such an error passes over what it wraps.
        cause = match of_system.and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    found
}

/// Whether it says that there is no more room.
pub(super) fn is_full(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::{out_of_room, with_causes};

    #[derive(Debug, thiserror::Error)]
    #[error("{says}")]
    struct Told {
        says: &'static str,
        #[source]
        because: Option<Box<Self>>,
    }

    #[test]
    fn a_full_disk_is_found_below_what_libraries_make_of_it() {
        let full = io::Error::from(rustix::io::Errno::NOSPC);
        let number = full.raw_os_error();
        let wrapped = io::Error::other(io::Error::new(full.kind(), full));
        assert_eq!(out_of_room(&wrapped).unwrap().raw_os_error(), number);
        let quota = io::Error::from(rustix::io::Errno::DQUOT);
        assert_eq!(out_of_room(&quota).unwrap().raw_os_error(), quota.raw_os_error());
        assert!(out_of_room(&io::Error::from(rustix::io::Errno::IO)).is_none());
    }

    #[test]
    fn each_cause_is_told_once() {
        let root = Told { says: "no such file", because: None };
        let middle = Told { says: "cannot read x: no such file", because: Some(Box::new(root)) };
        let outer = Told { says: "cannot start", because: Some(Box::new(middle)) };
        assert_eq!(with_causes(&outer), "cannot start: cannot read x: no such file");
    }
}
