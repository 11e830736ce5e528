//! The transformer: kernels, model, cache, optimiser, sampling, weights on disk. Knows no text.
