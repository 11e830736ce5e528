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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::finite::{check, dot, random};

    #[test]
    fn gradient() {
        let (width, ids) = (70, [3, 0, 3, 1]);
        let (table, a) = (random(4 * width, 1), random(ids.len() * width, 2));
        let run = |table: &[f64]| {
            let mut x = vec![0.0; ids.len() * width];
            forward(table, &ids, width, &mut x);
            x
        };
        let mut dtable = vec![0.0; table.len()];
        backward(&a, &ids, width, &mut dtable);
        check("dtable", &table, &dtable, |table| dot(&run(table), &a));
    }
}
