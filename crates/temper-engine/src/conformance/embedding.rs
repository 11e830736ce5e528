//! Embedding look-up. Copies are exact; the gradient of a row is the sum over its tokens.

use super::approx::{Approx, Sum, exact};
use super::case::Case;
use crate::device::Device;

fn shape(case: &mut Case) -> (usize, usize, usize) {
    let (vocab, width, t) = (case.size(97), case.size(97), case.rows(if case.index % 16 == 15 { 2000 } else { 97 }));
    case.describe(format!("V={vocab} width={width} T={t}"));
    (vocab, width, t)
}

pub fn forward(device: &dyn Device, case: &mut Case) {
    let (vocab, width, t) = shape(case);
    let (table, ids) = (case.values(vocab * width), case.ids(t, vocab));
    let rows = exact(&table);
    let expected: Vec<Approx> =
        ids.iter().flat_map(|id| rows[*id as usize * width..(*id as usize + 1) * width].to_vec()).collect();
    case.check("y", &[t, width], &device.embedding(&table, width, &ids), &expected);
}

pub fn backward(device: &dyn Device, case: &mut Case) {
    let (vocab, width, t) = shape(case);
    let (ids, dy) = (case.ids(t, vocab), case.values(t * width));
    let mut sums = vec![Sum::default(); vocab * width];
    for (row, id) in ids.iter().enumerate() {
        for column in 0..width {
            sums[*id as usize * width + column].add(Approx::exact(dy[row * width + column]));
        }
    }
    let expected: Vec<Approx> = sums.iter().map(Sum::total).collect();
    case.check("dtable", &[vocab, width], &device.embedding_backward(vocab, width, &ids, &dy), &expected);
}
