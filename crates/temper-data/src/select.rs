//! The same `filter`, `skip` and `rows` for rows that do not come from a file.

use temper_recipe::DataSource;

use crate::{Row, filter};

/// The rows that a source keeps, in order: `filter` first, then `skip`, then `rows`.
pub fn select(rows: Vec<Row>, source: &DataSource) -> Vec<Row> {
    let keeps = |row: &Row| source.filter.iter().all(|(name, wanted)| filter::keeps(&row.fields, name, wanted));
    rows.into_iter().filter(keeps).skip(source.skip).take(source.rows.unwrap_or(usize::MAX)).collect()
}
