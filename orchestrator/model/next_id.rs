//! The rule by which numbers are issued: a floor and one above it.
//!
//! `next = max(highest suffix with the prefix, next_item_id) + 1`. The function is
//! pure; its caller stores the number back as the new mark, and makes it durable
//! before anyone is told the ID.

use super::{BacklogFile, IdFormat};

/// Why no ID can be issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The highest number ever issued is `u32::MAX`: there is none above it.
    #[error("the ID space is exhausted: {} has been issued", u32::MAX)]
    IdSpaceExhausted,
}

/// Returns the next ID of a prefix and its number, which is above every number
/// that an item of this prefix has and above the file's high-water mark.
///
/// IDs without a number are not counted. At least three digits are written.
///
/// ```
/// use orchestrator::model::{BacklogFile, generate_next_id};
///
/// let mut file = BacklogFile::default();
/// file.next_item_id = 27; // the highest ever issued; its item may be archived
/// let (id, number) = generate_next_id(&file, "WRK")?;
/// assert_eq!((id.as_str(), number), ("WRK-028", 28));
/// # Ok::<(), orchestrator::model::IdError>(())
/// ```
///
/// # Errors
/// [`IdError::IdSpaceExhausted`] at the end of `u32`: never a wrap.
pub fn generate_next_id(file: &BacklogFile, prefix: &str) -> Result<(String, u32), IdError> {
    let mark = file.next_item_id;
    let highest = file.items.highest_above(mark, prefix).unwrap_or(mark);
    let number = highest.checked_add(1).ok_or(IdError::IdSpaceExhausted)?;
    Ok((IdFormat::new(prefix).format(number), number))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::BacklogItem;

    fn file(ids: &[&str], mark: u32) -> BacklogFile {
        let items = ids
            .iter()
            .map(|id| Arc::new(BacklogItem { id: Some((*id).into()), ..BacklogItem::default() }));
        BacklogFile { next_item_id: mark, items: items.collect(), ..BacklogFile::default() }
    }

    #[test]
    fn the_formula_in_its_edge_cases() {
        assert_eq!(generate_next_id(&file(&[], 0), "WRK"), Ok(("WRK-001".into(), 1)));
        assert_eq!(generate_next_id(&file(&[], 5), "WRK"), Ok(("WRK-006".into(), 6)));
        assert_eq!(
            generate_next_id(&file(&["WRK-003", "WRK-009"], 4), "WRK"),
            Ok(("WRK-010".into(), 10))
        );
        assert_eq!(generate_next_id(&file(&["WRK-999"], 0), "WRK"), Ok(("WRK-1000".into(), 1000)));
    }

    #[test]
    fn other_prefixes_and_odd_ids_do_not_count() {
        assert_eq!(
            generate_next_id(&file(&["OPS-040", "draft", "WRK-x"], 2), "WRK"),
            Ok(("WRK-003".into(), 3))
        );
    }

    #[test]
    fn the_end_of_u32_is_an_error() {
        assert_eq!(generate_next_id(&file(&[], u32::MAX), "WRK"), Err(IdError::IdSpaceExhausted));
        assert_eq!(
            generate_next_id(&file(&["WRK-4294967295"], 0), "WRK"),
            Err(IdError::IdSpaceExhausted)
        );
        assert_eq!(generate_next_id(&file(&[], u32::MAX - 1), "WRK").unwrap().1, u32::MAX);
    }
}
