//! The recipe: types, defaults, validation and JSON Schema. No tensors.
