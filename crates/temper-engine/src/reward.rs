//! Reward models: a linear head, `[labels, hidden]` and without bias, on the last position of each sequence, as
//! transformers' sequence classifiers have it.

use crate::forward;
use crate::simd::simd;
use crate::workspace::{Workspace, fit};
use crate::{Grads, Model, Packed, Real, backward, par};

impl<F: Real> Model<F> {
    /// Rewards `[segments, labels]`, from the last position of each segment; 0 for an empty one.
    ///
    /// # Panics
    /// If the model has no such head or a token id is not below `vocab_size`.
    pub fn rewards(&self, batch: &Packed) -> Vec<F> {
        self.with_workspace(|work| par::in_pool(|| self.run_rewards(batch, work, false)))
    }

    /// Forward, loss and backward; adds the gradient to `grads`. `loss` maps the rewards to the loss's derivative with
    /// respect to each.
    ///
    /// # Panics
    /// As for [`Model::rewards`], or if `loss` returns derivatives of another length.
    pub fn backprop_rewards(&self, batch: &Packed, grads: &mut Grads<F>, loss: impl FnOnce(&[F]) -> Vec<F>) -> Vec<F> {
        self.with_workspace(|work| {
            let rewards = par::in_pool(|| self.run_rewards(batch, work, true));
            let drewards = loss(&rewards);
            assert_eq!(drewards.len(), rewards.len(), "a derivative for each reward");
            let (head, d) = (self.score_head(), self.config().hidden_size);
            let labels = head.len() / d;
            let place = match self.adapter() {
                Some(adapter) => &adapter.score,
                None => &self.places.score,
            };
            let rows = &work.head;
            let dhidden = &mut work.backward.dhidden;
            fit(dhidden, rows.hidden.len());
            dhidden.fill(F::ZERO);
            let dhead = &mut grads.values[place.clone().unwrap_or(0..0)];
            for (i, segment) in rows.tokens.iter().enumerate() {
                let row = i * d..(i + 1) * d;
                for label in 0..labels {
                    let (derivative, weights) = (drewards[segment * labels + label], label * d..(label + 1) * d);
                    add_scaled(derivative, &rows.hidden[row.clone()], &mut dhead[weights.clone()]);
                    add_scaled(derivative, &head[weights], &mut dhidden[row.clone()]);
                }
            }
            par::in_pool(|| backward::layers(self, batch, work, &mut grads.values));
            rewards
        })
    }

    /// The head that is in use: the adapter's, if it has one.
    fn score_head(&self) -> &[F] {
        if let Some(adapter) = self.adapter()
            && let Some(place) = &adapter.score
        {
            return &adapter.params[place.clone()];
        }
        self.places.score.as_ref().map_or(&[], |place| &self.params()[place.clone()])
    }

    fn run_rewards(&self, batch: &Packed, work: &mut Workspace<F>, keep: bool) -> Vec<F> {
        let config = self.config();
        let labels = config.num_labels.unwrap_or_else(|| panic!("the model has no head for rewards"));
        forward::check_batch(config, batch);
        work.prepare(config, batch, keep, self.checkpointing());
        let last = forward::layers(self, batch, true, work);
        forward::last_rows(self, batch, &work.x[last], &mut work.head);
        let (head, d) = (self.score_head(), config.hidden_size);
        let mut rewards = vec![F::ZERO; batch.segments() * labels];
        for (segment, hidden) in work.head.tokens.iter().zip(work.head.hidden.chunks_exact(d)) {
            for (reward, weights) in rewards[segment * labels..].iter_mut().zip(head.chunks_exact(d)) {
                *reward = product(hidden, weights);
            }
        }
        rewards
    }
}

simd! {
    fn product(x: &[F], y: &[F]) -> F {
        crate::ops::reduce::dot::<F, FMA>(x, y)
    }

    /// `y += factor x`.
    fn add_scaled(factor: F, x: &[F], y: &mut [F]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y = factor.fma::<FMA>(*x, *y);
        }
    }
}
