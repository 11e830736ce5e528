//! Embedding look-up.

use crate::par::{self, Shared};
use crate::real::Real;

/// Columns that one thread adds at a time.
const COLUMNS: usize = 64;

/// `x[t] = table[ids[t]]`.
pub fn forward<F: Real>(table: &[F], ids: &[u32], width: usize, x: &mut [F]) {
    for (id, x) in ids.iter().zip(x.chunks_exact_mut(width)) {
        let start = *id as usize * width;
        x.copy_from_slice(&table[start..start + width]);
    }
}

/// `dtable[ids[t]] += dx[t]`, over `t` in order.
pub fn backward<F: Real>(dx: &[F], ids: &[u32], width: usize, dtable: &mut [F]) {
    let dtable = Shared::new(dtable);
    par::chunks(width, COLUMNS, |columns| {
        for (id, dx) in ids.iter().zip(dx.chunks_exact(width)) {
            let start = *id as usize * width;
            // SAFETY: these columns belong to this task.
            let to = unsafe { dtable.range(start + columns.start..start + columns.end) };
            for (to, x) in to.iter_mut().zip(&dx[columns.clone()]) {
                *to += *x;
            }
        }
    });
}
