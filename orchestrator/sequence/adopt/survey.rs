//! What all sources together say: the highest number of each sequence, and which
//! files have the same ID.
//!
//! IDs that stand alone, as in front matter or a column, are read at once. Texts that
//! only hold an ID, such as file names, are kept until the end: by then it is known
//! which sequences there are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::front_matter::{FrontMatter, FrontMatterError, decoded, front_matter};
use super::reader::IdReader;
use crate::sequence::Key;

/// Collects what sources have.
#[derive(Debug)]
pub struct Survey<'a> {
    reader: IdReader<'a>,
    findings: Findings,
    files: Vec<File>,
    /// Names that may begin with, or hold, an ID.
    names: BTreeSet<String>,
    /// Names of folders, which may begin with one.
    folders: BTreeSet<String>,
    subjects: Vec<String>,
}

/// A file whose ID is not settled yet, or settled by its front matter.
#[derive(Debug)]
struct File {
    path: PathBuf,
    /// What tells it from other files, whatever path leads to it.
    identity: (u64, u64),
    id: Option<(Key, u32)>,
    /// Whether the front matter is about another sequence.
    is_other: bool,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// The highest number of each sequence, at least 1.
    pub highest: BTreeMap<Key, u32>,
    /// Files with the same ID.
    pub duplicates: Vec<Duplicate>,
    /// Files whose front matter says no ID.
    pub malformed: Vec<Malformed>,
    /// IDs whose number no sequence can reach.
    pub too_large: BTreeSet<String>,
}

/// An ID that several files have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    /// The ID.
    pub id: String,
    /// The files, at least two.
    pub paths: Vec<PathBuf>,
}

/// A file whose front matter says no ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: String,
    /// Whether it counts all the same: by its name, or by a line of its head.
    pub counts: bool,
}

impl<'a> Survey<'a> {
    /// Makes a survey in which nothing was found yet.
    pub fn new(reader: IdReader<'a>) -> Self {
        Self {
            reader,
            findings: Findings::default(),
            files: Vec::new(),
            names: BTreeSet::new(),
            folders: BTreeSet::new(),
            subjects: Vec::new(),
        }
    }

    /// Takes in a text that is an ID as a whole; returns whether it is one of these
    /// sequences.
    pub fn add_id(&mut self, id: &str) -> bool {
        match self.reader.exact(id.trim()) {
            Some((key, number)) => {
                self.findings.count(key, number, id);
                true
            }
            None => false,
        }
    }

    /// Takes in a value of a column: an ID, or for a single sequence its number.
    /// Returns whether it is one.
    pub fn add_value(&mut self, value: &str) -> bool {
        let value = value.trim();
        // A column of fractions writes whole numbers as `41.0`.
        let is_whole = |fraction: &str| fraction.bytes().all(|byte| byte == b'0');
        let whole = value.split_once('.').filter(|(_, fraction)| is_whole(fraction));
        let digits = whole.map_or(value, |(digits, _)| digits);
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if is_number
            && let Some(key) = self.reader.key()
            && let Ok(number) = digits.parse()
        {
            let key = key.clone();
            self.findings.count(key, number, value);
            return true;
        }
        self.add_id(value)
    }

    /// Takes in a file: its name, and the beginning of what is in it. `identity` tells
    /// it from other files, so that one with two paths is no duplicate of itself.
    pub fn add_file(&mut self, path: &Path, identity: (u64, u64), head: &[u8]) {
        let mut file = File { path: path.to_owned(), identity, id: None, is_other: false };
        let problem = match front_matter(head) {
            Ok(FrontMatter::None) => None,
            Ok(FrontMatter::Id(id)) => match self.reader.exact(&id) {
                Some((key, number)) => {
                    file.id = self.findings.count(key, number, &id);
                    None
                }
                None if self.reader.is_odd(&id) => {
                    Some(format!("its `id` is {id:?}, which is no ID of this format"))
                }
                None => {
                    file.is_other = true;
                    None
                }
            },
            Err(error) => Some(self.damaged(&mut file, head, error)),
        };
        if let Some(problem) = problem {
            let path = path.to_owned();
            self.findings.malformed.push(Malformed { path, problem, counts: false });
        }
        self.files.push(file);
    }

    /// All lines `id: …` count even where the rest makes no sense, as after a merge.
    fn damaged(&mut self, file: &mut File, head: &[u8], error: FrontMatterError) -> String {
        let head = decoded(head);
        let text = String::from_utf8_lossy(&head);
        for id in text.lines().filter_map(id_in_line) {
            let Some((key, number)) = self.reader.exact(id) else { continue };
            let counted = self.findings.count(key, number, id);
            let both = [counted, file.id.take()].into_iter().flatten();
            file.id = both.max_by_key(|(_, number)| *number);
        }
        error.to_string()
    }

    /// Takes in the path of a file that is or was somewhere: its name counts.
    pub fn add_path(&mut self, path: &Path) {
        if let Some(name) = name_of(path) {
            self.names.insert(name);
        }
    }

    /// Takes in the folders of a path: a ticket may be a folder of files.
    pub fn add_folders_of(&mut self, path: &Path) {
        let folders = path.ancestors().skip(1).filter_map(name_of);
        self.folders.extend(folders);
    }

    /// Takes in a text that may mention IDs. Those of sequences that nothing else knows
    /// of do not count.
    pub fn add_subject(&mut self, subject: &str) {
        if subject.bytes().any(|byte| byte.is_ascii_digit()) {
            self.subjects.push(subject.to_owned());
        }
    }

    /// Returns what was found.
    pub fn finish(mut self) -> Findings {
        self.reader.know(self.findings.highest.keys().cloned());
        for name in &self.names {
            if let Some((_, key, number)) = self.reader.all_in(name).into_iter().next() {
                self.findings.count(key, number, name);
            }
        }
        for name in &self.folders {
            if let Some((0, key, number)) = self.reader.all_in(name).into_iter().next() {
                self.findings.count(key, number, name);
            }
        }
        for file in &mut self.files {
            let Some(name) = name_of(&file.path) else { continue };
            let named = self.reader.all_in(&name).into_iter().next();
            // A file with an ID of its own may mention another one in its name, but not
            // at its beginning.
            let has_id = file.id.is_some() || file.is_other;
            if let Some((start, key, number)) = named
                && (start == 0 || !has_id)
            {
                let named = self.findings.count(key, number, &name);
                if !has_id {
                    file.id = named;
                }
            }
        }
        let counted: BTreeSet<&Path> = self
            .files
            .iter()
            .filter(|file| file.id.is_some())
            .map(|file| file.path.as_path())
            .collect();
        for malformed in &mut self.findings.malformed {
            malformed.counts = counted.contains(malformed.path.as_path());
        }
        self.reader.know(self.findings.highest.keys().cloned());
        for subject in &self.subjects {
            for (_, key, number) in self.reader.known_in(subject) {
                self.findings.count(key, number, subject);
            }
        }
        self.findings.duplicates = duplicates(&self.reader, self.files);
        self.findings
    }
}

impl Findings {
    /// Counts a number; returns it where it is one that can be issued. 0 is never
    /// issued, and what is past the largest number cannot be.
    fn count(&mut self, key: Key, number: u64, text: &str) -> Option<(Key, u32)> {
        let Ok(number) = u32::try_from(number) else {
            self.too_large.insert(text.to_owned());
            return None;
        };
        if number == 0 {
            return None;
        }
        let highest = self.highest.entry(key.clone()).or_default();
        *highest = number.max(*highest);
        Some((key, number))
    }
}

/// Returns the ID of a line such as `id: US-028 # moved` or `"id": 'US-028'`.
fn id_in_line(line: &str) -> Option<&str> {
    let names = ["id", "\"id\"", "'id'"].into_iter();
    let rest = names.filter_map(|name| line.strip_prefix(name)).next()?;
    let value = rest.trim_start().strip_prefix(':')?.trim();
    // Signs that YAML gives a meaning to begin no plain text.
    let value = value.trim_start_matches(|c: char| "[{@*&!|>%`,".contains(c)).trim_start();
    match value.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        Some(quote) => value[1..].split(quote).next().map(str::trim),
        None => {
            let plain = value.split(" #").next()?;
            plain.split([',', ']', '}']).next().map(str::trim_end)
        }
    }
}

fn name_of(path: &Path) -> Option<String> {
    path.file_name().map(|name| name.to_string_lossy().into_owned())
}

fn duplicates(reader: &IdReader<'_>, files: Vec<File>) -> Vec<Duplicate> {
    let mut of: BTreeMap<(Key, u32), BTreeMap<(u64, u64), PathBuf>> = BTreeMap::new();
    for File { path, identity, id, .. } in files {
        if let Some(id) = id {
            of.entry(id).or_default().entry(identity).or_insert(path);
        }
    }
    let several = of.into_iter().filter(|(_, files)| files.len() > 1);
    several
        .map(|((key, number), files)| {
            let mut paths: Vec<PathBuf> = files.into_values().collect();
            paths.sort();
            Duplicate { id: reader.id(&key, number), paths }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sequence::Layout;

    fn key(prefix: &str, kind: &str) -> Key {
        Key::new([prefix, kind]).unwrap()
    }

    fn file(survey: &mut Survey<'_>, path: &str, text: &str) {
        let number = survey.files.len() as u64;
        survey.add_file(Path::new(path), (1, number), text.as_bytes());
    }

    fn head(id: &str) -> String {
        format!("---\nid: {id}\n---\n")
    }

    #[test]
    fn all_ids_in_a_damaged_head_count() {
        let layout = Layout::prefix_type();
        let mut survey = Survey::new(IdReader::new(&layout, &[]).unwrap());
        let merged =
            "---\n<<<<<<< HEAD\nid: K-MRG-8\n=======\nid: K-MRG-9\n>>>>>>> x\nid: K-MRG-7\n";
        file(&mut survey, "merged.md", merged);
        for id in ["[K-SIGN-1", "{K-SIGN-2}", "@K-SIGN-3, x", "*K-SIGN-4"] {
            file(&mut survey, &format!("{id}.txt"), &format!("---\nid: {id}\nx: [\n---\n"));
        }
        let findings = survey.finish();
        let highest = [("MRG", 9), ("SIGN", 4)];
        assert_eq!(findings.highest, BTreeMap::from(highest.map(|(kind, n)| (key("K", kind), n))));
        assert!(findings.malformed.iter().all(|malformed| malformed.counts), "{findings:?}");
    }

    #[test]
    fn the_highest_of_all_sources_counts() {
        let layout = Layout::prefix_type();
        let mut reader = IdReader::new(&layout, &[]).unwrap();
        reader.know([key("K", "OLD")]);
        let mut survey = Survey::new(reader);
        for n in 1..=5 {
            file(&mut survey, &format!("items/{n}.md"), &head(&format!("K-TSK-{n:04}")));
        }
        file(&mut survey, ".trash/K-TSK-0006_x.md", "no head");
        file(&mut survey, "K-TSK-0007_x.md", "---\nid: [\n---\n");
        file(&mut survey, "K-TSK-0008_x.md", &head("K-TSK-3x"));
        file(&mut survey, "k-tsk-9_x.md", &head("K-TSK-3x"));
        file(&mut survey, "x.md", "---\nid: 'K-TSK-9'\ntitle: [\n");
        file(&mut survey, "y.md", "---\nid: K-LINE-1 # moved\ntitle: [\n");
        file(&mut survey, "z.md", "---\n\"id\" : \"K-LINE-2\" # so\ntitle: [\n");
        file(&mut survey, "K-TSK-0010_moved.md", &head("K-TSK-0002"));
        file(&mut survey, "K-FTR-0001_after_K-TSK-0999.md", &head("K-FTR-0001"));
        assert!(survey.add_id(" K-TSK-11 ") && !survey.add_id("11") && !survey.add_value("11"));
        survey.add_path(Path::new("old/K-TSK-0012_gone.md"));
        survey.add_subject("Fix K-TSK-13 (see K-TSK-0014); UTF-8-1 and OTHER-X-3");
        file(&mut survey, "K-TSK-0000_template.md", &head("K-TSK-0000"));
        file(&mut survey, "K-TSK-4294967296.md", "");
        survey.add_subject("K-OLD-7");
        let findings = survey.finish();
        let highest = [("FTR", 1), ("LINE", 2), ("OLD", 7), ("TSK", 14)];
        assert_eq!(findings.highest, BTreeMap::from(highest.map(|(kind, n)| (key("K", kind), n))));
        assert_eq!(findings.too_large.len(), 1);
        let malformed: Vec<&Path> = findings.malformed.iter().map(|m| m.path.as_path()).collect();
        let odd = ["K-TSK-0007_x.md", "K-TSK-0008_x.md", "k-tsk-9_x.md", "x.md", "y.md", "z.md"];
        assert_eq!(malformed, odd.map(Path::new));
        let counts: Vec<bool> = findings.malformed.iter().map(|m| m.counts).collect();
        assert_eq!(counts, [true, true, false, true, true, true]);
        assert_eq!(findings.duplicates.len(), 1, "{:?}", findings.duplicates);
        assert_eq!(
            findings.duplicates[0].paths,
            ["K-TSK-0010_moved.md", "items/2.md"].map(Path::new)
        );
    }

    #[test]
    fn each_source_alone_is_neither_one_too_high_nor_too_low() {
        let layout = Layout::prefix_type();
        let reader =
            || Survey::new(IdReader::new(&layout, &[("prefix", "K"), ("type", "T")]).unwrap());
        let feeds: [fn(&mut Survey<'_>); 6] = [
            |survey| file(survey, "x.md", "---\nid: K-T-0041\n---\n"),
            |survey| file(survey, "K-T-41.md", ""),
            |survey| {
                assert!(survey.add_value("41") && !survey.add_value("-42") && !survey.add_value(""))
            },
            |survey| {
                assert!(survey.add_value("41.0") && survey.add_value("3.00"));
                assert!(!survey.add_value("42.5") && !survey.add_value(".0"));
            },
            |survey| survey.add_path(Path::new("a/K-T-00041_b.txt")),
            |survey| survey.add_subject("K-T-41"),
        ];
        for feed in feeds {
            let mut survey = reader();
            feed(&mut survey);
            assert_eq!(survey.finish().highest, BTreeMap::from([(key("K", "T"), 41)]));
        }
        assert_eq!(reader().finish(), Findings::default());
    }

    #[test]
    fn a_folder_counts_where_its_name_begins_with_an_id() {
        let layout = Layout::prefix_type();
        let mut survey = Survey::new(IdReader::new(&layout, &[]).unwrap());
        survey.add_folders_of(Path::new("after K-T-9/K-T-0007_x/notes/K-T-8.md"));
        let findings = survey.finish();
        assert_eq!(findings.highest, BTreeMap::from([(key("K", "T"), 7)]));
        assert_eq!(findings.duplicates, []);
    }

    #[test]
    fn one_file_by_two_paths_is_no_duplicate() {
        let layout = Layout::prefix_type();
        let mut survey = Survey::new(IdReader::new(&layout, &[]).unwrap());
        for path in ["a/K-T-1.md", "b/K-T-1.md"] {
            survey.add_file(Path::new(path), (1, 1), b"");
        }
        survey.add_file(Path::new("c/K-T-2.md"), (1, 2), b"---\nid: K-T-0002\n---\n");
        survey.add_file(Path::new("d/x.md"), (1, 3), b"---\nid: K-T-2\n---\n");
        let duplicates = survey.finish().duplicates;
        assert_eq!(duplicates.len(), 1);
        assert_eq!(duplicates[0].id, "K-T-0002");
        assert_eq!(duplicates[0].paths, ["c/K-T-2.md", "d/x.md"].map(Path::new));
    }
}
