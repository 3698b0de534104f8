//! `rules list --format navigator`: a layer for the MITRE ATT&CK Navigator (layer format 4.5), of one version of ATT&CK.

use std::collections::BTreeMap;

use detection::rules::{Rule, RuleSet, Stage};
use serde_json::{Value, json};

/// The version of ATT&CK that a layer is of: the Navigator shows none of another one's techniques.
pub(crate) const ATTACK: &str = "19";

/// What version 19 put in the place of techniques that rules still name. Of T1562, only those that CloudTrail can show.
const REPLACED: [(&str, &str); 4] =
    [("T1562", "T1685"), ("T1562.001", "T1685"), ("T1562.007", "T1686.001"), ("T1562.008", "T1685.002")];

/// The layer, and the techniques that it cannot have, each with its rules.
pub(crate) fn layer(rule_set: &RuleSet) -> (Value, BTreeMap<String, String>) {
    let mut covered: BTreeMap<String, Vec<&Rule>> = BTreeMap::new();
    let mut left_out: BTreeMap<String, Vec<&Rule>> = BTreeMap::new();
    for rule in rule_set.rules() {
        for id in rule.about.words().tags.iter().filter_map(|tag| tag.strip_prefix("attack.t")) {
            let tagged = format!("T{}", id.to_ascii_uppercase());
            let id = REPLACED.iter().find(|(old, _)| *old == tagged).map_or(tagged.as_str(), |(_, new)| new);
            let place = if is_technique(id) { &mut covered } else { &mut left_out };
            let rules = place.entry(id.to_owned()).or_default();
            // A rule may name the old technique and the new one.
            if !rules.iter().any(|other| other.about.id == rule.about.id) {
                rules.push(rule);
            }
        }
    }
    let most = covered.values().map(Vec::len).max().unwrap_or(1);
    let techniques: Vec<Value> = covered
        .iter()
        .map(|(id, rules)| json!({"techniqueID": id, "score": rules.len(), "enabled": true, "comment": comment(rules)}))
        .collect();
    let layer = json!({
        "name": "bedrock-audit",
        "versions": {"attack": ATTACK, "navigator": "5.1.0", "layer": "4.5"},
        "domain": "enterprise-attack",
        "description": format!(
            "What bedrock-audit's {} rules (rule set {}) watch for. A technique's score is the number of its rules.",
            rule_set.rules().len(), rule_set.version()
        ),
        "techniques": techniques,
        "gradient": {"colors": ["#ffffff", "#66b1ff"], "minValue": 0, "maxValue": most},
        "sorting": 3,
        "hideDisabled": false,
    });
    (layer, left_out.into_iter().map(|(id, rules)| (id, comment(&rules).replace('\n', ", "))).collect())
}

/// `T1562.001` and the like, of this version.
fn is_technique(id: &str) -> bool {
    let (technique, sub) = id
        .strip_prefix('T')
        .and_then(|id| id.split_once('.'))
        .map_or_else(|| (id.get(1..).unwrap_or_default(), None), |(technique, sub)| (technique, Some(sub)));
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(technique, 4) && technique != "1562" && sub.is_none_or(|sub| digits(sub, 3))
}

fn comment(rules: &[&Rule]) -> String {
    let mut lines: Vec<String> = rules
        .iter()
        .map(|rule| {
            let stage = if rule.about.stage == Stage::Shadow { " (in shadow)" } else { "" };
            format!("{}{stage}", rule.about.title)
        })
        .collect();
    lines.sort();
    lines.join("\n")
}
