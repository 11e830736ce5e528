//! Reading rows: files, column maps, errors that name file, row and field.

mod error;
mod row;

pub use error::DataError;
pub use row::Row;
