//! The channel with real archives in a temporary folder.

use std::{
    fs::{read, read_to_string, write},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use rattler_conda_types::{Channel, MatchSpec, ParseStrictness, Subdir};
use rattler_repodata_gateway::Gateway;
use tempfile::TempDir;

use super::{ChannelError, Damage, LocalChannel, Published};
use crate::{base::Digest, conda::support::Tiny, rt::Rt};

fn channel() -> (TempDir, LocalChannel) {
    let folder = tempfile::tempdir().unwrap();
    let channel = LocalChannel::at(&folder.path().join("with space+plus/output"));
    channel.create(Subdir::Linux64).unwrap();
    (folder, channel)
}

fn publish(channel: &LocalChannel, tiny: &Tiny<'_>, replaces: Option<&Published>) -> Published {
    let folder = tempfile::tempdir().unwrap();
    let sealed = tiny.seal(folder.path());
    channel.publish(&sealed.path, sealed.content, replaces).unwrap()
}

fn listed(channel: &LocalChannel, subdir: &str) -> Vec<String> {
    let text = read_to_string(channel.root().join(subdir).join("repodata.json")).unwrap();
    let index: serde_json::Value = serde_json::from_str(&text).unwrap();
    index["packages.conda"].as_object().unwrap().keys().cloned().collect()
}

/// The gateway's answer for a name: file name, url, channel and sha256 of each record.
fn ask(channel: &LocalChannel, name: &str) -> Vec<rattler_conda_types::RepoDataRecord> {
    let rt = Rt::new().unwrap();
    let cache = tempfile::tempdir().unwrap();
    let gateway = Gateway::builder().with_cache_dir(cache.path()).finish();
    let source = Channel::try_from_directory(channel.root()).unwrap();
    let spec = MatchSpec::from_str(name, ParseStrictness::Lenient).unwrap();
    let query = gateway.query([source], [Subdir::Linux64, Subdir::NoArch], [spec]).recursive(true);
    let answer = rt.block_on(async { query.await }).unwrap();
    answer.repodata.iter().flat_map(|repodata| repodata.iter().cloned()).collect()
}

#[test]
fn a_published_package_is_what_a_client_finds() {
    let (_folder, channel) = channel();
    let data = publish(&channel, &Tiny { name: "data", subdir: "noarch", ..Tiny::default() }, None);
    let exports = [("run_exports.json", r#"{"weak":["tiny >=1.0"]}"#)];
    let tiny = publish(&channel, &Tiny { depends: &["data >=1"], info: &exports, ..Tiny::default() }, None);
    let mode = std::fs::metadata(channel.path_of(&tiny)).unwrap().permissions().mode();
    assert_eq!(mode & 0o444, 0o444, "others can read it");
    let mut found = ask(&channel, "tiny");
    found.sort_by(|a, b| b.package_record.name.cmp(&a.package_record.name));
    let mut expected = channel.records(&[tiny.clone(), data]).unwrap();
    assert_eq!(found.len(), 2);
    for (found, expected) in found.iter_mut().zip(&mut expected) {
        assert_eq!(
            found.channel.as_ref().map(|c| c.trim_end_matches('/')),
            expected.channel.as_ref().map(|c| c.trim_end_matches('/'))
        );
        (found.channel, expected.channel) = (None, None);
        assert_eq!(found, expected);
    }
    assert!(found[0].package_record.run_exports.is_some());
    assert_eq!(found[0].package_record.indexed_timestamp, None);
    assert_eq!(hex::encode(found[0].package_record.sha256.unwrap()), tiny.sha256);
}

#[test]
fn an_empty_channel_can_be_asked() {
    let (_folder, channel) = channel();
    assert!(ask(&channel, "tiny").is_empty());
    let before = read(channel.root().join("noarch/repodata.json")).unwrap();
    channel.create(Subdir::Linux64).unwrap();
    assert_eq!(read(channel.root().join("noarch/repodata.json")).unwrap(), before);
}

#[test]
fn a_relative_root_is_refused() {
    let error = LocalChannel::at(Path::new("output")).create(Subdir::Linux64).unwrap_err();
    assert!(matches!(error, ChannelError::Root(_)));
}

#[test]
fn the_index_is_the_same_text_in_any_order() {
    let text = |order: &[&'static str]| {
        let (_folder, channel) = channel();
        for name in order {
            publish(&channel, &Tiny { name, ..Tiny::default() }, None);
        }
        read_to_string(channel.root().join("linux-64/repodata.json")).unwrap()
    };
    assert_eq!(text(&["a", "b", "c"]), text(&["c", "a", "b"]));
}

#[test]
fn a_replaced_package_leaves_the_index_and_can_come_back() {
    let (_folder, channel) = channel();
    let old = publish(&channel, &Tiny::default(), None);
    let new = publish(&channel, &Tiny { build: "site_hfff0000_0_0000000000", ..Tiny::default() }, Some(&old));
    assert_eq!(listed(&channel, "linux-64"), std::slice::from_ref(&new.file_name));
    assert!(channel.has(&old), "the file stays for lock files that name it");
    channel.reinstate(&old, Some(&new)).unwrap();
    assert_eq!(listed(&channel, "linux-64"), std::slice::from_ref(&old.file_name));

    // From a platform to noarch: two indices change.
    let noarch = publish(&channel, &Tiny { subdir: "noarch", ..Tiny::default() }, Some(&old));
    assert_eq!(listed(&channel, "linux-64"), Vec::<String>::new());
    assert_eq!(listed(&channel, "noarch"), [noarch.file_name]);
}

#[test]
fn reinstating_what_is_there_writes_nothing() {
    let (_folder, channel) = channel();
    let tiny = publish(&channel, &Tiny::default(), None);
    let index = channel.root().join("linux-64/repodata.json");
    let before = std::fs::metadata(&index).unwrap().modified().unwrap();
    channel.reinstate(&tiny, None).unwrap();
    channel.ensure(std::slice::from_ref(&tiny)).unwrap();
    assert_eq!(std::fs::metadata(&index).unwrap().modified().unwrap(), before);
    std::fs::remove_file(channel.path_of(&tiny)).unwrap();
    std::fs::remove_file(&index).unwrap();
    assert!(matches!(channel.reinstate(&tiny, None), Err(ChannelError::Gone(_))));
}

#[test]
fn a_deleted_or_damaged_index_comes_back() {
    let (_folder, channel) = channel();
    let a = publish(&channel, &Tiny { name: "a", ..Tiny::default() }, None);
    let b = publish(&channel, &Tiny { name: "b", ..Tiny::default() }, None);
    let index = channel.root().join("linux-64/repodata.json");
    let before = read(&index).unwrap();
    for damage in [None, Some("{"), Some(""), Some("null")] {
        match damage {
            None => std::fs::remove_file(&index).unwrap(),
            Some(text) => write(&index, text).unwrap(),
        }
        assert_eq!(channel.records(&[a.clone(), b.clone()]).unwrap().len(), 2);
        channel.reinstate(&a, None).unwrap();
        assert_eq!(listed(&channel, "linux-64").len(), 1);
        channel.ensure(&[b.clone(), a.clone()]).unwrap();
        assert_eq!(read(&index).unwrap(), before);
    }
}

#[test]
fn other_content_has_another_name() {
    let (_folder, channel) = channel();
    let old = publish(&channel, &Tiny::default(), None);
    let new = publish(&channel, &Tiny { content: "other", ..Tiny::default() }, Some(&old));
    assert_ne!(old.file_name, new.file_name);
    assert_eq!(listed(&channel, "linux-64"), std::slice::from_ref(&new.file_name));
    assert_eq!((channel.verify(&new).unwrap(), channel.verify(&old).unwrap()), (None, None));
    let record = &ask(&channel, "tiny")[0];
    assert_eq!(hex::encode(record.package_record.sha256.unwrap()), new.sha256);
}

#[test]
fn bytes_under_a_name_never_change() {
    let (folder, channel) = channel();
    let (one, other) = crate::conda::support::clash(folder.path());
    assert_eq!(one.path.file_name(), other.path.file_name());
    let first = channel.publish(&one.path, one.content, None).unwrap();
    let before = read(channel.path_of(&first)).unwrap();
    let refused = |replaces| channel.publish(&other.path, other.content, replaces).unwrap_err();
    for error in [refused(None), refused(Some(&first))] {
        assert!(
            matches!(error, ChannelError::Clash { there, new, .. } if (there, new) == (one.content, other.content))
        );
    }
    assert!(read(channel.path_of(&first)).unwrap() == before);
    assert_eq!(listed(&channel, "linux-64"), std::slice::from_ref(&first.file_name));

    // What was damaged is no package of that name, and may be replaced.
    write(channel.path_of(&first), &before[..before.len() - 1]).unwrap();
    let second = channel.publish(&other.path, other.content, None).unwrap();
    assert_eq!(channel.verify(&second).unwrap(), None);
    let record = &ask(&channel, "tiny")[0];
    assert_eq!(hex::encode(record.package_record.sha256.unwrap()), second.sha256);
    assert!(channel.records(&[first]).is_err(), "a record may not claim bytes that are gone");
}

#[test]
fn damage_is_seen_and_repaired_by_publishing_again() {
    let (_folder, channel) = channel();
    let tiny = publish(&channel, &Tiny::default(), None);
    assert_eq!(channel.verify(&tiny).unwrap(), None);
    let path = channel.path_of(&tiny);
    let mut bytes = read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    write(&path, &bytes).unwrap();
    assert!(channel.has(&tiny), "the cheap look sees the size only");
    assert_eq!(channel.verify(&tiny).unwrap(), Some(Damage::Altered));
    write(&path, b"short").unwrap();
    assert!(!channel.has(&tiny));
    assert_eq!(channel.verify(&tiny).unwrap(), Some(Damage::Altered));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(channel.verify(&tiny).unwrap(), Some(Damage::Missing));
    assert_eq!(publish(&channel, &Tiny::default(), None), tiny);
    assert_eq!(channel.verify(&tiny).unwrap(), None);
}

#[test]
fn what_is_no_package_is_refused() {
    let (folder, channel) = channel();
    let named = folder.path().join("tiny-1.0-0.conda");
    write(&named, "not a zip").unwrap();
    let digest = Digest::of("");
    assert!(matches!(channel.publish(&named, digest, None), Err(ChannelError::Archive { .. })));
    let whole = read(Tiny::default().write(folder.path())).unwrap();
    for length in [0, 30, whole.len() / 2, whole.len() - 1] {
        write(&named, &whole[..length]).unwrap();
        assert!(channel.publish(&named, digest, None).is_err(), "cut at {length}");
    }
    let unnamed = folder.path().join("tiny.conda");
    write(&unnamed, &whole).unwrap();
    assert!(matches!(channel.publish(&unnamed, digest, None), Err(ChannelError::Archive { .. })));
    assert!(matches!(channel.publish(&folder.path().join("x-1-0.conda"), digest, None), Err(ChannelError::Gone(_))));
    let strange = Tiny { subdir: "no-such-place", ..Tiny::default() }.write(folder.path());
    assert!(matches!(channel.publish(&strange, digest, None), Err(ChannelError::Archive { .. })));
    assert_eq!(listed(&channel, "linux-64"), Vec::<String>::new());
}

#[test]
fn a_view_holds_only_what_it_was_given() {
    let (folder, channel) = channel();
    let a = publish(&channel, &Tiny { name: "a", ..Tiny::default() }, None);
    let b = publish(&channel, &Tiny { name: "b", subdir: "noarch", ..Tiny::default() }, None);
    let place = folder.path().join("view");
    let view = channel.view(&[a.clone(), b], &place, Subdir::Linux64).unwrap();
    assert_eq!((ask(&view, "a").len(), ask(&view, "b").len()), (1, 1));
    let view = channel.view(std::slice::from_ref(&a), &place, Subdir::Linux64).unwrap();
    assert_eq!((ask(&view, "a").len(), ask(&view, "b").len()), (1, 0));
    assert_eq!(view.verify(&a).unwrap(), None);
    let record = &view.records(std::slice::from_ref(&a)).unwrap()[0];
    assert!(record.url.to_file_path().unwrap().starts_with(&place));
    std::fs::remove_dir_all(&place).unwrap();
    assert_eq!(channel.verify(&a).unwrap(), None, "the archives stay when a view goes");
}

#[test]
fn many_writers_lose_nothing() {
    let (_folder, channel) = channel();
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    std::thread::scope(|scope| {
        for name in names {
            let channel = &channel;
            scope.spawn(move || publish(channel, &Tiny { name, ..Tiny::default() }, None));
        }
    });
    assert_eq!(listed(&channel, "linux-64").len(), names.len());
}
