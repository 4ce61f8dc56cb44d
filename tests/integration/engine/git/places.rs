//! Where the backlog lies in its repository, and where the run was started.

use super::super::workshop::ids;
use super::*;
use crate::support::{Answer, example, program};

const SCRIPT: &str = "\
*/build/*: put x => ../oben ü.md; put x => unten ä.md; result phase_complete Built
*/*/*: result phase_complete x
";

/// Runs in a folder that has been given a backlog, a configuration and a script.
fn run_in(folder: &Path) -> Answer {
    let mut command = program(folder);
    command.env("ORCHESTRATOR_SCRIPT", folder.join("script")).args(["--json", "run"]);
    Answer::of(command, "")
}

fn equip(folder: &Path) {
    let agent = example("scripted_agent");
    let agent = agent.to_str().unwrap();
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("BACKLOG.yaml"), READY).unwrap();
    fs::write(folder.join("script"), SCRIPT).unwrap();
    let config = format!("[agents.default]\ncommand = [{agent:?}]\n{PIPELINE}");
    fs::write(folder.join("orchestrator.toml"), config).unwrap();
}

#[test]
fn a_root_below_the_top_and_all_of_the_repository_counts() {
    let shop = Shop::new(READY, SCRIPT);
    let below = shop.top.join("Unter ordner/ü");
    equip(&below);
    shop.commit_all();
    run_in(&below).ok();
    assert_eq!(shop.changed("HEAD~1"), ["Unter ordner/oben ü.md", "Unter ordner/ü/unten ä.md"]);
    assert!(shop.git("show --format= --name-only -z HEAD").contains("Unter ordner/ü/BACKLOG.yaml"));
    assert_eq!(shop.status(), "");
    assert_eq!(shop.shop.text(), READY);
}

#[test]
fn a_worktree() {
    let shop = Shop::new(READY, SCRIPT);
    shop.git("worktree add --quiet -b side inner/tree");
    let tree = shop.top.join("inner/tree");
    equip(&tree);
    git(&tree, "add -A");
    git(&tree, "commit --quiet -m equip");
    fs::write(tree.join("script"), SCRIPT.replace("../", "")).unwrap();
    git(&tree, "commit --quiet -am script");
    run_in(&tree).ok();
    let log = git(&tree, "log --format=%s -2");
    assert_eq!(log, "[WRK-001][review] x\n[WRK-001][build] Built\n");
    assert_eq!(git(&tree, "status --porcelain"), "");
    assert_eq!(shop.git("log --format=%s main"), "start\n");
}

#[test]
fn a_branch_without_a_commit_and_a_detached_head() {
    let shop = Shop::new(
        READY,
        "*/build/*: write src x; result phase_complete x\n*/*/*: result phase_complete x\n",
    );
    shop.git("checkout --quiet --detach");
    shop.run();
    assert_eq!(shop.git("log --format=%s main"), "start\n");
    assert_eq!(shop.subjects().len(), 2);
    fs::remove_dir_all(shop.top.join(".orchestrator")).unwrap();
    shop.git("switch --quiet --orphan fresh");
    shop.shop.project.write(READY);
    let agent = example("scripted_agent");
    let agent = agent.to_str().unwrap();
    shop.write(
        "orchestrator.toml",
        &format!("[agents.default]\ncommand = [{agent:?}]\n{PIPELINE}"),
    );
    shop.script(
        "*/build/*: write src y; result phase_complete y\n*/*/*: result phase_complete y\n",
    );
    let report = shop.run();
    assert_eq!(ids(&report["completed"]).len(), 1);
    let log = shop.git("log --format=%s");
    assert!(log.ends_with("[build] y\n"), "{log}");
    // All of it was there, uncommitted, when the run began.
    assert!(shop.status().contains("?? BACKLOG.yaml"), "{}", shop.status());
}

/// What a hook that starts a run has in its environment points at its own index.
#[test]
fn a_run_that_a_hook_started() {
    let shop = Shop::new(
        READY,
        "*/build/*: write src x; result phase_complete x\n*/*/*: result phase_complete x\n",
    );
    let other = Shop::new(READY, "");
    let mut command = program(&shop.top);
    command.env("ORCHESTRATOR_SCRIPT", shop.top.join("script")).arg("run");
    command.env("GIT_DIR", other.top.join(".git")).env("GIT_WORK_TREE", &other.top);
    command.env("GIT_INDEX_FILE", other.top.join(".git/index")).env("GIT_PREFIX", "x/");
    Answer::of(command, "").ok();
    assert_eq!(shop.subjects(), ["[WRK-001][build] x", "[WRK-001][review] x"]);
    assert_eq!(other.subjects(), [""; 0]);
    assert_eq!(shop.status(), "");
}
