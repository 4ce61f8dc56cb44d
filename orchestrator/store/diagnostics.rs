//! Everything that is wrong with a backlog, with its place in the text.

use std::collections::BTreeMap;
use std::path::Path;

use super::links::Links;
use super::load::{self, Loaded, RootProblem};
use super::{Paths, StoreError};
use crate::model::{BacklogItem, Code, Diagnostic, Ended, ItemId, ItemStatus, Rules, Segment};
use crate::yaml::{Document, Location, Problem, ProblemKind, Step};

/// What is known beside the file.
pub(super) struct Around<'a> {
    /// How the file is called.
    pub shown: &'a Path,
    pub rules: &'a Rules,
    /// How archived items ended, by [`ItemId::key`].
    pub archived: &'a BTreeMap<String, Ended>,
    /// The highest number known anywhere.
    pub floor: u32,
    /// IDs of items that were told and are nowhere.
    pub lost: &'a [String],
}

/// Makes the error of a text that is no backlog. What is wrong with the items that
/// could be read all the same is told with it, so that one look finds everything.
pub(super) fn unreadable(shown: &Path, text: String, problems: Vec<Problem>) -> StoreError {
    let is_cut_short = problems
        .iter()
        .any(|problem| matches!(problem.kind, ProblemKind::Syntax | ProblemKind::EmptyFile));
    let has_no_root = problems
        .iter()
        .any(|problem| problem.kind == ProblemKind::WrongShape && problem.record.is_none());
    let mut loaded = load::survey(text);
    loaded.root_problems.retain(|problem| {
        // What the text lacks may stand behind the place where reading ended.
        !(is_cut_short || has_no_root) || problem.code != Code::MissingVersion
    });
    let merging = problems.iter().filter(|problem| problem.kind == ProblemKind::MergeKey);
    for index in merging.filter_map(|problem| problem.record) {
        // Its title may be among what it would merge in.
        if let Some(problems) = loaded.problems.get_mut(index) {
            let others = problems.iter().filter(|problem| problem.code != Code::MissingTitle);
            *problems = others.cloned().collect();
        }
    }
    let name = |index: usize| loaded.file.items.get(index).and_then(|item| name_of(item));
    let mut diagnostics: Vec<Diagnostic> = problems
        .into_iter()
        .map(|problem| {
            let item = problem.record.and_then(name);
            Diagnostic { item, ..of_problem(shown, problem) }
        })
        .collect();
    let (rules, archived) = (Rules::default(), BTreeMap::new());
    let around = Around { shown, rules: &rules, archived: &archived, floor: 0, lost: &[] };
    let mut all =
        Collector { loaded: &loaded, doc: &loaded.doc, around: &around, found: Vec::new() };
    for problem in &loaded.root_problems {
        all.root(problem);
    }
    for index in 0..loaded.problems.len() {
        all.fields(index);
    }
    diagnostics.append(&mut all.found);
    diagnostics.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
    StoreError::Invalid { diagnostics, text: loaded.doc.into_text() }
}

fn of_problem(shown: &Path, problem: Problem) -> Diagnostic {
    let code = match problem.kind {
        ProblemKind::Syntax => Code::Syntax,
        ProblemKind::EmptyFile => Code::EmptyFile,
        ProblemKind::MultipleDocuments => Code::MultipleDocuments,
        ProblemKind::DuplicateKey => Code::DuplicateKey,
        ProblemKind::WrongShape => Code::WrongShape,
        ProblemKind::MergeKey => Code::MergeKey,
    };
    let hint = match code {
        Code::EmptyFile => Some(
            "run `orchestrator init`: it completes the file and keeps what is in it".to_owned(),
        ),
        _ => problem.hint,
    };
    Diagnostic {
        code,
        message: problem.message,
        file: shown.to_owned(),
        line: problem.line,
        column: problem.column,
        span: Some(problem.offset..problem.offset + problem.len),
        item: None,
        hint,
    }
}

/// Makes the error of a file that is not UTF-8.
pub(super) fn not_utf8(paths: &Paths, bytes: &[u8]) -> StoreError {
    let valid =
        std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), |_| bytes.len());
    let text = String::from_utf8_lossy(&bytes[..valid]).into_owned();
    let line = text.matches('\n').count() + 1;
    let column = text.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let diagnostic = Diagnostic {
        code: Code::NotUtf8,
        message: "the file is not UTF-8".into(),
        file: paths.shown.clone(),
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(column).unwrap_or(u32::MAX),
        span: None,
        item: None,
        hint: Some("save it as UTF-8".into()),
    };
    StoreError::Invalid { diagnostics: vec![diagnostic], text }
}

/// Returns every problem of a file, errors and warnings, in the order of the text.
pub(super) fn diagnose(loaded: &Loaded, links: &Links, around: &Around<'_>) -> Vec<Diagnostic> {
    let on_disk = loaded.on_disk();
    let doc = on_disk.as_ref().unwrap_or(&loaded.doc);
    let mut all = Collector { loaded, doc, around, found: Vec::new() };
    for problem in &loaded.root_problems {
        all.root(problem);
    }
    for index in 0..loaded.problems.len() {
        all.fields(index);
    }
    all.mark();
    all.ids(links);
    all.unknown_dependencies(links);
    all.cycles(links);
    all.pipelines();
    for id in around.lost {
        let message = format!("{id} was added, and left the file without being archived");
        let hint = format!(
            "`orchestrator restore {id}` brings it back, `orchestrator archive {id} --reason …` gives it up; one that is on another branch may wait"
        );
        all.push(Code::LostItem, message, None, Some(id.clone()), Some(hint));
    }
    for (index, note) in &loaded.notes {
        let at = locate(doc, *index, &[Segment::Key("phase".into())], false);
        let name = Some(all.name(*index));
        let hint = Some("configure that phase first, to keep it".to_owned());
        all.push(Code::UnknownPhase, note.clone(), Some(at), name, hint);
    }
    all.found.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
    all.found
}

struct Collector<'a> {
    loaded: &'a Loaded,
    /// The text that a person sees.
    doc: &'a Document,
    around: &'a Around<'a>,
    found: Vec<Diagnostic>,
}

impl Collector<'_> {
    fn push(
        &mut self,
        code: Code,
        message: String,
        at: Option<Location>,
        item: Option<String>,
        hint: Option<String>,
    ) {
        self.found.push(Diagnostic {
            code,
            message,
            file: self.around.shown.to_owned(),
            line: at.as_ref().map_or(0, |at| at.line),
            column: at.as_ref().map_or(0, |at| at.column),
            span: at.map(|at| at.offset..at.offset + at.len),
            item,
            hint,
        });
    }

    fn name(&self, index: usize) -> String {
        name_of(&self.loaded.file.items[index]).unwrap_or_else(|| "-".to_owned())
    }

    fn root(&mut self, problem: &RootProblem) {
        let doc = self.doc;
        let is_value = problem.code != Code::UnknownKey;
        let at = problem.key.as_deref().and_then(|key| {
            let path = [Step::Key(key.to_owned())];
            if is_value { doc.locate(None, &path) } else { doc.locate_key(None, key) }
        });
        self.push(problem.code, problem.message.clone(), at, None, problem.hint.clone());
    }

    fn fields(&mut self, index: usize) {
        let loaded = self.loaded;
        for problem in &loaded.problems[index] {
            let at = locate(self.doc, index, &problem.path, problem.code == Code::UnknownKey);
            let name = name_of(&loaded.file.items[index]);
            self.push(problem.code, problem.message.clone(), Some(at), name, problem.hint.clone());
        }
    }

    fn mark(&mut self) {
        let file = &self.loaded.file;
        let highest = self.loaded.highest.max(self.around.floor);
        if self.loaded.has_mark && file.next_item_id < highest {
            let at = self.doc.locate(None, &[Step::Key("next_item_id".into())]);
            let message = format!("the mark is {}, but {highest} was issued", file.next_item_id);
            self.push(Code::MarkBehind, message, at, None, Some("the next write raises it".into()));
        }
    }

    fn ids(&mut self, links: &Links) {
        let loaded = self.loaded;
        for &index in &links.unnamed {
            let item = &loaded.file.items[index];
            let names = [[Segment::Key("id".into())], [Segment::Key("title".into())]];
            if item.title.trim().is_empty()
                || loaded.problems[index]
                    .iter()
                    .any(|problem| names.iter().any(|n| problem.path == n))
            {
                // Something is wrong with just that.
                continue;
            }
            let at = locate(self.doc, index, &[], false);
            let message = format!("`{}` has no ID yet", item.title);
            let hint = Some("the next write assigns one".to_owned());
            self.push(Code::MissingId, message, Some(at), Some(item.title.clone()), hint);
        }
        for &(first, index) in &links.duplicates {
            let id = self.name(index);
            let (line, _) = self.doc.record_lines(first);
            let at = locate(self.doc, index, &[Segment::Key("id".into())], false);
            let message = format!("{id} names two items; the first is in line {line}");
            let hint = Some("`orchestrator check --fix` gives the later one a new ID".to_owned());
            self.push(Code::DuplicateId, message, Some(at), Some(id), hint);
        }
    }

    fn unknown_dependencies(&mut self, links: &Links) {
        let loaded = self.loaded;
        for &(index, place) in &links.elsewhere {
            let item = &loaded.file.items[index];
            let dependency = &item.dependencies[place];
            if self.around.archived.contains_key(&ItemId::key(dependency)) {
                continue;
            }
            let path = [Segment::Key("dependencies".into()), Segment::Index(place)];
            let at = locate(self.doc, index, &path, false);
            let name = self.name(index);
            let message = format!("{name} depends on {dependency}, which exists nowhere");
            let hint = Some("correct it, or take it out; until then it counts as unmet".to_owned());
            self.push(Code::UnknownDependency, message, Some(at), Some(name), hint);
        }
    }

    fn cycles(&mut self, links: &Links) {
        for cycle in &links.cycles {
            let mut names: Vec<String> =
                cycle.iter().take(8).map(|index| self.name(*index)).collect();
            if cycle.len() > names.len() {
                names.push("…".to_owned());
            }
            names.extend(cycle.first().map(|index| self.name(*index)));
            let Some(&index) = cycle.first() else {
                continue;
            };
            let at = locate(self.doc, index, &[Segment::Key("dependencies".into())], false);
            let message = format!("items wait for each other: {}", names.join(" → "));
            let hint = Some("take one of these dependencies out".to_owned());
            self.push(Code::DependencyCycle, message, Some(at), Some(self.name(index)), hint);
        }
    }

    fn pipelines(&mut self) {
        let loaded = self.loaded;
        for (index, item) in loaded.file.items.iter().enumerate() {
            if item.status == ItemStatus::Done {
                continue;
            }
            let key = |key: &str| [Segment::Key(key.to_owned())];
            let pipeline = match self.around.rules.pipeline_of(item) {
                Ok(pipeline) => pipeline,
                Err(error) => {
                    let at = locate(self.doc, index, &key("pipeline_type"), false);
                    let hint =
                        Some("configure it in orchestrator.toml, or name another".to_owned());
                    self.push(
                        Code::UnknownPipeline,
                        error.to_string(),
                        Some(at),
                        item.id.clone(),
                        hint,
                    );
                    continue;
                }
            };
            if let Some(phase) =
                item.phase.as_deref().filter(|phase| pipeline.position(phase).is_none())
            {
                let at = locate(self.doc, index, &key("phase"), false);
                let message = format!("pipeline `{}` has no phase `{phase}`", pipeline.name);
                let hint = Some("the item goes on with the first phase of its pool".to_owned());
                self.push(Code::UnknownPhase, message, Some(at), item.id.clone(), hint);
            }
        }
    }
}

/// Returns what a person calls an item by: its ID, else its title.
fn name_of(item: &BacklogItem) -> Option<String> {
    let name = item.id.as_ref().unwrap_or(&item.title);
    (!name.trim().is_empty()).then(|| name.clone())
}

/// Returns the place of a value in an item: as near as the text has one.
fn locate(doc: &Document, index: usize, path: &[Segment], of_key: bool) -> Location {
    let mut steps: Vec<Step> = path
        .iter()
        .map(|segment| match segment {
            Segment::Key(key) => Step::Key(key.clone()),
            Segment::Index(index) => Step::Index(*index),
        })
        .collect();
    if of_key
        && let [Step::Key(key)] = steps.as_slice()
        && let Some(at) = doc.locate_key(Some(index), key)
    {
        return at;
    }
    while !steps.is_empty() {
        if let Some(at) = doc.locate(Some(index), &steps) {
            return at;
        }
        steps.pop();
    }
    let offset = doc.record_offset(index);
    let (line, column) = doc.line_column(offset);
    Location { offset, len: 1, line, column }
}
