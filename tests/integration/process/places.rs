//! Disks that are full, worklogs that cannot be written, links and modes.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Answer, Project, program};

const TWO: &str = "\
schema_version: 2
next_item_id: 2
items:
  - id: WRK-001
    title: One # mine
    status: done
  - id: WRK-002
    title: Two
";

#[test]
fn without_a_worklog_nothing_is_archived() {
    let project = Project::with(TWO);
    // A file where the folder of the months should be: not even root writes there.
    fs::write(project.root().join("worklog"), "in the way").unwrap();
    for command in ["archive --done", "archive 2 --reason no", "merge 2 1"] {
        project.sh(command).fails(8);
        assert_eq!(project.text(), TWO, "{command}");
    }
    fs::remove_file(project.root().join("worklog")).unwrap();
    assert_eq!(project.sh("archive --done").ok(), "WRK-001\n");
    assert!(!project.text().contains("One"));
    assert!(worklog(&project).contains("title: One # mine\n"));
}

fn worklog(project: &Project) -> String {
    let entries = fs::read_dir(project.root().join("worklog")).unwrap();
    entries.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect()
}

#[test]
fn mode_and_link_are_kept() {
    let project = Project::empty();
    let real = project.root().join("real");
    fs::create_dir(&real).unwrap();
    let file = real.join("TODO.yaml");
    fs::write(&file, TWO).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o664)).unwrap();
    symlink("real/TODO.yaml", project.file()).unwrap();
    for (n, command) in
        ["add Three", "update 2 --size small", "archive --done", "restore 1", "merge 2 3"]
            .into_iter()
            .enumerate()
    {
        project.sh(command).ok();
        assert!(fs::symlink_metadata(project.file()).unwrap().is_symlink(), "{command}");
        let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode, 0o664, "{n}: {command}");
    }
    // Both ways to the file share one lock and one mark.
    assert!(real.join(".orchestrator").exists() && !project.root().join(".orchestrator").exists());
    let mut command = program(&real);
    command.args(["--file", "TODO.yaml", "add", "Four"]);
    assert_eq!(Answer::of(command, "").ok(), "WRK-004\n");
    assert_eq!(project.sh("add Five").ok(), "WRK-005\n");
}

/// A small file system of its own, gone when dropped.
struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// Mounts one; `None` where that is not allowed.
    fn mount(path: &Path) -> Option<Self> {
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m,nr_inodes=200", "tmpfs"])
            .arg(path)
            .output();
        match mount {
            Ok(output) if output.status.success() => Some(Self { path: path.to_owned() }),
            _ => None,
        }
    }

    fn free(&self) -> u64 {
        let stat = rustix::fs::statvfs(&self.path).unwrap();
        stat.f_bavail * stat.f_frsize
    }

    /// Leaves this many pages.
    fn fill(&self, pages: u64) {
        let len = self.free().saturating_sub(pages * 4096);
        fs::write(self.path.join("filler"), vec![b'x'; usize::try_from(len).unwrap()]).unwrap();
    }

    fn empty(&self) {
        fs::remove_file(self.path.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let ended = Command::new("umount").arg(&self.path).status();
        assert!(ended.is_ok_and(|status| status.success()), "the small disk stays mounted");
    }
}

#[test]
fn a_full_disk_is_an_error_and_the_old_file_stands() {
    let project = Project::empty();
    let root = project.root().join("disk");
    fs::create_dir(&root).unwrap();
    let Some(disk) = SmallDisk::mount(&root) else {
        println!("skipped: no file system can be mounted here");
        return;
    };
    let file = root.join("BACKLOG.yaml");
    let run = |args: &[&str]| {
        let mut command = program(&root);
        command.args(args);
        Answer::of(command, "")
    };
    // Large enough not to fit a second time into what is left.
    let padding = "# padding\n".repeat(2_000);
    fs::write(&file, format!("{padding}{TWO}")).unwrap();
    let mut last = 2;
    let mut refused = 0;
    for pages in 0..8 {
        let before = fs::read_to_string(&file).unwrap();
        disk.fill(pages);
        for args in
            [&["add", "No room"][..], &["update", "2", "--title", "Zwei"], &["archive", "1"]]
        {
            let answer = run(args);
            if answer.code == 0 {
                continue;
            }
            answer.fails(8);
            refused += 1;
            let now = fs::read_to_string(&file).unwrap();
            assert!(now.starts_with(&padding) && now.contains("schema_version: 2\n"), "{now}");
            if refused == 1 {
                assert_eq!(now, before);
            }
        }
        disk.empty();
        let told = run(&["add", "Room"]).ok();
        let number: u32 = told.trim().strip_prefix("WRK-").unwrap().parse().unwrap();
        assert!(number > last, "{told} after {last}");
        last = number;
        run(&["check"]).ok();
    }
    assert!(refused >= 3, "the disk was never full");
    let text = fs::read_to_string(&file).unwrap();
    let is_there = text.contains("title: One # mine\n")
        || fs::read_dir(root.join("worklog")).into_iter().flatten().any(|entry| {
            fs::read_to_string(entry.unwrap().path()).unwrap().contains("title: One # mine\n")
        });
    assert!(is_there, "{text}");
}
