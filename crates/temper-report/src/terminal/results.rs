//! Metrics and costs by arm or stage.

use temper_train::Cost;

use super::table::{lines, pad, plain, width as columns_of, wrap};
use crate::grid::{Grid, Relation, Row, arrow};
use crate::number::{self, MISSING, Style};

/// How much of a cell stands on one line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// Value, interval and mark side by side.
    Beside,
    /// The interval under the value.
    Stacked,
}

const GAP: usize = 2;

/// Width of the metrics' names where columns are short of room; longer names are wrapped.
const LABEL: usize = 26;

/// The grid with a block per suite and the costs at the end; split into several tables if it is too wide.
pub fn table(grid: &Grid, costs: &[Option<Cost>], width: usize) -> String {
    let all: Vec<usize> = (0..grid.columns.len()).collect();
    let of = |layout| -> Vec<usize> { all.iter().map(|c| column_width(grid, *c, costs, layout)).collect() };
    let total = |label, widths: &[usize]| label + GAP + widths.iter().map(|w| w + GAP).sum::<usize>() - GAP;
    for layout in [Layout::Beside, Layout::Stacked] {
        let widths = of(layout);
        for label in [label_width(grid), LABEL] {
            if total(label, &widths) <= width {
                return part(grid, costs, &all, label, &widths, layout);
            }
        }
    }
    let (label, stacked) = (LABEL, of(Layout::Stacked));
    // Too many arms for one table: several, each with the first column for reference.
    let mut out = String::new();
    let mut next = 1;
    while next < all.len() {
        let mut chosen = vec![0];
        let mut used = label + GAP + stacked[0] + GAP;
        while next < all.len() && (chosen.len() == 1 || used + stacked[next] <= width) {
            used += stacked[next] + GAP;
            chosen.push(next);
            next += 1;
        }
        let widths: Vec<usize> = chosen.iter().map(|c| stacked[*c]).collect();
        out.push_str(&part(grid, costs, &chosen, label, &widths, Layout::Stacked));
        if next < all.len() {
            out.push('\n');
        }
    }
    out
}

/// What the marks mean; a line on items without a score where there are any.
pub fn legend(grid: &Grid, reference: &str) -> String {
    let mut out = String::new();
    let marked =
        |row: &Row| grid.columns.iter().enumerate().any(|(i, c)| row.relation(i, c.reference) != Relation::Unclear);
    out.push_str("  [95 % interval]   ↑ higher is better, ↓ lower is better\n");
    if grid.rows.iter().any(marked) {
        out.push_str(&format!("  ▲ ▼ the interval lies entirely above, below {reference}\n"));
    } else if grid.columns.len() > 1 {
        out.push_str(&format!("  no interval lies entirely above or below {reference}\n"));
    }
    if grid.rows.iter().flat_map(|row| row.cells.iter().flatten()).any(|cell| cell.unscored > 0) {
        out.push_str("  * some samples have no score; they are left out of the number\n");
    }
    out
}

/// A line for every metric whose shares are corrected for the scorer's errors; nothing where there is none.
pub fn corrected(grid: &Grid, width: usize) -> String {
    let mut out = String::new();
    for row in &grid.rows {
        let cells = grid.columns.iter().zip(&row.cells);
        let found: Vec<String> = cells
            .filter_map(|(column, cell)| {
                let (value, interval) = (*cell)?.corrected?;
                Some(format!("{} {} {}", column.name, row.style.value(value), row.style.interval(interval)))
            })
            .collect();
        if !found.is_empty() {
            out.push_str(&wrap(
                &format!("  {} corrected for the scorer's errors: ", row.title),
                &found.join("; "),
                width,
            ));
        }
    }
    out
}

fn part(
    grid: &Grid,
    costs: &[Option<Cost>],
    chosen: &[usize],
    label: usize,
    widths: &[usize],
    layout: Layout,
) -> String {
    let all: Vec<usize> = std::iter::once(label + GAP).chain(widths.iter().map(|w| w + GAP)).collect();
    let mut out = pad("", label + GAP);
    for (column, width) in chosen.iter().zip(widths) {
        out.push_str(&pad(grid.columns[*column].name, width + GAP));
    }
    out = format!("{}\n", out.trim_end());
    let rule: usize = all.iter().sum::<usize>() - GAP;
    out.push_str(&format!("{}\n", "─".repeat(rule)));
    for rows in grid.suites() {
        let items = rows.iter().flat_map(|row| row.cells.iter().flatten()).map(|cell| cell.n).max().unwrap_or(0);
        out.push_str(&format!("{} ({})\n", rows[0].suite_title, number::count(items, "item")));
        let mut table = plain(&all, |_| false);
        for row in rows {
            let title = wrap("  ", &format!("{} {}", row.title, arrow(row.better)), label);
            let cells = chosen.iter().map(|column| cell(grid, row, *column, layout));
            table.add_row(std::iter::once(title.trim_end().to_owned()).chain(cells));
        }
        if let Some(shares) = cut_off(&rows[0], chosen) {
            table.add_row(std::iter::once("  cut off at token limit".to_owned()).chain(shares));
        }
        out.push_str(&lines(&table));
    }
    if costs.iter().any(Option::is_some) {
        out.push_str("Cost (of the arms: training; of the base model: making and measuring it)\n");
        let mut table = plain(&all, |_| false);
        for (title, text) in COSTS {
            let cells = chosen.iter().map(|column| costs[*column].as_ref().map_or(MISSING.to_owned(), text));
            table.add_row(std::iter::once(format!("  {title}")).chain(cells));
        }
        out.push_str(&lines(&table));
    }
    out.push_str(&format!("{}\n", "─".repeat(rule)));
    out
}

type CostText = fn(&Cost) -> String;

/// What is shown of a [`Cost`], in order.
pub const COSTS: [(&str, CostText); 5] = [
    ("tokens sampled", |cost| number::tokens(cost.tokens_sampled as f64)),
    ("tokens trained", |cost| number::tokens(cost.tokens_trained as f64)),
    ("FLOPs", |cost| number::flops(cost.flops)),
    ("wall time", |cost| number::duration(cost.wall_seconds)),
    ("peak memory", |cost| number::bytes(cost.peak_memory_bytes)),
];

fn cell(grid: &Grid, row: &Row, column: usize, layout: Layout) -> String {
    let Some(cell) = row.cells[column] else { return MISSING.to_owned() };
    let Some(value) = cell.value else {
        return if cell.unscored > 0 { "unscored *".to_owned() } else { MISSING.to_owned() };
    };
    let mark = row.relation(column, grid.columns[column].reference).mark();
    let star = if cell.unscored > 0 { "*" } else { "" };
    let value = match layout {
        Layout::Beside => format!("{:>7}", row.style.value(value)),
        Layout::Stacked => row.style.value(value),
    };
    match (cell.interval, layout) {
        (None, _) => format!("{value} {mark}{star}"),
        (Some(_), Layout::Beside) => format!("{value} {} {mark}{star}", row.style.interval(cell.interval)),
        (Some(_), Layout::Stacked) => format!("{value} {mark}{star}\n{}", row.style.interval(cell.interval)),
    }
}

/// Share of completions that reached the token limit, if any did.
fn cut_off(row: &Row, chosen: &[usize]) -> Option<Vec<String>> {
    let shares: Vec<Option<f64>> = chosen.iter().map(|column| row.cells[*column].map(|cell| cell.truncated)).collect();
    let any = shares.iter().flatten().any(|share| *share > 0.0);
    any.then(|| {
        shares.iter().map(|share| share.map_or(MISSING.to_owned(), |share| Style::Percent.value(share))).collect()
    })
}

fn label_width(grid: &Grid) -> usize {
    let widest = grid.rows.iter().map(|row| columns_of(row.title) + 4).max().unwrap_or(0);
    widest.clamp(LABEL, 34)
}

fn column_width(grid: &Grid, column: usize, costs: &[Option<Cost>], layout: Layout) -> usize {
    let cells = grid.rows.iter().flat_map(|row| {
        let text = cell(grid, row, column, layout);
        text.lines().map(|line| columns_of(line.trim_end())).collect::<Vec<_>>()
    });
    let costs = costs[column].iter().flat_map(|cost| COSTS.map(|(_, text)| columns_of(&text(cost))));
    cells.chain(costs).max().unwrap_or(0).max(columns_of(grid.columns[column].name))
}
