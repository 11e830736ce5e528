//! What a recipe will do, as far as the recipe alone says.

use serde::Serialize;

use crate::{Extent, Init, Recipe, Stage};

/// The plan of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// FLOPs that each arm may spend.
    pub budget_flops: Option<f64>,
    /// The arms, in order.
    pub arms: Vec<PlannedArm>,
}

/// The plan of one arm.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlannedArm {
    /// Name of the arm.
    pub name: String,
    /// Its stages, in order.
    pub stages: Vec<PlannedStage>,
}

/// The plan of one stage.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlannedStage {
    /// Folder name, as in `02-grpo`.
    pub folder: String,
    /// `sft`, `grpo` or `reject`.
    pub kind: &'static str,
    /// The data as the recipe names it: a source or `stage:NAME`.
    pub data: String,
    /// The checkpoint it starts from.
    pub init: Init,
    /// Optimiser steps at most.
    pub max_steps: Option<usize>,
    /// Share of the arm's budget at most.
    pub share: Option<f64>,
    /// That share in FLOPs.
    pub flops: Option<f64>,
    /// Passes over the data at most.
    pub epochs: Option<f64>,
    /// Completions sampled per optimiser step (`grpo`) or per prompt (`reject`).
    pub samples: Option<usize>,
    /// Longest completion sampled, in tokens.
    pub max_completion_length: Option<usize>,
    /// Suites that the stage's checkpoint is measured on.
    pub suites: Vec<String>,
    /// Gates that it must meet.
    pub gates: Vec<String>,
}

impl Recipe {
    /// What the recipe will do, as far as it says itself.
    pub fn plan(&self) -> Plan {
        let budget_flops = self.budget.as_ref().map(|budget| budget.flops);
        let arms = self
            .arms
            .iter()
            .map(|(name, arm)| PlannedArm {
                name: name.clone(),
                stages: arm.stages.iter().enumerate().map(|(i, stage)| self.plan_stage(name, i, stage)).collect(),
            })
            .collect();
        Plan { budget_flops, arms }
    }

    fn plan_stage(&self, arm: &str, index: usize, stage: &Stage) -> PlannedStage {
        let Extent { max_steps, share, epochs } = stage.extent();
        let (data, samples, max_completion_length) = match stage {
            Stage::Sft(sft) => (&sft.data, None, None),
            Stage::Grpo(grpo) => (
                &grpo.data,
                Some(grpo.prompts_per_step * grpo.completions_per_prompt),
                Some(grpo.max_completion_length),
            ),
            Stage::Reject(reject) => {
                (&reject.data, Some(reject.samples_per_prompt), Some(reject.max_completion_length))
            }
        };
        let last = self.arms.get(arm).is_some_and(|arm| arm.stages.iter().rposition(Stage::trains) == Some(index));
        let measured = stage.trains() && (self.evaluate == crate::EvaluateWhen::EachStage || last);
        let gates = self.gates.iter().filter(|gate| measured && gate.applies_to(arm, stage)).map(|gate| gate.label());
        PlannedStage {
            folder: stage.folder(index),
            kind: stage.kind(),
            data: data.clone(),
            init: stage.init(),
            max_steps,
            share,
            flops: share.zip(self.budget.as_ref()).map(|(share, budget)| share * budget.flops),
            epochs,
            samples,
            max_completion_length,
            suites: if measured { self.suites.keys().cloned().collect() } else { Vec::new() },
            gates: gates.collect(),
        }
    }
}
