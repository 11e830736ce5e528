//! A TRL reward function as a scorer, unchanged, through the shim `python/temper_reward.py`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::code;
use super::process::{limit, made, start_timeout};
use super::settings::Settings;
use super::worker::Launch;
use crate::family::{Family, Made, Parameters, ScorerInfo};
use crate::{Better, Nature, Part, ScoreError};

pub(crate) const PYTHON: Family = Family {
    info: ScorerInfo {
        r#type: "python",
        title: "Python function",
        part: Part::Whole,
        better: Better::Higher,
        nature: Nature::Estimate,
        needs: &[],
        summary: "What `function`, a TRL reward function (`module:function` or `file.py:function`), returns",
    },
    version: 1,
    make: python,
};

/// The program that calls the function.
const SHIM: &str = include_str!("../../../../python/temper_reward.py");

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PythonParameters {
    function: String,
    #[serde(default = "interpreter")]
    python: String,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    cwd: Option<PathBuf>,
    #[serde(default = "start_timeout")]
    start_timeout: f64,
}

fn interpreter() -> String {
    "python3".to_owned()
}

fn python(given: &Parameters) -> Result<Made, ScoreError> {
    let (settings, own) = Settings::take(given)?;
    let form = "write `function: module:function` or `function: path/to/file.py:function`";
    let own: PythonParameters =
        serde_json::from_value(Value::Object(own)).map_err(|error| given.error(error.to_string(), form.into()))?;
    let Some((place, name)) =
        own.function.rsplit_once(':').filter(|(place, name)| !place.is_empty() && !name.is_empty())
    else {
        return Err(given.error(format!("`{}` names no function", own.function), form.into()));
    };
    let file = if place.ends_with(".py") { place.to_owned() } else { format!("{}.py", place.replace('.', "/")) };
    let files = code::digests([file.as_str()].into_iter(), own.cwd.as_deref());
    if files.is_empty() && place.ends_with(".py") {
        let folder = own.cwd.clone().unwrap_or_default();
        let path = folder.join(Path::new(place));
        return Err(given.error(
            format!("there is no file {}", path.display()),
            "correct the path; it starts from `cwd`, or from where temper was started".into(),
        ));
    }
    let identity = json!({
        "settings": settings.identity(), "place": place, "function": name, "python": own.python, "env": own.env,
        "cwd": own.cwd, "files": files,
    });
    let launch = Launch {
        command: vec![own.python.clone(), "-c".into(), SHIM.into(), own.function.clone()],
        env: own.env.into_iter().collect(),
        cwd: own.cwd,
        says_ready: true,
        start_timeout: limit(given, "start_timeout", own.start_timeout)?,
        timeout: limit(given, "timeout", settings.timeout)?,
    };
    Ok(made(&PYTHON, identity, &settings, launch))
}
