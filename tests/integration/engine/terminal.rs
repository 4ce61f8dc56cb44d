//! What a person sees on a terminal: the bytes go through a real one, and a parser of
//! its language makes of them the screen that the person looks at.

use std::fs;
use std::process::{Child, Command, Stdio};

use super::workshop::Workshop;
use crate::support::program;

const BACKLOG: &str = "\
schema_version: 2
next_item_id: 2
items:
  - {id: WRK-001, title: Mend the gate, status: ready}
  - {id: WRK-002, title: Über die Brücke — 橋を渡る, status: ready}
";

const SCRIPT: &str = "\
*/build/*: say hammering away and on and on and on and on and on and on and on and on and on and on and on and on and on and on and on and on and on and on and on and on and on and on and on and on and on and on and on and on and on and on; await go; say and once more; result phase_complete Built.
*/*/*: result blocked Later.
";

const ROWS: u16 = 24;
const COLUMNS: u16 = 80;

/// A terminal, with a run on it.
struct Terminal<'a> {
    shop: &'a Workshop,
    child: Child,
}

impl<'a> Terminal<'a> {
    fn start(shop: &'a Workshop, args: &str) -> Self {
        let root = shop.project.root();
        let exe = program(root);
        let exe = exe.get_program().to_str().unwrap().to_owned();
        let line = format!("stty rows {ROWS} cols {COLUMNS}; exec {exe} {args}");
        let mut command = Command::new("script");
        command.args(["--quiet", "--flush", "--return", "--command", &line, "typescript"]);
        command.current_dir(root).env("ORCHESTRATOR_SCRIPT", root.join("script"));
        command.env("TERM", "xterm-256color").env_remove("NO_COLOR");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self { shop, child: command.spawn().unwrap() }
    }

    fn bytes(&self) -> Vec<u8> {
        let bytes = fs::read(self.shop.project.root().join("typescript")).unwrap_or_default();
        // What `script` says of itself is a line of its own.
        let start = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
        bytes[start..].to_vec()
    }

    /// Returns what stands on the screen.
    fn screen(&self) -> String {
        let mut parser =
            vt100::Parser::new(ROWS.try_into().unwrap(), COLUMNS.try_into().unwrap(), 0);
        parser.process(&self.bytes());
        let rows: Vec<String> = parser.screen().rows(0, COLUMNS).collect();
        rows.join("\n")
    }
}

/// A terminal that is gone ends the run that is on it.
impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        let _has_ended = self.child.kill();
    }
}

#[test]
fn each_phase_has_a_line_while_it_runs_and_none_is_left() {
    let shop = Workshop::configured(BACKLOG, SCRIPT, "max_wip = 2\nmax_concurrent = 2");
    let mut terminal = Terminal::start(&shop, "run");
    let is_shown = || {
        let screen = terminal.screen();
        screen.matches("› hammering away").count() == 2
    };
    shop.until_that("the view", is_shown);
    let screen = terminal.screen();
    let line_of = |text: &str| {
        let found: Vec<&str> = screen.lines().filter(|line| line.contains(text)).collect();
        assert_eq!(found.len(), 1, "{text}:\n{screen}");
        found[0].to_owned()
    };
    // What is before the name is what turns, and a space.
    let is_in_place =
        |line: &str, name: &str| line.chars().skip(2).collect::<String>().starts_with(name);
    assert!(is_in_place(&line_of("Mend the gate ›"), "WRK-001 build "), "{screen}");
    assert!(is_in_place(&line_of("橋を渡る ›"), "WRK-002 build "), "{screen}");
    assert!(is_in_place(&line_of("2 running"), "2 running"), "{screen}");
    let coloured = terminal.bytes().windows(2).any(|pair| pair == b"\x1b[");
    assert!(coloured, "a terminal is shown colours");
    shop.release("go");
    terminal.child.wait().unwrap();
    let screen = terminal.screen();
    assert!(!screen.contains('›') && !screen.contains("running"), "{screen}");
    for id in ["WRK-001", "WRK-002"] {
        assert_eq!(screen.matches(&format!("blocked  {id}")).count(), 1, "{screen}");
    }
    assert!(screen.contains("4 phases executed"), "{screen}");
}
