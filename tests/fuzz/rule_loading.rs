//! Any text as a rule file, and as a file of lists: it is refused with one sentence, or it is in force and can be asked.

use std::sync::LazyLock;

use detection::rules::{Origin, RuleFile, RuleSet, lint};

/// The records that a rule is asked about.
static RECORDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let log = include_str!("../../events/logs/hostile-text.json");
    let log: serde_json::Value = serde_json::from_str(log).unwrap();
    let records = log["Records"].as_array().unwrap().iter().map(ToString::to_string);
    records.chain(["{}", "[]", r#"{"eventSource":"","eventName":null}"#].map(str::to_owned)).collect()
});

/// A text is loaded; whoever loads it must be able to tell a person what came of it.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let file = RuleFile { path: "fuzz.yml".to_owned(), text: text.to_owned(), origin: Origin::Outside };
    let loaded = RuleSet::load_only([file.clone()]);
    assert_eq!(loaded.rule_set.rules().len() + loaded.refused.len(), 1, "it is in force, or it is refused");
    for refused in &loaded.refused {
        assert!(!refused.problem.is_empty() && !refused.remedy.is_empty());
    }
    for record in RECORDS.iter() {
        let Ok(mut question) = loaded.rule_set.read(record.as_bytes()) else { continue };
        for position in 0..loaded.rule_set.rules().len() {
            let verdict = question.ask(position);
            assert_eq!(verdict.matches, question.ask(position).matches, "the same question, the same answer");
            question.explain(position);
            let _ = question.not_visible(position);
        }
    }
    let _ = lint::problems(std::slice::from_ref(&file), &loaded);
    let lists = RuleSet::load_only([RuleFile { path: "lists.yml".to_owned(), ..file }]);
    assert!(lists.rule_set.rules().is_empty());
}
