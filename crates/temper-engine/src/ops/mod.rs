//! Operations on rows, each with its backward beside it.

pub mod attention;
pub mod attention_backward;
pub mod embedding;
pub mod head;
pub mod linear;
pub mod reduce;
pub mod rmsnorm;
pub mod rope;
pub mod swiglu;
