//! The miniature world: text, tasks, oracles, annotator.
