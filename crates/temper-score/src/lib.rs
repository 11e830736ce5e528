//! Scorers: reward in training, metric at a gate, monitor in production.
