//! A recipe's calibrations: found, read, and matched with the gates that need them.

use std::path::{Path, PathBuf};

use temper_eval::{Calibration, Calibrations};
use temper_recipe::Recipe;
use temper_score::{Nature, Scorer};

use crate::error::RunError;

/// Reads the recipe's calibrations, by the digest of their scorer.
///
/// # Errors
/// A file or folder that cannot be read or is no calibration, a folder without any, two calibrations of one scorer.
pub fn read_calibrations(recipe: &Recipe) -> Result<Calibrations, RunError> {
    let mut found: Vec<(PathBuf, Calibration)> = Vec::new();
    for entry in &recipe.calibrations {
        for file in files(Path::new(&temper_recipe::expand_env(entry)?))? {
            let calibration = Calibration::read(&file)?;
            if let Some((other, _)) = found.iter().find(|(_, known)| known.scorer == calibration.scorer) {
                return Err(RunError::Other(format!(
                    "{} and {} both calibrate the same scorer ({}); keep the one whose texts are like those that are judged",
                    other.display(),
                    file.display(),
                    calibration.name
                )));
            }
            found.push((file, calibration));
        }
    }
    Ok(found.into_iter().map(|(_, calibration)| (calibration.scorer.clone(), calibration)).collect())
}

fn files(path: &Path) -> Result<Vec<PathBuf>, RunError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path).map_err(|e| RunError::io(path, e))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    if files.is_empty() {
        return Err(RunError::Other(format!(
            "calibrations: {} has no *.json; make one there with `temper scorer calibrate --out`",
            path.display()
        )));
    }
    Ok(files)
}

/// What building a scorer gives.
type Built = Result<std::sync::Arc<dyn Scorer>, RunError>;

/// Refuses a gate on a scorer that estimates and whose errors nobody measured, unless the gate says that it may.
///
/// # Errors
/// The first such gate, with the command that makes the calibration.
pub fn check_calibrated(
    recipe: &Recipe,
    calibrations: &Calibrations,
    scorer: &dyn Fn(&str) -> Built,
) -> Result<(), RunError> {
    for (i, gate) in recipe.gates.iter().enumerate() {
        let built = scorer(&gate.metric)?;
        let calibrated = calibrations.contains_key(&built.digest());
        if gate.corrected && !calibrated {
            return Err(refused(
                i,
                gate,
                "is corrected by a calibration, but its scorer has none",
                "leave `corrected` out",
            ));
        }
        if built.nature() == Nature::Estimate && !calibrated && !gate.uncalibrated {
            return Err(refused(
                i,
                gate,
                "rests on a scorer that estimates, and how often it errs was not measured",
                "write `uncalibrated: true` on the gate to let it judge all the same",
            ));
        }
    }
    Ok(())
}

fn refused(index: usize, gate: &temper_recipe::Gate, what: &str, or: &str) -> RunError {
    RunError::Other(format!(
        "gates[{index}] ({}) {what}. Measure it against people's labels with `temper scorer calibrate --scorer {} --recipe \
         RECIPE --data FILE --completion COLUMN --label COLUMN --positive VALUE --out FILE.json` and list that file under \
         `calibrations`; or {or}",
        gate.label(),
        gate.metric
    ))
}
