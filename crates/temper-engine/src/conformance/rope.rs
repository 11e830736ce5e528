//! Rotary position embedding.

use super::approx::{Approx, exact};
use super::case::Case;
use crate::Key;
use crate::device::{Device, RopeTable};

/// Rotates each head of rows of `x`; `sign` -1 rotates back.
fn rotate(x: &[f32], heads: usize, table: &RopeTable, positions: &[usize], sign: f64) -> Vec<Approx> {
    let (dim, half) = (table.head_dim, table.head_dim / 2);
    let x = exact(x);
    let mut y = x.clone();
    for (row, position) in positions.iter().enumerate() {
        let angles = exact(table.at(*position));
        for head in 0..heads {
            let at = (row * heads + head) * dim;
            for i in 0..half {
                let (a, b, cos) = (x[at + i], x[at + half + i], angles[i]);
                let sin = Approx { value: sign * angles[half + i].value, ..angles[half + i] };
                y[at + i] = a * cos - b * sin;
                y[at + half + i] = b * cos + a * sin;
            }
        }
    }
    y
}

/// Cosines and sines of plain or scaled frequencies for the positions up to the largest, which may be far apart.
fn table(case: &mut Case, head_dim: usize, len: usize) -> Vec<f32> {
    let (theta, factor) = (case.choose(&[100.0f64, 1e4, 1e6]), case.choose(&[1.0, 0.25, 1.2]));
    let key: Key = case.key();
    let mut values = Vec::new();
    for position in 0..len {
        let angle = |i: usize| {
            let scale = if key.fold(i as u64).uniform() < 0.5 { 1.0 } else { factor };
            position as f64 * theta.powf(-2.0 * i as f64 / head_dim as f64) * scale
        };
        values.extend((0..head_dim / 2).map(|i| (angle(i).cos() * factor) as f32));
        values.extend((0..head_dim / 2).map(|i| (angle(i).sin() * factor) as f32));
    }
    values
}

fn check(
    case: &mut Case,
    output: &'static str,
    sign: f64,
    f: impl Fn(&[f32], usize, &RopeTable, &[usize]) -> Vec<f32>,
) {
    let (t, heads) = (case.rows(33), case.size(12));
    let head_dim = 2 * case.size(64);
    let len = case.choose(&[1, 7, 300]);
    case.describe(format!("T={t} heads={heads} head_dim={head_dim} positions<{len}"));
    let values = table(case, head_dim, len);
    let table = RopeTable { head_dim, values: &values };
    let positions: Vec<usize> = case.ids(t, len).iter().map(|p| *p as usize).collect();
    let x = case.values(t * heads * head_dim);
    let expected = rotate(&x, heads, &table, &positions, sign);
    case.check(output, &[t, heads, head_dim], &f(&x, heads, &table, &positions), &expected);
}

pub fn forward(device: &dyn Device, case: &mut Case) {
    check(case, "y", 1.0, |x, heads, table, positions| device.rope(x, heads, table, positions));
}

pub fn backward(device: &dyn Device, case: &mut Case) {
    check(case, "dx", -1.0, |dy, heads, table, positions| device.rope_backward(dy, heads, table, positions));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The transposed rotation carries any `dy` to where `x . dx = y . dy`.
    #[test]
    fn back_is_the_transpose() {
        let mut case = Case::new("rope", 0, 0);
        let values = table(&mut case, 6, 9);
        let table = RopeTable { head_dim: 6, values: &values };
        let (x, dy) = (case.values_of(crate::conformance::case::Kind::Normal, 24), case.values(24));
        let y = rotate(&x, 2, &table, &[3, 8], 1.0);
        let dx = rotate(&dy, 2, &table, &[3, 8], -1.0);
        let dot = |a: &[Approx], b: &[f32]| a.iter().zip(b).map(|(a, b)| a.value * f64::from(*b)).sum::<f64>();
        assert!((dot(&y, &dy) - dot(&dx, &x)).abs() < 1e-9);
    }
}
