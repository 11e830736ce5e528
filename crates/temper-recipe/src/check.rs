//! Checks of recipes.
