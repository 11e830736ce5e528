//! The saved state of a stage: enough to go on to the bit.
//!
//! A state is written to `state.next` and renamed to `state`, with the previous one at `state.old` for the moment between
//! two renames, so that a kill at any time leaves a complete one. `state.json` is written last: a folder that holds it is
//! complete.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use temper_engine::{AdamW, Model};

use crate::{Cost, TrainError};

const STATE: &str = "state";
const NEXT: &str = "state.next";
const OLD: &str = "state.old";
const COUNTERS: &str = "state.json";
const ADAPTER: &str = "adapter";
const OPTIMIZER: &str = "optimizer.safetensors";

/// Where a training stage stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counters {
    /// Digest of everything the stage's result depends on: settings, seed, data, initial weights.
    pub fingerprint: String,
    /// Optimizer steps done.
    pub step: usize,
    /// Rows (or prompts) taken from the shuffled stream of epochs.
    pub cursor: u64,
    /// Cost so far.
    pub cost: Cost,
    /// Counts that the stage's notes are made of.
    pub counts: BTreeMap<String, u64>,
}

/// Writes a state into the stage's folder: whatever `fill` writes, then `counters`, renamed into place as a whole.
pub(crate) fn save<C: Serialize>(
    dir: &Path,
    counters: &C,
    fill: impl FnOnce(&Path) -> Result<(), TrainError>,
) -> Result<PathBuf, TrainError> {
    let [state, next, old] = [STATE, NEXT, OLD].map(|name| dir.join(name));
    // What a kill between two renames left behind becomes `state` first, so that it is not lost.
    if let Some(found) = complete(dir)
        && found != state
    {
        rename(&found, &state)?;
    }
    remove(&next)?;
    remove(&old)?;
    fs::create_dir_all(&next).map_err(TrainError::io(&next, "create"))?;
    fill(&next)?;
    let text = serde_json::to_string_pretty(counters).map_err(|e| TrainError::State {
        path: next.clone(),
        what: format!("the counters cannot be written: {e}"),
        remedy: "Please report this".into(),
    })?;
    let (file, beside) = (next.join(COUNTERS), next.join("state.json.next"));
    fs::write(&beside, text).map_err(TrainError::io(&beside, "write"))?;
    rename(&beside, &file)?;
    if state.exists() {
        rename(&state, &old)?;
    }
    rename(&next, &state)?;
    remove(&old)?;
    Ok(state)
}

/// The newest complete state in the stage's folder.
pub(crate) fn complete(dir: &Path) -> Option<PathBuf> {
    [STATE, NEXT, OLD].into_iter().map(|name| dir.join(name)).find(|path| path.join(COUNTERS).is_file())
}

/// Reads the counters of a complete state.
pub(crate) fn counters<C: DeserializeOwned>(state: &Path) -> Result<C, TrainError> {
    let file = state.join(COUNTERS);
    let text = fs::read_to_string(&file).map_err(TrainError::io(&file, "read"))?;
    serde_json::from_str(&text).map_err(|e| TrainError::State {
        path: file,
        what: format!("not a saved state: {e}"),
        remedy: "Remove the stage's folder and run it again".into(),
    })
}

/// Writes what is trained (all weights, or the adapter) and the optimiser into the folder of a state.
pub(crate) fn write_weights(state: &Path, model: &Model, adam: &AdamW) -> Result<(), TrainError> {
    match model.adapter() {
        Some(_) => model.save_adapter(&state.join(ADAPTER), "")?,
        None => model.save(state)?,
    }
    adam.save(&state.join(OPTIMIZER))?;
    Ok(())
}

/// Reads what [`write_weights`] wrote. Only the parameters are taken; the model keeps its configuration.
pub(crate) fn read_weights(state: &Path, model: &mut Model, adam: &mut AdamW) -> Result<(), TrainError> {
    if let Some(adapter) = model.adapter().map(|adapter| adapter.config().clone()) {
        let dir = state.join(ADAPTER);
        model.load_adapter(&dir)?;
        if model.adapter().is_none_or(|loaded| *loaded.config() != adapter) {
            return Err(TrainError::State {
                path: dir,
                what: "the adapter has another rank, scale or other targets than the recipe asks for".into(),
                remedy: "Go on with the recipe it was started with, or remove the stage's folder and run it again"
                    .into(),
            });
        }
        adam.load(&state.join(OPTIMIZER))?;
        return Ok(());
    }
    let saved = Model::load(state)?;
    if saved.num_params() != model.num_params() {
        return Err(TrainError::State {
            path: state.to_owned(),
            what: format!("{} parameters, but the model has {}", saved.num_params(), model.num_params()),
            remedy: "The state belongs to another model; remove the stage's folder and run it again".into(),
        });
    }
    model.params_mut().copy_from_slice(saved.params());
    adam.load(&state.join(OPTIMIZER))?;
    Ok(())
}

/// Refuses a state that was saved under other settings.
pub(crate) fn check_fingerprint(state: &Path, saved: &str, wanted: &str) -> Result<(), TrainError> {
    if saved == wanted {
        return Ok(());
    }
    Err(TrainError::State {
        path: state.to_owned(),
        what: "the state was saved with other settings, data, seed or initial weights".into(),
        remedy: "Go on with the recipe and inputs it was started with, or delete this folder to start over".into(),
    })
}

/// Refuses to start over in a folder that holds a state.
pub(crate) fn check_empty(dir: &Path) -> Result<(), TrainError> {
    match complete(dir) {
        None => Ok(()),
        Some(path) => Err(TrainError::State {
            path,
            what: "this folder already holds a stage".into(),
            remedy: "Go on with --resume, or choose another folder with --out".into(),
        }),
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), TrainError> {
    fs::rename(from, to).map_err(TrainError::io(to, "write"))
}

fn remove(path: &Path) -> Result<(), TrainError> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(TrainError::io(path, "remove")(e)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(dir: &Path, step: usize) {
        let counters = Counters { step, ..Counters::default() };
        save(dir, &counters, |path| {
            fs::write(path.join("weights"), [step as u8]).map_err(TrainError::io(path, "write"))
        })
        .unwrap();
    }

    fn read(dir: &Path) -> (usize, Vec<u8>) {
        let state = complete(dir).unwrap();
        (counters::<Counters>(&state).unwrap().step, fs::read(state.join("weights")).unwrap())
    }

    #[test]
    fn a_kill_at_any_moment_leaves_a_complete_state() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        assert_eq!(complete(dir), None);
        write(dir, 1);
        assert_eq!(read(dir), (1, vec![1]));
        // Killed while the next one was being written.
        fs::create_dir_all(dir.join(NEXT)).unwrap();
        fs::write(dir.join(NEXT).join("weights"), [9]).unwrap();
        assert_eq!(read(dir), (1, vec![1]));
        write(dir, 2);
        assert_eq!(read(dir), (2, vec![2]));
        // Killed between the two renames: both are complete, the newer one counts.
        fs::rename(dir.join(STATE), dir.join(OLD)).unwrap();
        assert_eq!(read(dir), (2, vec![2]));
        fs::create_dir_all(dir.join(NEXT)).unwrap();
        fs::write(dir.join(NEXT).join("weights"), [3]).unwrap();
        fs::write(
            dir.join(NEXT).join(COUNTERS),
            serde_json::to_string(&Counters { step: 3, ..Default::default() }).unwrap(),
        )
        .unwrap();
        assert_eq!(read(dir), (3, vec![3]));
        write(dir, 4);
        assert_eq!(read(dir), (4, vec![4]));
        assert!(!dir.join(NEXT).exists() && !dir.join(OLD).exists());
    }

    #[test]
    fn another_run_is_not_written_over() {
        let dir = tempfile::tempdir().unwrap();
        check_empty(dir.path()).unwrap();
        write(dir.path(), 1);
        let error = check_empty(dir.path()).unwrap_err().to_string();
        assert!(error.contains("--resume") && error.contains("state"), "{error}");
        assert!(check_fingerprint(dir.path(), "a", "b").unwrap_err().to_string().contains("other settings"));
    }
}
