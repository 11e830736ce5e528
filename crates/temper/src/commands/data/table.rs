//! Small tables of text.

/// Columns under headings, the first one and those that are not numbers to the left, numbers to the right.
pub fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let numeric = |column: usize| {
        column > 0 && rows.iter().all(|row| row[column].starts_with(|c: char| c.is_ascii_digit() || c == '—'))
    };
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([headings[column].chars().count()]).max().unwrap_or(0)
    };
    let columns: Vec<(usize, bool)> = (0..headings.len()).map(|column| (width(column), numeric(column))).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells = cells.zip(&columns).map(|(cell, (width, right))| match right {
            true => format!("{cell:>width$}"),
            false => format!("{cell:<width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    let mut out = line(&mut headings.iter().copied());
    for row in rows {
        out += &line(&mut row.iter().map(String::as_str));
    }
    out
}

/// A share as a percentage.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// A number of bytes in the unit that suits it.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut size = count as f64;
    let mut unit = 0;
    while size >= 999.5 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    match unit {
        0 => format!("{count} B"),
        _ => format!("{size:.1} {}", UNITS[unit]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_right_and_names_left() {
        let rows =
            [vec!["a".to_owned(), "7".to_owned(), "x".to_owned()], vec!["long".into(), "123".into(), "y".into()]];
        assert_eq!(table(&["name", "n", "what"], &rows), "name    n  what\na       7  x\nlong  123  y\n");
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!((bytes(999).as_str(), bytes(1_000).as_str()), ("999 B", "1.0 kB"));
        assert_eq!((bytes(999_960).as_str(), bytes(1_234_567_890).as_str()), ("1.0 MB", "1.2 GB"));
    }
}
