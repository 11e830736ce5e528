//! Thin wrappers around comfy-table: no frames, fixed widths.

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width, presets};

/// A frameless table whose columns have exactly these widths (padding of two columns to the right included).
pub fn plain(widths: &[usize], right: impl Fn(usize) -> bool) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    // Columns come into being with the first row.
    table.add_row(widths.iter().map(|_| ""));
    for (i, column) in table.column_iter_mut().enumerate() {
        let width = u16::try_from(widths[i]).unwrap_or(u16::MAX);
        column.set_padding((0, 2)).set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
        if right(i) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// The table as lines without trailing blanks; the first row, which only made the columns, is left out.
pub fn lines(table: &Table) -> String {
    table.lines().skip(1).map(|line| format!("{}\n", line.trim_end())).collect()
}

/// A heading and rows, every column as wide as its widest cell.
pub fn grid<const N: usize>(heading: [&str; N], rows: Vec<[String; N]>, right: impl Fn(usize) -> bool) -> String {
    let widths: Vec<usize> =
        (0..N).map(|i| rows.iter().map(|row| width(&row[i])).max().unwrap_or(0).max(width(heading[i])) + 2).collect();
    let mut table = plain(&widths, right);
    table.add_row(heading);
    for row in rows {
        table.add_row(row);
    }
    lines(&table)
}

/// Columns that `text` takes in a terminal: East Asian wide characters take two.
pub fn width(text: &str) -> usize {
    text.chars()
        .map(|c| match c as u32 {
            0x0300..=0x036F | 0x200B..=0x200F | 0xFE00..=0xFE0F => 0,
            0x1100..=0x115F | 0x2E80..=0xA4CF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF => 2,
            0xFE30..=0xFE6F | 0xFF00..=0xFF60 | 0xFFE0..=0xFFE6 | 0x1F300..=0x1FAFF | 0x20000..=0x3FFFD => 2,
            _ => 1,
        })
        .sum()
}

/// `text` with blanks up to `to` columns.
pub fn pad(text: &str, to: usize) -> String {
    format!("{text}{}", " ".repeat(to.saturating_sub(width(text))))
}

/// Paragraph of `text` in lines of at most `columns`, the first behind `first`, the others behind as many blanks.
pub fn wrap(first: &str, text: &str, columns: usize) -> String {
    let indent = " ".repeat(width(first));
    let mut out = String::new();
    let mut line = first.to_owned();
    let mut empty = true;
    // A unit stays with its number.
    let text = text.replace(" %", "\u{A0}%");
    for word in text.split([' ', '\n']).filter(|word| !word.is_empty()) {
        if !empty && width(&line) + 1 + width(word) > columns {
            out.push_str(line.trim_end());
            out.push('\n');
            line.clone_from(&indent);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    out.push_str(line.trim_end());
    out.push('\n');
    out.replace('\u{A0}', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(width("中文 ab"), 7);
        assert_eq!(pad("中", 4), "中  ");
    }

    #[test]
    fn wrapping_hangs() {
        assert_eq!(wrap("- ", "aa bb cc", 7), "- aa bb\n  cc\n");
        assert_eq!(wrap("- ", "", 7), "-\n");
        assert_eq!(wrap("", "aa 12 % b", 5), "aa\n12 %\nb\n");
        assert_eq!(wrap("", "averyveryverylongword x", 5), "averyveryverylongword\nx\n");
    }
}
