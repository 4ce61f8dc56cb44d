//! From text to a typed backlog, with every problem found on the way.

use std::sync::Arc;

use serde_yaml::Mapping;

use super::edits::set_mark;
use super::migration::{self, STEPS};
use super::schema::{self, Traits, Version};
use crate::model::{
    BacklogFile, BacklogItem, CURRENT_SCHEMA, Code, FieldProblem, Rules, did_you_mean,
};
use crate::yaml::{Document, Edit, Problem, ProblemKind, Step};

/// The keys of the root.
const ROOT_KEYS: &[&str] = &["schema_version", "next_item_id", "items"];

/// A text that was read, with what it means.
pub(super) struct Loaded {
    /// The text, as it is or as a migration left it.
    pub doc: Document,
    /// What it means.
    pub file: BacklogFile,
    /// Problems of each item's fields, in file order.
    pub problems: Vec<Box<[FieldProblem]>>,
    /// Problems of the root.
    pub root_problems: Vec<RootProblem>,
    /// The version it was read as.
    pub version: Version,
    /// The text before a migration in memory.
    pub original: Option<String>,
    /// What a migration has to say.
    pub notes: Vec<(usize, String)>,
    /// Whether the file has a mark at all.
    pub has_mark: bool,
    /// The highest number of any item when the text was read: what came since is
    /// not above the mark.
    pub highest: u32,
}

/// What a text was read as without any problem.
pub(super) struct Plain {
    /// The document's index, packed.
    pub index: Vec<u8>,
    /// The version that the file names.
    pub version: u32,
    /// What the items mean.
    pub items: Vec<Arc<BacklogItem>>,
}

/// A problem of the file as a whole.
#[derive(Debug, Clone)]
pub(super) struct RootProblem {
    pub code: Code,
    pub message: String,
    /// The root key it is about.
    pub key: Option<String>,
    pub hint: Option<String>,
}

/// Why a text means nothing.
pub(super) struct Unreadable {
    pub text: String,
    pub problems: Vec<Problem>,
}

/// Reads a text. Only what is no backlog at all is unreadable; other errors are
/// among the problems, and must be looked at before anything is written.
pub(super) fn load(text: String, rules: &Rules) -> Result<Loaded, Unreadable> {
    let (doc, read) = parse(text, |item| (Traits::of(&item), read_item(item)))?;
    let mut traits = Traits::default();
    let reader = Reader::of(read.into_iter().map(|(own, item)| {
        traits = traits.and(own);
        item
    }));
    let version = schema::version(&doc, traits);
    let loaded = |doc, reader: Reader, version| Loaded::new(doc, reader, version);
    match version {
        Ok(version) if version.is_old() => {
            let (doc, read) = parse(doc.into_text(), |mut item| {
                migration::read_status(&mut item);
                read_item(item)
            })?;
            Ok(migrate(loaded(doc, Reader::of(read.into_iter()), version), rules))
        }
        Ok(version) => Ok(loaded(doc, reader, version)),
        Err((code, message)) => {
            let written = Version { number: CURRENT_SCHEMA, is_written: true };
            let mut loaded = loaded(doc, reader, written);
            loaded.root_problems.push(RootProblem {
                code,
                message,
                key: Some("schema_version".into()),
                hint: Some(format!("this program writes version {CURRENT_SCHEMA}")),
            });
            Ok(loaded)
        }
    }
}

/// Reads of an unreadable text what can be read, to say what else is wrong with it.
pub(super) fn survey(text: String) -> Loaded {
    let mut traits = Traits::default();
    let mut reader = Reader::default();
    let doc = Document::survey(text, "items", &mut |index, mut item| {
        traits = traits.and(Traits::of(&item));
        // Whatever the version is, these are no errors of their own.
        migration::read_status(&mut item);
        reader.take(index, item);
    });
    let assumed = Version { number: CURRENT_SCHEMA, is_written: true };
    let version = schema::version(&doc, traits).unwrap_or(assumed);
    Loaded::new(doc, reader, version)
}

fn parse<T: Send>(
    text: String,
    read: impl Fn(Mapping) -> T + Sync,
) -> Result<(Document, Vec<T>), Unreadable> {
    // A NUL is no YAML; the position is worth more than the parser's word for it.
    if let Some(at) = text.find('\0') {
        let before = &text[..at];
        let line = before.matches('\n').count();
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
        let problem = Problem {
            kind: ProblemKind::Syntax,
            message: "the text holds a NUL".into(),
            offset: at,
            len: 1,
            line: u32::try_from(line + 1).unwrap_or(u32::MAX),
            column: u32::try_from(column + 1).unwrap_or(u32::MAX),
            record: None,
            hint: Some("remove it".into()),
        };
        return Err(Unreadable { text, problems: vec![problem] });
    }
    Document::parse_records(text, "items", read)
        .map_err(|(text, problems)| Unreadable { text, problems })
}

/// Collects items as they are read.
#[derive(Default)]
pub(super) struct Reader {
    pub items: Vec<Arc<BacklogItem>>,
    pub problems: Vec<Box<[FieldProblem]>>,
}

impl Reader {
    fn of(read: impl Iterator<Item = ReadItem>) -> Self {
        let (items, problems) = read.unzip();
        Self { items, problems }
    }

    pub(super) fn take(&mut self, _index: usize, item: Mapping) {
        let (item, problems) = read_item(item);
        self.items.push(item);
        self.problems.push(problems);
    }
}

/// An item and the problems of its fields.
type ReadItem = (Arc<BacklogItem>, Box<[FieldProblem]>);

fn read_item(item: Mapping) -> ReadItem {
    let (item, problems) = BacklogItem::from_mapping(item);
    (Arc::new(item), problems.into_boxed_slice())
}

impl Loaded {
    fn new(doc: Document, reader: Reader, version: Version) -> Self {
        let mut loaded = Self {
            file: BacklogFile {
                schema_version: version.number,
                next_item_id: 0,
                items: reader.items.into(),
            },
            problems: reader.problems,
            root_problems: Vec::new(),
            version,
            original: None,
            notes: Vec::new(),
            has_mark: false,
            highest: 0,
            doc,
        };
        loaded.read_root();
        loaded
    }

    /// Returns what a text was read as, where nothing at all is odd about it.
    pub(super) fn as_plain(&self) -> Option<Plain> {
        let is_odd = self.original.is_some()
            || !self.notes.is_empty()
            || !self.root_problems.is_empty()
            || self.problems.iter().any(|problems| !problems.is_empty());
        if is_odd {
            return None;
        }
        let index = self.doc.packed_index()?;
        Some(Plain { index, version: self.version.number, items: self.file.items.to_vec() })
    }

    /// Makes of a text again what it was read as; gives it back where that does not
    /// fit.
    pub(super) fn from_plain(text: String, plain: Plain) -> Result<Self, String> {
        let doc = Document::with_index(text, "items", &plain.index)?;
        if doc.len() != plain.items.len() {
            return Err(doc.into_text());
        }
        let problems = plain.items.iter().map(|_| Box::default()).collect();
        let reader = Reader { items: plain.items, problems };
        Ok(Self::new(doc, reader, Version { number: plain.version, is_written: true }))
    }

    /// Reads the root keys again; the items are as they are.
    pub(super) fn read_root(&mut self) {
        self.root_problems.clear();
        self.highest = self.file.highest_number();
        let mark = self.doc.root("next_item_id").filter(|value| !value.is_null());
        self.has_mark = mark.is_some();
        match mark.map(|value| schema::number(&value)) {
            None => self.file.next_item_id = 0,
            Some(Some(number)) => self.file.next_item_id = number,
            Some(None) => self.root_problems.push(RootProblem {
                code: Code::WrongType,
                message: format!("`next_item_id` must be a number from 0 to {}", u32::MAX),
                key: Some("next_item_id".into()),
                hint: Some("it is the highest number ever assigned".into()),
            }),
        }
        if !self.version.is_written {
            self.root_problems.push(RootProblem {
                code: Code::MissingVersion,
                message: format!("no `schema_version`: read as version {}", self.version.number),
                key: None,
                hint: Some(format!("add `schema_version: {}`", self.version.number)),
            });
        }
        if self.version.is_newer() {
            self.root_problems.push(RootProblem {
                code: Code::NewerVersion,
                message: format!("version {} was written by a newer program", self.version.number),
                key: Some("schema_version".into()),
                hint: Some("it can be read, not written: update orchestrator".into()),
            });
        }
        for (key, _) in self.doc.root_keys() {
            if let Some(near) =
                did_you_mean(key, ROOT_KEYS.iter().copied()).filter(|near| *near != key)
            {
                self.root_problems.push(RootProblem {
                    code: Code::UnknownKey,
                    message: format!("unknown key `{key}`: it is kept, and means nothing here"),
                    key: Some(key.to_owned()),
                    hint: Some(format!("did you mean `{near}`?")),
                });
            }
        }
    }

    /// Returns the text on disk, read for its places alone, where a migration in
    /// memory has moved them.
    pub(super) fn on_disk(&self) -> Option<Document> {
        let text = self.original.clone()?;
        Document::parse(text, "items", &mut |_, _| {}).ok()
    }

    /// Returns whether anything keeps the file from being written.
    pub(super) fn has_errors(&self) -> bool {
        self.root_problems.iter().any(|problem| problem.code.is_error())
            || self.problems.iter().any(|item| item.iter().any(|problem| problem.code.is_error()))
    }
}

/// Migrates a text in memory, step by step. What cannot be migrated without
/// touching more than was meant stays an old file with a problem.
fn migrate(mut loaded: Loaded, rules: &Rules) -> Loaded {
    if loaded.has_errors() {
        return loaded;
    }
    let original = loaded.doc.text().to_owned();
    let from = loaded.version.number;
    for step in STEPS.iter().filter(|step| step.from >= from) {
        let mut edits = vec![Edit::Set {
            record: None,
            path: vec![Step::Key("schema_version".into())],
            value: (step.from + 1).into(),
        }];
        let mut items = Vec::with_capacity(loaded.file.items.len());
        for (index, item) in loaded.file.items.iter().enumerate() {
            let mut item = BacklogItem::clone(item);
            let mut notes = Vec::new();
            let sets = (step.item)(&mut item, rules, &mut notes);
            loaded.notes.extend(notes.into_iter().map(|note| (index, note)));
            for (key, value) in sets {
                let path = vec![Step::Key(key.to_owned())];
                let record = Some(index);
                edits.push(match value {
                    Some(value) => Edit::Set { record, path, value: value.into() },
                    None => Edit::Remove { record, path },
                });
            }
            items.push(Arc::new(item));
        }
        // The numbers that were issued before there was a mark.
        let highest =
            loaded.file.highest_number().max(mentioned(&loaded.file)).max(loaded.file.next_item_id);
        edits.push(set_mark(highest));
        match loaded.doc.apply(&edits) {
            Ok(_) => {
                loaded.file.items = items.into();
                loaded.file.schema_version = step.from + 1;
                loaded.file.next_item_id = highest;
                loaded.version.number = step.from + 1;
                loaded.version.is_written = true;
            }
            Err(refused) => {
                loaded.root_problems.push(RootProblem {
                    code: Code::WrongShape,
                    message: format!(
                        "the file cannot be migrated from version {}: {refused}",
                        step.from
                    ),
                    key: None,
                    hint: Some("write that place in a plainer way".into()),
                });
                return loaded;
            }
        }
    }
    loaded.has_mark = true;
    loaded.original = Some(original);
    loaded
}

/// Returns the highest number that dependencies and origins name: where a file has
/// no mark, they are what is left of items that are gone.
pub(super) fn mentioned(file: &BacklogFile) -> u32 {
    let number = |id: &str| crate::model::ItemId::number_of(id).unwrap_or(0);
    let of = |item: &Arc<BacklogItem>| {
        let origin = item
            .origin
            .as_deref()
            .and_then(|origin| origin.split_once('/'))
            .map_or(0, |(id, _)| number(id));
        item.dependencies.iter().map(|id| number(id)).max().unwrap_or(0).max(origin)
    };
    file.items.iter().map(of).max().unwrap_or(0)
}
