//! What a bench is asked for: `--json`, `--quick`, `--row NAME` and, where things are
//! measured at several sizes, `--size N`.

use crate::Result;
use crate::table::Row;

/// What was asked for.
pub(crate) struct Arguments {
    pub(crate) json: bool,
    pub(crate) quick: bool,
    pub(crate) size: Option<usize>,
    pub(crate) row: Option<String>,
}

impl Arguments {
    /// Reads them from the command line.
    pub(crate) fn read(has_sizes: bool) -> Result<Self> {
        let mut found = Self { json: false, quick: false, size: None, row: None };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--json" => found.json = true,
                "--quick" => found.quick = true,
                "--size" if has_sizes => {
                    let size = arguments.next().ok_or("--size needs a number")?;
                    found.size = Some(size.parse()?);
                }
                "--row" => found.row = Some(arguments.next().ok_or("--row needs a name")?),
                // cargo's own.
                "--bench" => {}
                other => return Err(format!("unknown argument {other}").into()),
            }
        }
        Ok(found)
    }

    /// Tells whether a row is to be measured.
    pub(crate) fn wants(&self, row: &str) -> bool {
        self.row.as_deref().is_none_or(|wanted| wanted == row)
    }

    /// Begins the table, whose rows follow as they are measured.
    pub(crate) fn begin(&self, sizes: &str) {
        if !self.json {
            println!(
                "{:<32} {:>7} {:>9} {:>12} {:>12} {:>12} {:>12} {:>9}",
                "row", sizes, "unit", "median", "min", "max", "baseline", "ratio"
            );
        }
    }

    /// Shows a row.
    pub(crate) fn show(&self, row: &Row) {
        if !self.json {
            row.print();
        }
    }

    /// Ends with all rows.
    pub(crate) fn end(&self, bench: &str, rows: &[Row]) {
        if self.json {
            let rows: Vec<_> = rows.iter().map(Row::json).collect();
            println!("{}", serde_json::json!({ "bench": bench, "rows": rows }));
        }
    }
}
