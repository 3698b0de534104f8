//! A day of ordinary work in twenty accounts, on which nobody is to be disturbed without a reason that stands in `justified.md`;
//! and the same day with the ten attacks of `events/stories` in it, of which no step is to drown.
//!
//! - [`day`]: hour by hour; [`background`], [`bedrock`], [`scenes`]: which calls; [`company`]: whose; [`record`]: how written

mod background;
mod bedrock;
mod company;
mod day;
mod record;
mod scenes;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, thread,
};

use detection::{
    finding::Finding,
    rules::{Level, RuleSet, severity_id},
};

use self::company::ACCOUNTS;
use crate::{
    samples::{BUILTIN, audit_with, repository},
    stories::{WITH_LISTS, in_words, steps},
};

/// Fewer records would prove little.
const LEAST_RECORDS: u64 = 50_000;

/// What became of the day.
#[derive(Default)]
struct Told {
    records: u64,
    unreadable: u64,
    findings: Vec<Finding>,
}

/// Audits the day, one log for each account and hour, with these records among them.
fn audited(rules: &RuleSet, among: &BTreeMap<(String, usize), Vec<String>>) -> Told {
    let accounts: BTreeSet<&str> =
        ACCOUNTS.into_iter().chain(among.keys().map(|(account, _)| account.as_str())).collect();
    let told = thread::scope(|scope| {
        let threads: Vec<_> =
            accounts.iter().map(|account| scope.spawn(move || of_account(rules, account, among))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    told.into_iter().fold(Told::default(), |mut all, told| {
        all.records += told.records;
        all.unreadable += told.unreadable;
        all.findings.extend(told.findings);
        all
    })
}

fn of_account(rules: &RuleSet, account: &str, among: &BTreeMap<(String, usize), Vec<String>>) -> Told {
    let mut told = Told::default();
    for hour in 0..24 {
        let position = ACCOUNTS.iter().position(|known| *known == account);
        let mut records = position.map(|position| day::hour(position, hour)).unwrap_or_default();
        // In the middle of the log, as chance has it.
        let middle = records.len() / 2;
        records.splice(middle..middle, among.get(&(account.to_owned(), hour)).into_iter().flatten().cloned());
        if records.is_empty() {
            continue;
        }
        let document = format!("{{\"Records\":[{}]}}", records.join(","));
        let key = format!(
            "AWSLogs/{account}/CloudTrail/eu-central-1/2026/11/19/{account}_CloudTrail_eu-central-1_20261119T{hour:02}55Z_EXAMPLE.json.gz"
        );
        let audited = audit_with(rules, document.as_bytes(), &key);
        told.records += audited.records.total;
        told.unreadable += audited.records.unreadable;
        told.findings.extend(audited.findings);
    }
    told
}

fn above_low(finding: &Finding) -> bool {
    finding.severity_id() > severity_id(Level::Low)
}

/// The rows of `justified.md` that hold with or without the lists: finding and most of it on this day.
fn justified(with_lists: bool) -> BTreeMap<String, usize> {
    let text = fs::read_to_string(repository("tests/ordinary_day/justified.md")).unwrap();
    let mut rows = BTreeMap::new();
    for row in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [finding, without, with, why] = cells.as_slice() else { panic!("{row}") };
        assert!(why.len() > 20, "no reason: {row}");
        let most = if with_lists { with } else { without };
        if *most != "none" {
            rows.insert(finding.replace('`', ""), most.parse().unwrap());
        }
    }
    rows
}

fn holds_to_the_list(rules: &RuleSet, with_lists: bool) {
    let told = audited(rules, &BTreeMap::new());
    assert!(told.records >= LEAST_RECORDS, "{}", told.records);
    assert_eq!(told.unreadable, 0);
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for finding in told.findings.iter().filter(|finding| above_low(finding)) {
        *found.entry(in_words(rules, finding)).or_default() += 1;
    }
    let justified = justified(with_lists);
    let found: BTreeSet<_> = found.into_iter().collect();
    let justified: BTreeSet<_> = justified.into_iter().collect();
    let unjustified: Vec<_> = found.difference(&justified).collect();
    let not_found: Vec<_> = justified.difference(&found).collect();
    assert!(
        unjustified.is_empty() && not_found.is_empty(),
        "found and not justified: {unjustified:#?}; justified and not found: {not_found:#?}"
    );
}

#[test]
fn a_day_of_ordinary_work_disturbs_nobody_without_a_listed_reason() {
    holds_to_the_list(&BUILTIN, false);
}

#[test]
fn with_filled_lists_what_the_company_has_approved_stays_quiet() {
    // A rule that waits is quiet whatever happens, and would prove nothing.
    assert_eq!(WITH_LISTS.waiting().map(|rule| rule.path.as_str()).collect::<Vec<_>>(), Vec::<&str>::new());
    holds_to_the_list(&WITH_LISTS, true);
}

#[test]
fn no_step_of_an_attack_drowns_in_a_day_of_work() {
    let steps = steps();
    let mut among: BTreeMap<(String, usize), Vec<String>> = BTreeMap::new();
    for record in steps.iter().flat_map(|step| &step.records) {
        let account = record["recipientAccountId"].as_str().unwrap().to_owned();
        let hour = record["eventTime"].as_str().unwrap()[11..13].parse().unwrap();
        among.entry((account, hour)).or_default().push(record.to_string());
    }
    for (rules, with_lists) in [(&*BUILTIN, false), (&*WITH_LISTS, true)] {
        let told = audited(rules, &among);
        // What a finding is, for each event that it speaks of.
        let mut of_event: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for finding in &told.findings {
            for event in finding.matched().into_iter().flat_map(|matched| &matched.event_ids) {
                of_event.entry(event).or_default().insert(in_words(rules, finding));
            }
        }
        for step in &steps {
            let events = step.records.iter().map(|record| record["eventID"].as_str().unwrap());
            let found: BTreeSet<String> = events.filter_map(|event| of_event.remove(event)).flatten().collect();
            let expected = if with_lists { &step.found_with_lists } else { &step.found };
            assert_eq!(found, expected.iter().cloned().collect(), "{} with lists: {with_lists}", step.log);
        }
    }
}
