//! Plans: from a change to the splices that could make it.
//!
//! Finds the place that a path names in the tree of a slice, and asks the layout
//! there (block or flow) for one or more splices, best first. A plan need not be
//! right in every odd layout: whoever carries it out verifies the result.

use std::ops::Range;

use granit_parser::ScalarStyle;
use serde_yaml::Value;

use super::change::{Change, Op};
use super::edit::Step;
use super::index::is_text;
use super::node::{Kind, Node, colon_after, dash_after};
use super::refused::Reason;
use super::render::Style;
use super::value::plain;
use super::{plan_block, plan_flow};

/// One way to make a change.
#[derive(Debug, Clone)]
pub(super) struct Splice {
    /// The bytes of the slice that go.
    pub(super) range: Range<usize>,
    /// What stands there then.
    pub(super) text: String,
    /// Where a new key comes to stand among its mapping's keys; last if none.
    pub(super) at: Option<usize>,
}

impl Splice {
    /// Returns a splice that does not move keys.
    pub(super) fn new(range: Range<usize>, text: impl Into<String>) -> Self {
        Self { range, text: text.into(), at: None }
    }

    /// Returns the splice for a text in which the slice begins at `start`.
    pub(super) fn moved(mut self, start: usize) -> Self {
        self.range = self.range.start + start..self.range.end + start;
        self
    }

    /// Returns the text with the splice made.
    pub(super) fn applied(&self, text: &str) -> String {
        let mut new = String::with_capacity(text.len() + self.text.len());
        new.push_str(&text[..self.range.start]);
        new.push_str(&self.text);
        new.push_str(&text[self.range.end..]);
        new
    }
}

/// Why no splice could be planned, and the offset in the slice.
#[derive(Debug)]
pub(super) struct Obstacle {
    pub(super) reason: Reason,
    pub(super) at: usize,
}

impl Obstacle {
    /// Returns an obstacle at an offset of the slice.
    pub(super) fn new(reason: Reason, at: usize) -> Self {
        Self { reason, at }
    }
}

/// A mapping or sequence, and where it is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parent<'n, 't> {
    /// The collection.
    pub(super) node: &'n Node<'t>,
    /// The offset after the colon or dash that it belongs to; its own start at the
    /// top of the slice.
    pub(super) gap: usize,
    /// The column of the key or dash that it belongs to; none at the top.
    pub(super) owner: Option<usize>,
    /// Whether it stands inside brackets.
    pub(super) in_flow: bool,
}

/// A slice of text to plan in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sheet<'s> {
    /// The slice.
    pub(super) text: &'s str,
    /// What new text in it looks like.
    pub(super) style: Style,
    /// The key of the root before which new keys go, in the root's slice.
    pub(super) before: Option<&'s str>,
}

/// Plans a change to the mapping `root` of a slice.
pub(super) fn plan(
    sheet: Sheet<'_>,
    root: &Node<'_>,
    change: &Change<'_>,
) -> Result<Vec<Splice>, Obstacle> {
    let top = Parent { node: root, gap: root.start, owner: None, in_flow: false };
    let Some((last, way)) = change.path.split_last() else {
        return Err(Obstacle::new(Reason::NoSuchPath { path: String::new() }, root.start));
    };
    let mut parent = top;
    for (depth, step) in way.iter().enumerate() {
        check_passable(parent.node, change, depth)?;
        parent = descend(sheet.text, parent, step, change, depth)?;
    }
    check_passable(parent.node, change, way.len())?;
    match (&parent.node.kind, last) {
        (Kind::Map { pairs, .. }, Step::Key(key)) => {
            let found = pairs.iter().position(|(name, _)| is_text(name, key));
            at_key(sheet, parent, key, found, change)
        }
        (Kind::Seq { entries, .. }, Step::Index(index)) if *index < entries.len() => {
            at_entry(sheet, parent, *index, change)
        }
        (Kind::Seq { .. }, Step::Index(_)) => Err(no_such_path(change, parent.node.start)),
        (_, Step::Key(_)) => Err(wrong_shape(change, way.len(), "a mapping", parent.node)),
        (_, Step::Index(_)) => Err(wrong_shape(change, way.len(), "a list", parent.node)),
    }
}

fn no_such_path(change: &Change<'_>, at: usize) -> Obstacle {
    Obstacle::new(Reason::NoSuchPath { path: change.path_text(change.path.len()) }, at)
}

fn wrong_shape(
    change: &Change<'_>,
    depth: usize,
    expected: &'static str,
    node: &Node<'_>,
) -> Obstacle {
    Obstacle::new(Reason::WrongShape { path: change.path_text(depth), expected }, node.start)
}

/// Refuses to look into an alias, or a tagged value below the top.
fn check_passable(node: &Node<'_>, change: &Change<'_>, depth: usize) -> Result<(), Obstacle> {
    match (&node.kind, node.tag()) {
        (Kind::Alias(_), _) => Err(Obstacle::new(Reason::Alias, node.start)),
        (_, Some(tag)) if depth > 0 && tag.starts_with('!') => {
            Err(Obstacle::new(Reason::Tag, node.outer()))
        }
        (Kind::Scalar { .. }, _) => Err(wrong_shape(change, depth, "a mapping or list", node)),
        _ => Ok(()),
    }
}

/// Goes one step down.
fn descend<'n, 't>(
    text: &str,
    parent: Parent<'n, 't>,
    step: &Step,
    change: &Change<'_>,
    depth: usize,
) -> Result<Parent<'n, 't>, Obstacle> {
    match (&parent.node.kind, step) {
        (Kind::Map { flow, pairs }, Step::Key(key)) => {
            let pair = pairs.iter().find(|(name, _)| is_text(name, key));
            let (name, value) = pair.ok_or_else(|| no_such_path(change, parent.node.start))?;
            Ok(Parent {
                node: value,
                gap: colon_after(text, name.end).unwrap_or(value.outer()),
                owner: Some(super::node::column(text, name.outer())),
                in_flow: parent.in_flow || *flow,
            })
        }
        (Kind::Seq { flow, entries }, Step::Index(index)) => {
            let value =
                entries.get(*index).ok_or_else(|| no_such_path(change, parent.node.start))?;
            let dash = if *flow { None } else { dash_of(text, parent, *index) };
            Ok(Parent {
                node: value,
                gap: dash.map_or(value.outer(), |dash| dash + 1),
                owner: dash.map(|dash| super::node::column(text, dash)),
                in_flow: parent.in_flow || *flow,
            })
        }
        (_, Step::Key(_)) => Err(wrong_shape(change, depth, "a mapping", parent.node)),
        (_, Step::Index(_)) => Err(wrong_shape(change, depth, "a list", parent.node)),
    }
}

/// Returns the dash of an entry of a block sequence.
pub(super) fn dash_of(text: &str, parent: Parent<'_, '_>, index: usize) -> Option<usize> {
    let Kind::Seq { entries, .. } = &parent.node.kind else {
        return None;
    };
    let from = match index.checked_sub(1) {
        // Anchor and tag of the sequence come before its first dash.
        None => parent.node.start.min(entries.first()?.outer()),
        Some(before) => entries.get(before)?.end,
    };
    dash_after(text, from)
}

fn at_key(
    sheet: Sheet<'_>,
    parent: Parent<'_, '_>,
    key: &str,
    found: Option<usize>,
    change: &Change<'_>,
) -> Result<Vec<Splice>, Obstacle> {
    let Kind::Map { flow, pairs } = &parent.node.kind else {
        return Ok(Vec::new());
    };
    let flow = *flow || parent.in_flow;
    let new = |value: &Value, first: bool| {
        let name = Value::String(key.to_owned());
        if flow {
            plan_flow::add_pair(sheet, parent.node, &name, value, first)
        } else {
            plan_block::add_pair(sheet, parent.node, &name, value, first)
        }
    };
    match (change.op, found) {
        (Op::First(_), Some(at)) => {
            Err(Obstacle::new(Reason::KeyExists { key: key.to_owned() }, pairs[at].0.start))
        }
        (Op::First(value), None) => new(value, true),
        (Op::Set(value), None) => new(value, false),
        (Op::Push(value), None) => new(&Value::Sequence(vec![value.clone()]), false),
        (Op::Remove, None) => Err(no_such_path(change, parent.node.start)),
        (Op::Remove, Some(at)) => {
            check_removable(&pairs[at].1)?;
            check_removable(&pairs[at].0)?;
            if flow {
                plan_flow::remove(sheet, parent, at)
            } else {
                plan_block::remove_pair(sheet, parent, at)
            }
        }
        (Op::Set(_) | Op::Push(_), Some(at)) => {
            let (name, _) = &pairs[at];
            let value = descend(sheet.text, parent, &Step::Key(key.to_owned()), change, 0)?;
            if colon_after(sheet.text, name.end).is_none() && !flow {
                return Err(Obstacle::new(
                    Reason::Layout { what: "a key without a colon" },
                    name.start,
                ));
            }
            at_value(sheet, value, flow, change)
        }
    }
}

fn at_entry(
    sheet: Sheet<'_>,
    parent: Parent<'_, '_>,
    index: usize,
    change: &Change<'_>,
) -> Result<Vec<Splice>, Obstacle> {
    let Kind::Seq { flow, entries } = &parent.node.kind else {
        return Ok(Vec::new());
    };
    let flow = *flow || parent.in_flow;
    if let Op::Remove = change.op {
        check_removable(&entries[index])?;
        return if flow {
            plan_flow::remove(sheet, parent, index)
        } else {
            plan_block::remove_entry(sheet, parent, index)
        };
    }
    let value = descend(sheet.text, parent, &Step::Index(index), change, 0)?;
    if value.owner.is_none() && !flow {
        return Err(Obstacle::new(
            Reason::Layout { what: "an entry without a dash" },
            entries[index].start,
        ));
    }
    at_value(sheet, value, flow, change)
}

/// Plans a change to a value that stands there already.
fn at_value(
    sheet: Sheet<'_>,
    place: Parent<'_, '_>,
    flow: bool,
    change: &Change<'_>,
) -> Result<Vec<Splice>, Obstacle> {
    let node = place.node;
    match change.op {
        Op::Push(value) => match &node.kind {
            Kind::Alias(_) => Err(Obstacle::new(Reason::Alias, node.start)),
            _ if node.anchor().is_some() => Err(Obstacle::new(Reason::Anchor, node.outer())),
            Kind::Seq { flow: brackets, .. } => {
                if *brackets || flow {
                    plan_flow::push(sheet, node, value)
                } else {
                    plan_block::push(sheet, place, value)
                }
            }
            Kind::Scalar { style, text } if is_null(node, *style, text) => {
                replace(sheet, place, flow, &Value::Sequence(vec![value.clone()]))
            }
            Kind::Scalar { .. } | Kind::Map { .. } => {
                Err(wrong_shape(change, change.path.len(), "a list", node))
            }
        },
        Op::Set(value) | Op::First(value) => replace(sheet, place, flow, value),
        Op::Remove => Ok(Vec::new()),
    }
}

fn replace(
    sheet: Sheet<'_>,
    place: Parent<'_, '_>,
    flow: bool,
    value: &Value,
) -> Result<Vec<Splice>, Obstacle> {
    check_removable(place.node)?;
    if place.node.tag().is_some() {
        return Err(Obstacle::new(Reason::Tag, place.node.outer()));
    }
    if flow {
        plan_flow::replace(sheet, place, value)
    } else {
        plan_block::replace(sheet, place, value)
    }
}

fn is_null(node: &Node<'_>, style: ScalarStyle, text: &str) -> bool {
    node.is_empty() || (style == ScalarStyle::Plain && matches!(plain(text), Ok(Value::Null)))
}

/// Refuses to remove what other places may show.
fn check_removable(node: &Node<'_>) -> Result<(), Obstacle> {
    if node.holds_anchor() {
        return Err(Obstacle::new(Reason::Anchor, node.outer()));
    }
    Ok(())
}
