//! What people do to the file with an editor, or with git.

use std::fs;
use std::io::Write as _;

use super::world::World;
use crate::support::Random;

/// Splits a text into what stands before the first item, and the items.
fn blocks(text: &str) -> (String, Vec<String>) {
    let (mut head, mut items) = (String::new(), Vec::<String>::new());
    for line in text.split_inclusive('\n') {
        if line.starts_with("  - ") {
            items.push(line.to_owned());
        } else {
            items.last_mut().unwrap_or(&mut head).push_str(line);
        }
    }
    (head, items)
}

fn join(head: &str, items: &[String]) -> String {
    let head = if items.is_empty() {
        head.to_owned()
    } else {
        head.replace("items: []", "items:").replace("items: null", "items:")
    };
    format!("{head}{}", items.concat())
}

/// Makes one hand edit; says what it was.
pub(super) fn edit(world: &mut World, tree: usize, random: &mut Random) -> &'static str {
    let before = world.trees[tree].text();
    let n = world.fresh();
    let (mut head, mut items) = blocks(&before);
    let index = random.below(items.len().max(1));
    let what = match random.below(9) {
        0 | 1 => {
            items.push(format!("  - title: by hand {n}\n"));
            "adds an item"
        }
        2 => {
            head = format!("# note-{n}\n{head}");
            "adds a comment above"
        }
        3 if !items.is_empty() => {
            items[index].push_str(&format!("    # note-{n}\n"));
            "adds a comment to an item"
        }
        4 if !items.is_empty() => {
            items[index].push_str(&format!("    x_{n}: note-{n}\n"));
            "adds a key to an item"
        }
        5 if !items.is_empty() => {
            let is_title = |line: &str| line.contains("title: ") && !line.contains("entry");
            let lines = items[index].split_inclusive('\n');
            items[index] = lines
                .map(|line| {
                    if is_title(line) {
                        line.replacen("title: ", "title: re", 1)
                    } else {
                        line.to_owned()
                    }
                })
                .collect();
            "changes a title"
        }
        6 if items.len() > 1 => {
            let item = items.remove(index);
            items.push(item);
            "moves an item"
        }
        7 if !items.is_empty() => {
            items.remove(index);
            "deletes an item"
        }
        _ => {
            head = format!("{head}# note-{n}\n");
            if head.contains("items:") { return "does nothing" } else { "adds a comment" }
        }
    };
    save(world, tree, random, &before, &join(&head, &items));
    what
}

/// Puts an older text in the place of the file, as a checkout does.
pub(super) fn checkout(world: &mut World, tree: usize, random: &mut Random) {
    let before = world.trees[tree].text();
    let commits = &world.trees[tree].commits;
    let text = commits[random.below(commits.len())].clone();
    save(world, tree, random, &before, &text);
}

/// Remembers the file as it is, for a later checkout.
pub(super) fn commit(world: &mut World, tree: usize) {
    let text = world.trees[tree].text();
    world.trees[tree].commits.push(text);
}

fn save(world: &mut World, tree: usize, random: &mut Random, before: &str, after: &str) {
    let path = world.trees[tree].file();
    if random.below(2) == 0 {
        let temp = path.with_extension("swp");
        fs::write(&temp, after).unwrap();
        fs::rename(temp, path).unwrap();
    } else {
        let mut file = fs::File::create(path).unwrap();
        file.write_all(after.as_bytes()).unwrap();
    }
    world.oracle.edited(tree, before, after);
}

/// Writes an inbox, unless there is one.
pub(super) fn write_inbox(world: &mut World, tree: usize, random: &mut Random) {
    let path = world.trees[tree].root.join("BACKLOG_INBOX.yaml");
    let titles: Vec<String> =
        (0..=random.below(2)).map(|_| format!("entry-{}.", world.fresh())).collect();
    let text: String = titles.iter().map(|title| format!("- {title}\n")).collect();
    let mut file = fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    for title in titles {
        world.oracle.expect_entry(tree, title);
    }
}

/// Deletes our own folder.
pub(super) fn delete_state(world: &mut World, tree: usize) {
    let root = world.trees[tree].root.clone();
    if let Err(error) = fs::remove_dir_all(root.join(".orchestrator")) {
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    }
    let inbox = fs::read_to_string(root.join("BACKLOG_INBOX.yaml")).unwrap_or_default();
    let (text, log) = (world.trees[tree].text() + &inbox, world.trees[tree].worklog());
    world.oracle.state_deleted(tree, &text, &log);
}
