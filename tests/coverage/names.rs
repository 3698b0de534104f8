//! Where it is known from that CloudTrail writes the names that rules use outside Bedrock: `names-outside-bedrock.csv`. Bedrock's
//! own names are in the catalogue.
//!
//! A name is confirmed by a public `record`; AWS's `documentation`, where it speaks of event names; a `published rule` of somebody
//! who tried it; or, last, the `model` of the service's API, from which CloudTrail's name may differ.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use detection::{
    catalogue,
    rules::{RuleSet, proof::Proof, read_folder},
};
use yaml_serde::Value;

use super::NO_OPERATION;
use crate::samples::repository;

const FILE: &str = "tests/coverage/names-outside-bedrock.csv";
const HEADER: &str = "event_source,event_name,confirmed_by,reference,remark";
const KINDS: [&str; 4] = ["record", "documentation", "published rule", "model"];
/// The name of a row for an event source of which rules name no operation.
const ANY: &str = "*";

/// An event source and an event name.
type Name = (String, String);

#[test]
fn every_name_outside_bedrock_is_confirmed() {
    let (text, mut wrong) = (fs::read_to_string(repository(FILE)).unwrap(), Vec::new());
    let (header, rows) = text.split_once('\n').unwrap();
    assert_eq!(header, HEADER);
    let mut confirmed = BTreeSet::new();
    for row in rows.lines() {
        let cells: Vec<&str> = row.split(',').collect();
        let &[source, name, kind, reference, remark] = cells.as_slice() else {
            panic!("{FILE}: {row}: it has {} cells", cells.len())
        };
        let file_of_a_repository = reference.split_once(' ').is_some_and(|(from, path)| {
            (from.contains('/') || from == "botocore") && path.contains('/') && !path.starts_with('/')
        });
        if !KINDS.contains(&kind) || !(reference.starts_with("https://") || file_of_a_repository) {
            wrong.push(format!("{row}: {KINDS:?}, and a URL, or a repository and a path in it"));
        }
        // S3 and Lambda are known to write other names than their APIs have.
        if kind == "model" && ["s3.amazonaws.com", "lambda.amazonaws.com"].contains(&source) && remark.is_empty() {
            wrong.push(format!("{row}: say why CloudTrail writes the name of the API here"));
        }
        if !confirmed.insert((source.to_owned(), name.to_owned())) {
            wrong.push(format!("{row}: it is there twice"));
        }
    }
    let named = named();
    let by = |name: &Name| named.get(name).map_or_else(String::new, |rules| rules.join(", "));
    let missing = named.keys().filter(|name| !confirmed.contains(*name));
    wrong.extend(missing.map(|name| format!("{} {}, of {}: it is not confirmed", name.0, name.1, by(name))));
    let idle = confirmed.iter().filter(|name| !named.contains_key(*name));
    wrong.extend(idle.map(|name| format!("{} {}: no rule names it", name.0, name.1)));
    assert!(wrong.is_empty(), "{} faults in {FILE}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Every name outside Bedrock that a rule could match a record by, with the rules.
fn named() -> BTreeMap<Name, Vec<String>> {
    let bedrocks: BTreeSet<&str> = catalogue::builtin().unwrap().into_iter().map(|entry| entry.event_source).collect();
    let mut named: BTreeMap<Name, Vec<String>> = BTreeMap::new();
    for file in read_folder(&repository("rules")).unwrap().0 {
        let yaml: Value = yaml_serde::from_str(&file.text).unwrap();
        let mut selections = Vec::new();
        selected(&yaml["detection"], &mut selections);
        let rule = file.path.replace(".yml", "");
        let rule = rule.strip_prefix(&format!("{}/", repository("rules").display())).unwrap().to_owned();
        let proof = fs::read_to_string(file.path.replace(".yml", ".proof.json")).unwrap();
        let rule_set = RuleSet::load_only_with([file], Proof::parse(&proof).unwrap().lists()).rule_set;
        let could_match = |source: &str, name: &str| !rule_set.candidates(source, name).is_empty();
        for (sources, names) in &selections {
            // Where a selection names no operation, those of the others that name no source go with it.
            let others = selections.iter().filter(|(sources, _)| names.is_empty() && sources.is_empty());
            let names: BTreeSet<&String> = names.iter().chain(others.flat_map(|(_, names)| names)).collect();
            for source in sources.iter().filter(|source| !bedrocks.contains(source.as_str())) {
                // A rule that fires on any name, or leaves a source out, is right if the source is.
                let particular = !could_match(source, NO_OPERATION);
                let mut of_source: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
                of_source.retain(|name| particular && could_match(source, name));
                if of_source.is_empty() {
                    of_source.push(ANY);
                }
                for name in of_source {
                    named.entry((source.clone(), name.to_owned())).or_default().push(rule.clone());
                }
            }
        }
    }
    // A confirmed operation confirms its source as well.
    let sources: BTreeSet<String> = named.keys().filter(|name| name.1 != ANY).map(|name| name.0.clone()).collect();
    named.retain(|name, _| name.1 != ANY || !sources.contains(&name.0));
    named
}

/// The event sources and the event names that each selection of a detection compares with, as they stand.
fn selected(value: &Value, found: &mut Vec<(Vec<String>, Vec<String>)>) {
    match value {
        Value::Sequence(values) => values.iter().for_each(|value| selected(value, found)),
        Value::Mapping(members) => {
            found.push((literals(value, "eventSource"), literals(value, "eventName")));
            members.values().for_each(|value| selected(value, found));
        }
        _ => {}
    }
}

fn literals(selection: &Value, field: &str) -> Vec<String> {
    let value = &selection[field];
    let values = value.as_sequence().map_or(std::slice::from_ref(value), Vec::as_slice);
    values.iter().filter_map(|value| Some(value.as_str()?.to_owned())).collect()
}
