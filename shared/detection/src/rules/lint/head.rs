//! What stands above a rule's detection and is not what Sigma means by it: an id that is no UUID, a day that is none,
//! tags without a namespace. The rule is in force all the same.

use rsigma_parser::SigmaRule;

use super::{Report, Severity, Source};
use crate::rules::parse_day;

pub(super) fn lint(rule: &SigmaRule, source: &Source, report: &mut Report<'_>) {
    if let Some(id) = rule.id.as_deref().filter(|id| !is_uuid(id)) {
        let text = format!("`{id}` is no UUID, which Sigma wants an id to be; `uuidgen` makes one");
        report.add(Severity::Warning, source.word(&[], "id", id), text);
    }
    for (name, day) in [("date", &rule.date), ("modified", &rule.modified)] {
        // Older rules have slashes.
        if let Some(day) = day.as_deref().filter(|day| parse_day(&day.replace('/', "-")).is_none()) {
            let text = format!("`{day}` is no day; write it as YYYY-MM-DD");
            report.add(Severity::Warning, source.word(&[], name, day), text);
        }
    }
    for tag in rule.tags.iter().filter(|tag| !has_namespace(tag)) {
        let text = format!("`{tag}` has no namespace; write a tag as attack.t1562 or attack.impact");
        let place = source.nth_field(&[], "tags", 0).map(|(place, key)| source.value(key, tag).unwrap_or(place));
        report.add(Severity::Warning, place, text);
    }
}

fn is_uuid(id: &str) -> bool {
    let parts: Vec<&str> = id.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn has_namespace(tag: &str) -> bool {
    tag.split_once('.').is_some_and(|(namespace, name)| !namespace.is_empty() && !name.is_empty())
}
