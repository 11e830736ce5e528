//! The imperfect annotator.

use serde_json::{Map, Value};
use temper_recipe::Annotator;

/// The annotator's reward in [0, 1] of a completion to a request; `None` on rows that are no requests.
///
/// `prompt` is the text of the request as the annotator sees it.
pub fn reward(_params: &Annotator, _fields: &Map<String, Value>, _completion: &str) -> Option<f64> {
    None
}
