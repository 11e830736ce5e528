//! Matrix products.

pub mod bf16;
pub mod columns;
pub mod panels;
pub mod product;
pub mod tile;
