//! Files that another process reads or writes while we look on.
//!
//! [`OutputFile`] is where a child's output goes: the child writes on its own, and
//! we ask for the length and the end of what is there, so that output of any size
//! costs no memory. The file is asked through its handle, and so stays readable
//! when somebody removes its name. Nothing here is fsynced.
#![expect(clippy::disallowed_methods, reason = "this is the module that touches the file system")]

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::error::FsError;
use super::fault::{Op, point};

/// A file that a child process appends to.
#[derive(Debug)]
pub struct OutputFile {
    path: PathBuf,
    file: File,
    /// Opened anew: the child moves the offset that `file` shares with it.
    reader: File,
}

impl OutputFile {
    /// Creates the file, or opens it to append to it. Neither it nor its folder
    /// is fsynced.
    pub fn create(path: &Path) -> Result<Self, FsError> {
        let file = open_output(path)?;
        let reader = open(path)?;
        let path = path.to_owned();
        Ok(Self { path, file, reader })
    }

    /// Returns a second handle, to be given to the child.
    pub fn handle(&self) -> Result<File, FsError> {
        self.file.try_clone().map_err(FsError::one("open", &self.path))
    }

    /// Returns the length so far, in bytes.
    pub fn len(&self) -> Result<u64, FsError> {
        let metadata = self.reader.metadata();
        metadata.map(|metadata| metadata.len()).map_err(FsError::one("examine", &self.path))
    }

    /// Tells whether nothing was written yet.
    pub fn is_empty(&self) -> Result<bool, FsError> {
        Ok(self.len()? == 0)
    }

    /// Reads the last `max` bytes, or all where there are fewer.
    pub fn tail(&self, max: usize) -> Result<Vec<u8>, FsError> {
        tail_of(&self.reader, max).map_err(FsError::one("read", &self.path))
    }
}

/// Creates a file, or opens it to append to it. Neither it nor its folder is fsynced.
pub fn open_output(path: &Path) -> Result<File, FsError> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    point(Op::Create, path, || options.open(path)).map_err(FsError::one("create", path))
}

/// Reads the last `max` bytes of a file that somebody else writes, or all where there
/// are fewer; none where there is no such file.
pub fn tail(path: &Path, max: usize) -> Result<Vec<u8>, FsError> {
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        file => file.and_then(|file| tail_of(&file, max)).map_err(FsError::one("read", path)),
    }
}

fn tail_of(mut file: &File, max: usize) -> io::Result<Vec<u8>> {
    let len = file.metadata()?.len();
    let max = u64::try_from(max).unwrap_or(u64::MAX);
    file.seek(SeekFrom::Start(len.saturating_sub(max)))?;
    let mut bytes = Vec::new();
    file.take(max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads parts of a file, each as far as the file goes. Nothing is opened for no parts.
pub fn read_ranges(path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Vec<u8>>, FsError> {
    if ranges.is_empty() {
        return Ok(Vec::new());
    }
    let parts = || {
        let mut file = File::open(path)?;
        let mut part = |range: &Range<u64>| {
            let mut bytes = Vec::new();
            file.seek(SeekFrom::Start(range.start))?;
            (&mut file).take(range.end.saturating_sub(range.start)).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        ranges.iter().map(&mut part).collect::<io::Result<_>>()
    };
    parts().map_err(FsError::one("read", path))
}

/// Opens a file that a child process is to read.
pub fn open(path: &Path) -> Result<File, FsError> {
    File::open(path).map_err(FsError::one("open", path))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::fs::fault;

    #[test]
    fn the_end_is_seen_while_others_append() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let output = OutputFile::create(&path).unwrap();
        assert!(output.is_empty().unwrap());
        assert_eq!(output.tail(10).unwrap(), b"");
        let mut child = output.handle().unwrap();
        child.write_all(b"one\n").unwrap();
        assert_eq!(output.tail(2).unwrap(), b"e\n");
        child.write_all(b"two\n").unwrap();
        assert_eq!(output.tail(100).unwrap(), b"one\ntwo\n");
        assert_eq!(output.len().unwrap(), 8);
        std::fs::remove_file(&path).unwrap();
        child.write_all(b"three\n").unwrap();
        assert_eq!(output.tail(6).unwrap(), b"three\n");
    }

    #[test]
    fn making_one_passes_the_seam() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let full = io::ErrorKind::StorageFull;
        let (made, failed) = fault::fail_at(0, full.into(), || OutputFile::create(&path));
        assert!(made.unwrap_err().is_full());
        assert_eq!(failed, Some((Op::Create, path.clone())));
        assert!(open(&path).unwrap_err().is_not_found());
    }
}
