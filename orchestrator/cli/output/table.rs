//! Lists of rows: columns that fit the terminal, or tabs where a program reads.

use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, presets};

use super::terminal::printable;

/// Rows under headings. Cells are one line each.
pub(crate) struct Table {
    headings: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Makes a table without rows.
    pub(crate) fn new(headings: &'static [&'static str]) -> Self {
        Self { headings, rows: Vec::new() }
    }

    /// Adds a row of as many cells as there are headings.
    pub(crate) fn row<const N: usize>(&mut self, cells: [&str; N]) {
        self.rows.push(cells.map(one_line).into());
    }

    /// Returns whether there is no row.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns the rows alone, cells apart by tabs.
    pub(super) fn tabbed(&self) -> String {
        self.rows.iter().map(|row| row.join("\t") + "\n").collect()
    }

    /// Returns headings and rows in columns, long cells over several lines.
    pub(super) fn columns(&self, width: u16, is_colourful: bool) -> String {
        let mut table = comfy_table::Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width)
            .set_header(self.headings.iter().map(|heading| {
                Cell::new(heading).add_attribute(Attribute::Bold).set_alignment(CellAlignment::Left)
            }));
        for row in &self.rows {
            table.add_row(row);
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        if is_colourful {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        let lines = table.lines();
        lines.map(|line| line.trim_end().to_owned() + "\n").collect()
    }
}

/// Returns text as it can be printed in one line: tabs and new lines would be read as more
/// cells, rows, or words of ours.
pub(crate) fn one_line(text: &str) -> String {
    printable(&text.replace(['\n', '\t', '\r'], " ")).into_owned()
}
