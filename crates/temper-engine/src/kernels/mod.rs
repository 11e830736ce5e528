//! Matrix products.

pub mod columns;
pub mod panels;
pub mod product;
pub mod tile;
