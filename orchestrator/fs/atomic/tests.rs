//! Tests of atomic writing: what is kept, what a full disk and a death leave.
#![expect(clippy::disallowed_methods, reason = "looks at the disk behind the module's back")]

use super::*;
use crate::fs::fault::{Crash, count, crash_at, fail_at, fail_when};
use crate::fs::{list, read};

fn names(dir: &Path) -> Vec<String> {
    let name = |entry: crate::fs::Entry| entry.name.into_string().unwrap();
    list(dir).unwrap().into_iter().map(name).collect()
}

fn ops(points: &[fault::Point]) -> Vec<Op> {
    points.iter().map(|(op, _)| *op).collect()
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    crate::fs::stamp(path).unwrap().unwrap().mode
}

#[test]
fn replaces_and_creates() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    for text in ["one", "", "three"] {
        replace(&path, text.as_bytes()).unwrap();
        assert_eq!(read(&path).unwrap(), text.as_bytes());
        assert_eq!(names(dir.path()), ["file"]);
    }
    assert!(replace(&dir.path().join("none/file"), b"").unwrap_err().is_not_found());
    let folder = dir.path().join("folder");
    fs::create_dir(&folder).unwrap();
    replace(&folder, b"").unwrap_err();
    assert_eq!(names(dir.path()), ["file", "folder"]);
}

#[test]
fn a_long_name_has_room_for_its_temporary_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("n".repeat(255));
    replace(&path, b"text").unwrap();
    assert_eq!(read(&path).unwrap(), b"text");
}

#[test]
fn syncs_before_and_after_the_rename() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let (_, points) = count(|| replace(&path, b"one"));
    let steps = [Op::Create, Op::Write, Op::SyncFile, Op::Rename, Op::SyncDir];
    assert_eq!(ops(&points), steps);
    let (_, points) = count(|| replace(&path, b"two"));
    let steps = [Op::Create, Op::SetAttributes, Op::Write, Op::SyncFile, Op::Rename, Op::SyncDir];
    assert_eq!(ops(&points), steps);
}

#[cfg(unix)]
#[test]
fn keeps_mode_and_links() {
    let dir = tempfile::tempdir().unwrap();
    let (path, link) = (dir.path().join("file"), dir.path().join("link"));
    fs::write(&path, "old").unwrap();
    std::os::unix::fs::symlink("file", &link).unwrap();
    for kept in [0o664, 0o600, 0o444, 0o755] {
        set_mode(&path, kept);
        replace(&link, b"new").unwrap();
        assert_eq!(mode(&path), kept);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(read(&path).unwrap(), b"new");
    }
}

#[cfg(unix)]
#[test]
fn a_new_file_is_as_open_as_any() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, plain) = (dir.path().join("ours"), dir.path().join("plain"));
    fs::write(&plain, "").unwrap();
    replace(&ours, b"").unwrap();
    assert_eq!(mode(&ours), mode(&plain));
    create_new(&dir.path().join("new"), b"").unwrap();
    assert_eq!(mode(&dir.path().join("new")), mode(&plain));
}

#[cfg(unix)]
#[test]
fn what_is_private_is_never_open_to_others() {
    for before in [None, Some(0o644), Some(0o600)] {
        let mut n = 0;
        loop {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("file");
            if let Some(before) = before {
                fs::write(&path, "").unwrap();
                set_mode(&path, before);
            }
            let (result, died) = crash_at(n, Crash::After, || replace_private(&path, b"secret"));
            for name in names(dir.path()) {
                let path = dir.path().join(name);
                let is_new = read(&path).unwrap() != b"";
                assert!(!is_new || mode(&path) == 0o600, "{path:?}, {died:?}");
            }
            if died.is_none() {
                result.unwrap();
                assert_eq!(read(&path).unwrap(), b"secret");
                break;
            }
            n += 1;
        }
        assert!(n > 3);
    }
}

#[cfg(unix)]
#[test]
fn keeps_the_owner_where_it_may() {
    use std::os::unix::fs::chown;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "").unwrap();
    let owner = match chown(&path, Some(4321), Some(4322)) {
        Ok(()) => (4321, 4322),
        // Only root may give files away; then ours stays ours.
        Err(_) => owner_of(&fs::metadata(&path).unwrap()),
    };
    set_mode(&path, 0o640);
    replace(&path, b"new").unwrap();
    assert_eq!(owner_of(&fs::metadata(&path).unwrap()), owner);
    assert_eq!(mode(&path), 0o640);
}

#[test]
fn a_full_disk_leaves_the_old_file_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "old").unwrap();
    let (_, points) = count(|| replace(&path, b"old"));
    for (n, point) in points.iter().enumerate() {
        let full = io::ErrorKind::StorageFull;
        let (result, failed) = fail_at(n, full.into(), || replace(&path, b"new"));
        assert_eq!(failed.unwrap().0, point.0);
        assert!(result.unwrap_err().is_full());
        let left: &[u8] = if point.0 == Op::SyncDir { b"new" } else { b"old" };
        assert_eq!(read(&path).unwrap(), left, "{point:?}");
        assert_eq!(names(dir.path()), ["file"], "{point:?}");
        fs::write(&path, "old").unwrap();
    }
}

#[test]
fn a_death_at_any_point_leaves_the_old_file_or_the_new_one() {
    for crash in [Crash::Before, Crash::Torn, Crash::After] {
        let mut n = 0;
        loop {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("file");
            fs::write(&path, "the old text").unwrap();
            let (result, died) = crash_at(n, crash, || replace(&path, b"the new text"));
            let Some((op, _)) = died else {
                result.unwrap();
                break;
            };
            let text = read(&path).unwrap();
            let renamed = op == Op::SyncDir || (op == Op::Rename && crash != Crash::Before);
            let wanted: &[u8] = if renamed { b"the new text" } else { b"the old text" };
            assert_eq!(text, wanted, "{crash:?} at {op:?}");
            let left = names(dir.path());
            assert!(left.iter().all(|name| name == "file" || name.starts_with(TEMP_PREFIX)));
            replace(&path, b"later").unwrap();
            n += 1;
        }
        assert_eq!(n, 6);
    }
}

#[test]
fn a_death_never_leaves_half_a_new_file() {
    for crash in [Crash::Before, Crash::Torn, Crash::After] {
        let mut n = 0;
        loop {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("file");
            let (result, died) = crash_at(n, crash, || create_new(&path, b"whole"));
            let text = crate::fs::read_if_exists(&path).unwrap();
            assert!(text.is_none_or(|text| text == b"whole"), "{crash:?} at {died:?}");
            if died.is_none() {
                result.unwrap();
                break;
            }
            n += 1;
        }
        assert_eq!(n, 5);
    }
}

#[test]
fn creates_only_what_is_new() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    create_new(&path, b"first").unwrap();
    assert!(create_new(&path, b"second").unwrap_err().is_already_exists());
    assert_eq!(read(&path).unwrap(), b"first");
    #[cfg(unix)]
    {
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("none", &link).unwrap();
        assert!(create_new(&link, b"").unwrap_err().is_already_exists());
        remove(&link).unwrap();
    }
    assert_eq!(names(dir.path()), ["file"]);
}

/// Where nothing but a look can be had, where links can, where the call can.
#[test]
fn rename_noreplace_never_replaces() {
    let lacking: [&'static [Op]; 3] = [&[], &[Op::Rename], &[Op::Link]];
    for lacks in lacking {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::write(&from, "new").unwrap();
        fs::write(&to, "old").unwrap();
        let attempt = |from: PathBuf, to: PathBuf| {
            let unsupported = io::ErrorKind::Unsupported;
            let fails = move |op: Op, _: &Path| lacks.contains(&op);
            fail_when(unsupported, fails, || rename_noreplace(&from, &to)).0
        };
        assert!(attempt(from.clone(), to.clone()).unwrap_err().is_already_exists());
        assert_eq!(read(&to).unwrap(), b"old");
        fs::remove_file(&to).unwrap();
        attempt(from, to.clone()).unwrap();
        assert_eq!(read(&to).unwrap(), b"new");
        assert_eq!(names(dir.path()), ["to"]);
    }
}

#[test]
fn without_links_a_look_guards_the_rename() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    fs::write(&from, "new").unwrap();
    fs::write(&to, "old").unwrap();
    let attempt = |from: PathBuf, to: PathBuf| {
        let fails = |op: Op, _: &Path| op == Op::Link;
        fail_when(io::ErrorKind::PermissionDenied, fails, || link_and_remove(&from, &to)).0
    };
    let error = attempt(from.clone(), to.clone()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    fs::remove_file(&to).unwrap();
    attempt(from, to.clone()).unwrap();
    assert_eq!(names(dir.path()), ["to"]);
}

#[cfg(target_os = "linux")]
#[test]
fn exchanges_or_says_that_it_cannot() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    fs::write(&a, "a").unwrap();
    assert!(exchange(&a, &b).unwrap_err().is_not_found());
    fs::write(&b, "b").unwrap();
    assert_eq!(exchange(&a, &b).unwrap(), Exchange::Done);
    assert_eq!((read(&a).unwrap(), read(&b).unwrap()), (b"b".to_vec(), b"a".to_vec()));
    use rustix::io::Errno;
    for errno in [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP] {
        let (answer, _) = fail_at(0, errno.into(), || exchange(&a, &b));
        assert_eq!(answer.unwrap(), Exchange::Unsupported);
    }
    let (answer, _) = fail_at(0, Errno::IO.into(), || exchange(&a, &b));
    answer.unwrap_err();
    assert_eq!(read(&a).unwrap(), b"b");
}

#[test]
fn staged_files_go_unless_kept() {
    let dir = tempfile::tempdir().unwrap();
    drop(stage(dir.path(), "draft-", b"text", None).unwrap());
    assert_eq!(names(dir.path()), Vec::<String>::new());
    let a = stage(dir.path(), "draft-", b"text", None).unwrap().keep();
    let b = stage(dir.path(), "draft-", b"text", None).unwrap().keep();
    assert_ne!(a, b);
    assert_eq!(names(dir.path()).len(), 2);
    assert!(names(dir.path()).iter().all(|name| name.starts_with("draft-")));
    let none = stage(&dir.path().join("none"), "draft-", b"", None);
    assert!(none.unwrap_err().is_not_found());
}

#[test]
fn a_death_keeps_what_was_staged() {
    let dir = tempfile::tempdir().unwrap();
    crash_at(2, Crash::After, || drop(stage(dir.path(), "draft-", b"text", None).unwrap()));
    assert_eq!(names(dir.path()).len(), 1);
}

#[test]
fn appends_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let (_, points) = count(|| append(&path, b"one\n", Durability::Synced).unwrap());
    assert_eq!(ops(&points), [Op::Create, Op::Append, Op::SyncFile, Op::SyncDir]);
    let (_, points) = count(|| append(&path, b"two\n", Durability::Synced).unwrap());
    assert_eq!(ops(&points), [Op::Append, Op::SyncFile]);
    let (_, points) = count(|| append(&path, b"six\n", Durability::Buffered).unwrap());
    assert_eq!(ops(&points), [Op::Append]);
    assert_eq!(read(&path).unwrap(), b"one\ntwo\nsix\n");
    append(dir.path(), b"", Durability::Buffered).unwrap_err();
}

#[test]
fn removes_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    assert!(!remove_if_exists(&path).unwrap());
    assert!(remove(&path).unwrap_err().is_not_found());
    fs::write(&path, "").unwrap();
    assert!(remove_if_exists(&path).unwrap());
    let (result, _) =
        fail_at(0, io::ErrorKind::ReadOnlyFilesystem.into(), || remove_if_exists(&path));
    assert!(result.unwrap_err().is_denied());
}

#[test]
fn creates_folders_durably() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("a/b");
    let (result, points) = count(|| create_dir_all(&deep));
    result.unwrap();
    let made = [
        (Op::CreateDir, dir.path().join("a")),
        (Op::SyncDir, dir.path().to_owned()),
        (Op::CreateDir, deep.clone()),
        (Op::SyncDir, dir.path().join("a")),
    ];
    assert_eq!(points, made);
    let (result, points) = count(|| create_dir_all(&deep));
    result.unwrap();
    assert_eq!(points, []);
    fs::write(dir.path().join("file"), "").unwrap();
    create_dir_all(&dir.path().join("file")).unwrap_err();
    create_dir_all(&dir.path().join("file/below")).unwrap_err();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("a", dir.path().join("link")).unwrap();
        create_dir_all(&dir.path().join("link/c")).unwrap();
        assert!(deep.parent().unwrap().join("c").is_dir());
    }
}

#[test]
fn one_folder_is_made_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new");
    let (made, points) = count(|| create_dir(&path));
    made.unwrap();
    assert_eq!(ops(&points), [Op::CreateDir]);
    assert!(create_dir(&path).unwrap_err().is_already_exists());
    assert!(create_dir(&path.join("a/b")).unwrap_err().is_not_found());
}
