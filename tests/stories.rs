//! Every attack told in `events/stories` is found, step by step, as the table in its README says: no more, and no less.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use detection::{
    finding::Finding,
    rules::{Lists, Origin, RuleFile, RuleSet},
};
use serde_json::Value;

use crate::samples::{BUILTIN, audit_with, files, key, repository};

/// The built-in rules with the lists of the company that the stories are told of.
pub(crate) static WITH_LISTS: LazyLock<RuleSet> = LazyLock::new(|| {
    let mut lists = Lists::builtin();
    let path = "events/stories/lists.yml";
    let text = fs::read_to_string(repository(path)).unwrap();
    lists.replace(&RuleFile { path: path.to_owned(), text, origin: Origin::Outside }).unwrap();
    RuleSet::load_with([], lists).rule_set
});

/// How many stories there are.
const STORIES: usize = 10;

/// One step: a log, and what is found in it.
pub(crate) struct Step {
    /// `guardrail-removed/02-weakens-it.json`
    pub(crate) log: String,
    pub(crate) records: Vec<Value>,
    /// Sorted, each as in the table: `high, success: guardrails/guardrail-deleted`.
    pub(crate) found: Vec<String>,
    pub(crate) found_with_lists: Vec<String>,
}

/// The steps of all stories, read from the tables of their READMEs.
pub(crate) fn steps() -> Vec<Step> {
    let mut folders: Vec<PathBuf> = fs::read_dir(repository("events/stories"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    assert_eq!(folders.len(), STORIES);
    folders.iter().flat_map(|folder| story(folder)).collect()
}

fn story(folder: &Path) -> Vec<Step> {
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    let readme = fs::read_to_string(folder.join("README.md")).unwrap();
    let mut steps = Vec::new();
    for row in readme.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [file, shown, found, with_lists] = cells.as_slice() else { panic!("{name}: {row}") };
        let log = format!("{name}/{}", file.trim_matches('`'));
        let text = fs::read(folder.join(file.trim_matches('`'))).unwrap();
        let document: Value = serde_json::from_slice(&text).unwrap();
        let records = document["Records"].as_array().unwrap().clone();
        assert_eq!(told(&records), *shown, "{log}: the table names other records");
        let found = findings(found);
        let found_with_lists = if *with_lists == "the same" { found.clone() } else { findings(with_lists) };
        steps.push(Step { log, records, found, found_with_lists });
    }
    let told: Vec<String> = steps.iter().map(|step| step.log.clone()).collect();
    let there: Vec<String> = files(&format!("events/stories/{name}"), ".json")
        .iter()
        .map(|path| format!("{name}/{}", path.file_name().unwrap().to_string_lossy()))
        .collect();
    assert_eq!(told, there, "each log is a row of the table, in its order");
    steps
}

/// Records as a table names them: `ListGuardrails`, `GetGuardrail` × 2.
fn told(records: &[Value]) -> String {
    let mut runs: Vec<(&str, usize)> = Vec::new();
    for name in records.iter().map(|record| record["eventName"].as_str().unwrap()) {
        match runs.last_mut() {
            Some((last, count)) if *last == name => *count += 1,
            _ => runs.push((name, 1)),
        }
    }
    let shown = |(name, count): &(&str, usize)| match count {
        1 => format!("`{name}`"),
        count => format!("`{name}` × {count}"),
    };
    runs.iter().map(shown).collect::<Vec<_>>().join(", ")
}

fn findings(cell: &str) -> Vec<String> {
    if cell.starts_with("nothing: ") {
        return Vec::new();
    }
    let mut findings: Vec<String> = cell.split("<br>").map(|finding| finding.replace('`', "")).collect();
    findings.sort();
    findings
}

/// A finding as the tables write it; without a rule's file, its title.
pub(crate) fn in_words(rules: &RuleSet, finding: &Finding) -> String {
    let rule = rules.rules().iter().find(|rule| rule.about.id == finding.about.id);
    let path = rule.map_or(finding.about.title.as_str(), |rule| rule.path.as_str());
    let path = path.trim_start_matches("rules/").trim_end_matches(".yml");
    format!("{}, {}: {path}", finding.severity_name().to_lowercase(), finding.outcome.as_str())
}

fn document(records: &[Value]) -> Vec<u8> {
    serde_json::json!({ "Records": records }).to_string().into_bytes()
}

#[test]
fn each_step_of_each_story_is_found_as_its_table_says() {
    let mut wrong = BTreeMap::new();
    for step in steps() {
        for (rules, expected, lists) in
            [(&*BUILTIN, &step.found, "without lists"), (&*WITH_LISTS, &step.found_with_lists, "with lists")]
        {
            let audited = audit_with(rules, &document(&step.records), &key("story"));
            let mut found: Vec<String> = audited.findings.iter().map(|finding| in_words(rules, finding)).collect();
            found.sort();
            if found != *expected {
                wrong.insert(format!("{} {lists}", step.log), (found, expected.clone()));
            }
        }
    }
    assert!(wrong.is_empty(), "found, and expected: {wrong:#?}");
}

/// Nothing of a real account: only the ids, addresses and keys that documentation uses.
#[test]
fn stories_are_told_of_accounts_that_do_not_exist() {
    let accounts = regex::Regex::new(r"\b[0-9]{12}\b").unwrap();
    let addresses = regex::Regex::new(r#""sourceIPAddress":"([0-9.]+)""#).unwrap();
    let keys = regex::Regex::new("\"((?:AKIA|ASIA|AROA|AIDA|ACCA)[A-Z0-9]+)").unwrap();
    for step in steps() {
        let text = serde_json::to_string(&step.records).unwrap();
        let accounts = accounts.find_iter(&text).map(|found| found.as_str());
        for account in accounts.filter(|account| !account.starts_with('0')) {
            assert!(["111122223333", "444455556666", "123456789012"].contains(&account), "{}: {account}", step.log);
        }
        for address in addresses.captures_iter(&text) {
            let documentation = ["192.0.2.", "198.51.100.", "203.0.113."];
            assert!(documentation.iter().any(|net| address[1].starts_with(net)), "{}: {}", step.log, &address[1]);
        }
        for key in keys.captures_iter(&text) {
            assert!(key[1].contains("EXAMPLE"), "{}: {}", step.log, &key[1]);
        }
    }
}
