//! The seam around the evaluator: a checked rule in, yes or no out. Nobody else knows which engine judges.

use rsigma_eval::{CompiledRule, compile_rule, evaluate_rule, event::JsonEvent};
use rsigma_parser::SigmaRule;
use serde_json::Value;

/// A rule ready to be asked.
pub(super) struct Compiled(Box<CompiledRule>);

impl std::fmt::Debug for Compiled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Compiled")
    }
}

impl Compiled {
    /// The error is the engine's sentence about what it cannot honour.
    pub(super) fn new(rule: &SigmaRule) -> Result<Self, String> {
        compile_rule(rule).map(|compiled| Self(Box::new(compiled))).map_err(|error| error.to_string())
    }

    pub(super) fn matches(&self, record: &Value) -> bool {
        evaluate_rule(&self.0, &JsonEvent::borrow(record)).is_some()
    }
}
