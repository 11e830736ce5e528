//! Matrix products.

pub mod columns;
pub mod product;
pub mod tile;
