//! Sums in a lane structure that depends only on the index, so that they are vector code with one fixed order.

use crate::kernels::tile::LANES;
use crate::real::Real;

/// Adds lanes pairwise: `((0 + 8) + (4 + 12)) + ...`.
#[inline(always)]
pub fn fold<F: Real>(mut lanes: [F; LANES]) -> F {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// `sum_i x[i] y[i]`.
#[inline(always)]
pub fn dot<F: Real, const FMA: bool>(x: &[F], y: &[F]) -> F {
    let mut lanes = [F::ZERO; LANES];
    let (xs, x_rest) = x.as_chunks::<LANES>();
    let (ys, y_rest) = y.as_chunks::<LANES>();
    for (a, b) in xs.iter().zip(ys) {
        for i in 0..LANES {
            lanes[i] = a[i].fma::<FMA>(b[i], lanes[i]);
        }
    }
    for (i, (a, b)) in x_rest.iter().zip(y_rest).enumerate() {
        lanes[i] = a.fma::<FMA>(*b, lanes[i]);
    }
    fold(lanes)
}

/// `sum_i x[i] y[i] z[i]`.
#[inline(always)]
pub fn dot3<F: Real, const FMA: bool>(x: &[F], y: &[F], z: &[F]) -> F {
    let mut lanes = [F::ZERO; LANES];
    let (xs, x_rest) = x.as_chunks::<LANES>();
    let (ys, y_rest) = y.as_chunks::<LANES>();
    let (zs, z_rest) = z.as_chunks::<LANES>();
    for ((a, b), c) in xs.iter().zip(ys).zip(zs) {
        for i in 0..LANES {
            lanes[i] = (a[i] * b[i]).fma::<FMA>(c[i], lanes[i]);
        }
    }
    for (i, ((a, b), c)) in x_rest.iter().zip(y_rest).zip(z_rest).enumerate() {
        lanes[i] = (*a * *b).fma::<FMA>(*c, lanes[i]);
    }
    fold(lanes)
}

/// The largest element (negative infinity if there is none).
#[inline(always)]
pub fn max<F: Real>(x: &[F]) -> F {
    let mut lanes = [F::NEG_INFINITY; LANES];
    let (xs, rest) = x.as_chunks::<LANES>();
    for a in xs {
        for i in 0..LANES {
            lanes[i] = a[i].max(lanes[i]);
        }
    }
    for (i, a) in rest.iter().enumerate() {
        lanes[i] = a.max(lanes[i]);
    }
    let mut most = lanes[0];
    for lane in &lanes[1..] {
        most = lane.max(most);
    }
    most
}
