//! `rules list --format json`: everything that is said of each rule, for programs.

use detection::rules::{Origin, Rule, RuleRef, RuleSet, Stage, WhenHidden};
use serde_json::{Value, json};

use crate::exceptions;

/// The rules in force, by family and title as the table has them.
pub(crate) fn json(rule_set: &RuleSet) -> Value {
    let mut rules: Vec<(usize, &Rule)> = rule_set.rules().iter().enumerate().collect();
    rules.sort_by(|(_, a), (_, b)| (&a.about.family, &a.about.title).cmp(&(&b.about.family, &b.about.title)));
    rules.into_iter().map(|(position, of_set)| rule(of_set, rule_set, RuleRef::At(position))).collect()
}

fn rule(rule: &Rule, rule_set: &RuleSet, at: RuleRef) -> Value {
    let about = &rule.about;
    json!({
        "id": about.id,
        "title": about.title,
        "description": about.words().description,
        "family": about.family,
        "level": about.level.as_str(),
        "level_denied": rule.level_denied.as_str(),
        "level_failed": rule.level_failed.as_str(),
        "stage": match about.stage {
            Stage::Live => "live",
            Stage::Shadow => "shadow",
        },
        "when_hidden": match rule.when_hidden {
            WhenHidden::Ignore => "ignore",
            WhenHidden::Alert => "alert",
        },
        "waits_for_list": rule.waits_for,
        "override": exceptions::override_json(rule_set, at),
        "exceptions": exceptions::json(rule_set, at),
        "origin": match rule.about.origin {
            Origin::BuiltIn => "built-in",
            Origin::Outside => "outside",
        },
        "path": rule.path,
        "version": about.version,
        "tags": about.words().tags,
        "fields": rule.fields,
        "group_by": rule.group_by,
        "references": about.words().references,
        "falsepositives": about.words().false_positives,
        "respond": about.words().respond,
    })
}
