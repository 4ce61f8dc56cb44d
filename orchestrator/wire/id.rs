//! Numbers without items: one issued, several reserved, all of them accounted for.

use serde::Serialize;

/// One ID that was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IssuedId {
    /// The ID.
    pub id: String,
    /// Its number.
    pub number: u64,
    /// The ID that was issued before it, where there was one.
    pub previous: Option<String>,
}

/// Where the numbers of a backlog stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IdStatus {
    /// What new IDs begin with.
    pub prefix: String,
    /// The high-water mark: the highest of all its copies and of all that is known.
    pub mark: u32,
    /// The mark that the backlog file itself has.
    pub file_mark: u32,
    /// The next ID; `null` at the end of all numbers.
    pub next: Option<String>,
    /// `ok`, or `stale` where the file's own mark is behind.
    pub state: &'static str,
}

/// IDs that are held for somebody until they confirm or the time is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reservation {
    /// Under which it is confirmed.
    pub reservation_id: String,
    /// The IDs, ascending.
    pub ids: Vec<String>,
    /// When it ends, RFC 3339.
    pub expires_at: String,
}

/// What became of every number from 1 to the mark. Ranges are inclusive, ascending,
/// and cover each number once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Audit {
    /// The high-water mark.
    pub mark: u32,
    /// Numbers of items in the backlog, under any prefix.
    pub live: Vec<[u32; 2]>,
    /// Numbers of archived items.
    pub archived: Vec<[u32; 2]>,
    /// Numbers that were issued without an item.
    pub reserved: Vec<[u32; 2]>,
    /// Numbers that nothing is known of.
    pub skipped: Vec<[u32; 2]>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts() {
        let first = IssuedId { id: "WRK-001".into(), number: 1, previous: None };
        assert_eq!(
            serde_json::to_string(&first).unwrap(),
            r#"{"id":"WRK-001","number":1,"previous":null}"#
        );
        let status = IdStatus {
            prefix: "WRK".into(),
            mark: 7,
            file_mark: 5,
            next: Some("WRK-008".into()),
            state: "stale",
        };
        assert_eq!(
            serde_json::to_string(&status).unwrap(),
            r#"{"prefix":"WRK","mark":7,"file_mark":5,"next":"WRK-008","state":"stale"}"#
        );
        let held = Reservation {
            reservation_id: "r".into(),
            ids: vec!["WRK-002".into()],
            expires_at: "2026-01-01T00:00:00Z".into(),
        };
        assert_eq!(
            serde_json::to_string(&held).unwrap(),
            r#"{"reservation_id":"r","ids":["WRK-002"],"expires_at":"2026-01-01T00:00:00Z"}"#
        );
        let audit = Audit {
            mark: 7,
            live: vec![[1, 4], [7, 7]],
            skipped: vec![[5, 6]],
            ..Audit::default()
        };
        assert_eq!(
            serde_json::to_string(&audit).unwrap(),
            r#"{"mark":7,"live":[[1,4],[7,7]],"archived":[],"reserved":[],"skipped":[[5,6]]}"#
        );
    }
}
