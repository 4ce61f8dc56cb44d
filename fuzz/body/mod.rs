//! Random edits of hostile files, and what must hold after each.
//!
//! One body for two drivers: the property tests and the fuzz target both hand it
//! bytes, and each byte is a choice. It writes a document in some nasty layout,
//! makes edits with nasty values, and panics where an edit did more or less than
//! it says: the new text must mean the old one with the change, for two parsers,
//! lines that are not touched must be the same bytes, an undo must restore all,
//! and a reload must be as good as a fresh parse.

mod choice;
mod edit;
mod layout;
mod oracle;

pub(crate) use choice::Choice;

use orchestrator::yaml::{Document, Edit};

/// What became of one run.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tally {
    /// Edits that were made.
    pub(crate) made: usize,
    /// Edits that were refused.
    pub(crate) refused: usize,
    /// Texts that were no document.
    pub(crate) rejected: usize,
}

/// Runs one case.
pub(crate) fn run(data: &[u8]) -> Tally {
    let mut choice = Choice::new(data);
    let text = layout::document(&mut choice);
    run_on(&mut choice, text)
}

/// Runs edits on a text that was given.
pub(crate) fn run_on(choice: &mut Choice<'_>, text: String) -> Tally {
    let mut tally = Tally::default();
    let mut text = text;
    if choice.one_in(6) {
        layout::garble(choice, &mut text);
    }
    let Some(mut document) = oracle::parse(&text) else {
        tally.rejected = 1;
        return tally;
    };
    for _ in 0..=choice.below(3) {
        let edit = edit::random(choice, &document);
        one(&mut document, &edit, &mut tally);
        if choice.one_in(4) {
            oracle::check_reload(choice, &document);
        }
        if choice.one_in(3) {
            in_a_row(choice, &document);
        }
    }
    tally
}

/// Edits that are made in a row come to the same as one after the other: text, index,
/// what is refused and why, and the way back.
fn in_a_row(choice: &mut Choice<'_>, document: &Document) {
    let (mut one_by_one, mut together) = (document.clone(), document.clone());
    let mut made = Vec::new();
    let mut editing = together.editing();
    for _ in 0..choice.below(7) {
        let mut edits = vec![edit::random(choice, &one_by_one)];
        if choice.one_in(3) {
            edits.push(edit::random(choice, &one_by_one));
        }
        match (one_by_one.apply(&edits), editing.apply(&edits)) {
            (Ok(single), Ok(undo)) if choice.one_in(4) => {
                one_by_one.undo(single);
                editing.undo(undo);
            }
            (Ok(_), Ok(undo)) => made.push(undo),
            (Err(single), Err(refused)) => {
                assert_eq!(format!("{single:?}"), format!("{refused:?}"), "{edits:?}");
            }
            (single, other) => panic!("{single:?}, {other:?} of {edits:?}"),
        }
        for record in 0..one_by_one.len() {
            assert_eq!(editing.record_text(record), one_by_one.record_text(record), "{edits:?}");
        }
    }
    drop(editing);
    assert_eq!(oracle::State::of(&together), oracle::State::of(&one_by_one));
    while let Some(undo) = made.pop() {
        together.undo(undo);
    }
    assert_eq!(oracle::State::of(&together), oracle::State::of(document), "all taken back");
}

fn one(document: &mut Document, edit: &Edit, tally: &mut Tally) {
    let before = oracle::State::of(document);
    let old = document.clone();
    let refused = match document.apply(std::slice::from_ref(edit)) {
        Ok(undo) => {
            let after = oracle::State::of(document);
            oracle::check(&before, &after, &old, edit);
            document.undo(undo);
            assert_eq!(oracle::State::of(document), before, "undo of {edit:?}");
            document.apply(std::slice::from_ref(edit)).expect("it was made before");
            assert_eq!(oracle::State::of(document), after, "{edit:?} made again");
            oracle::check_taken_over(&old, document);
            false
        }
        Err(_) => {
            assert_eq!(oracle::State::of(document), before, "refused {edit:?}");
            true
        }
    };
    if refused {
        tally.refused += 1;
    } else {
        tally.made += 1;
    }
}
