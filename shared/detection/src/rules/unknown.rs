//! The one rule that is no Sigma rule: a call on a Bedrock source whose name nobody knows yet. No Sigma rule can say "a name
//! that is not in this list of 554". Exceptions and overrides name it by its id, like any other.

use std::sync::Arc;

use rsigma_parser::Level;

use super::{About, Origin, Rule, Stage, WhenHidden, Words};

/// The id of the rule about operations that nobody knows.
pub const UNKNOWN_OPERATION: &str = "ab0c6f0e-52f1-4b8e-9d0a-6a3e4f1c7d05";

/// What is said of a call that nobody has looked at yet.
pub(super) fn unknown_operation() -> Rule {
    let words = Words {
        description: "The call is recorded under an event source of Amazon Bedrock, and its name is not among the operations that \
                      this version of bedrock-audit knows. AWS adds about fifteen a month. No rule can have judged it."
            .to_owned(),
        tags: Vec::new(),
        references: vec!["https://docs.aws.amazon.com/bedrock/latest/APIReference/welcome.html".to_owned()],
        false_positives: vec!["AWS has published a new operation".to_owned()],
        respond: vec![
            "Look up what the operation does, and whether its caller should be doing it.".to_owned(),
            "Update bedrock-audit, or write a rule for it.".to_owned(),
        ],
    };
    let about = About {
        id: UNKNOWN_OPERATION.to_owned(),
        title: "Bedrock operation that this version does not know".to_owned(),
        level: Level::Low,
        family: Some("unknown-operations".to_owned()),
        stage: Stage::Live,
        version: None,
        origin: Origin::BuiltIn,
        reads_your_lists: false,
        asks_outcome: false,
        words: words.into(),
    };
    Rule {
        about: Arc::new(about),
        path: String::new(),
        name: None,
        fields: Vec::new(),
        level_denied: Level::Low,
        level_failed: Level::Low,
        group_by: Vec::new(),
        when_hidden: WhenHidden::Ignore,
        always_told: false,
        waits_for: None,
    }
}
