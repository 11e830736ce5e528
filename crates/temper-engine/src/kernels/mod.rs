//! Matrix products.

pub mod product;
pub mod tile;
