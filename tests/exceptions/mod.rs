//! Exceptions: what they silence, what they do not, for how long, and that all of it is counted.

mod command_line;
mod overrides;

use std::{fs, time::Duration};

use detection::{
    audit::Audited,
    finding::Finding,
    ledger::Ledger,
    rules::{Level, Loaded, Origin, RuleFile, RuleSet, UNKNOWN_OPERATION, proof::ExceptionProof},
};
use detector::{
    handler::{Handler, LogBucket, Publisher},
    live_rules::{Fixed, LiveRules, RulesSource},
};
use serde_json::{Value, json};

use crate::{
    balance,
    flow::{Bench, Get, MemoryRules, s3},
    ocsf_schema::OcsfSchema,
    samples::{audit_with, delete_guardrail, document, key, log, ordinary, repository},
};
use overrides::overrides;

/// The built-in rule `guardrail-deleted`.
const DELETED: &str = "7832d7cf-cc1f-4c37-b444-9c2db70527a5";
const DELETED_TITLE: &str = "Bedrock guardrail deleted (success)";
const EXPIRED_TITLE: &str = "An exception has expired";
const BY_ROLE: &str = "userIdentity.sessionContext.sessionIssuer.arn: 'arn:aws:iam::111122223333:role/DataScience'";

fn outside(path: &str, text: &str) -> RuleFile {
    RuleFile { path: path.to_owned(), text: text.to_owned(), origin: Origin::Outside }
}

/// An exception in force in November and December 2026, with further lines at its top level.
fn exception(n: u32, rules: &str, selection: &str, condition: &str, more: &str) -> RuleFile {
    let selection: String = selection.lines().map(|line| format!("        {line}\n")).collect();
    let text = format!(
        "title: Exception {n}\nid: 00000000-0000-4000-8000-{n:012}\nlogsource:\n    product: aws\n    service: cloudtrail\n\
         date: 2026-11-01\nexpires: 2026-12-31\nowner: ai-platform\nreason: the nightly test\n{more}\
         filter:\n    rules: {rules}\n    selection:\n{selection}    condition: {condition}\n"
    );
    outside(&format!("exception-{n}.yml"), &text)
}

fn id(n: u32) -> String {
    format!("00000000-0000-4000-8000-{n:012}")
}

fn deleted_by_role() -> RuleFile {
    exception(1, &format!("[{DELETED}]"), BY_ROLE, "not selection", "")
}

/// The rules with these files, of which none is wrong.
fn rules(files: impl IntoIterator<Item = RuleFile>) -> RuleSet {
    let Loaded { rule_set, refused, .. } = RuleSet::load(files);
    assert_eq!(refused, []);
    rule_set
}

fn found(rules: &RuleSet, records: &[Value]) -> Audited {
    audit_with(rules, &document(records), &key("log"))
}

fn titles(audited: &Audited) -> Vec<String> {
    audited.findings.iter().map(Finding::title).collect()
}

fn excepted(audited: &Audited) -> Vec<(&str, u64)> {
    audited.excepted.iter().map(|(id, count)| (id.as_str(), *count)).collect()
}

fn by_another(n: u32) -> Value {
    let arn = "arn:aws:iam::111122223333:role/Web";
    delete_guardrail(n, &json!({"userIdentity": {"sessionContext": {"sessionIssuer": {"arn": arn}}}}))
}

#[tokio::test]
async fn an_exception_silences_what_it_names_and_nothing_else_and_the_ledger_says_so() {
    let mut bench = Bench::with("one", log(&[ordinary(1), delete_guardrail(2, &json!({})), by_another(3)]));
    bench.rule_files = vec![deleted_by_role()];
    let ledger = bench.wake(s3(&["one"])).await.ledger;
    assert_eq!(bench.titles(), [DELETED_TITLE]);
    assert_eq!((ledger.records.matched, ledger.rule_files_refused), (2, 0));
    assert_eq!((ledger.findings.total, ledger.findings.published, ledger.findings.excepted), (2, 1, 1));
    assert_eq!(ledger.excepted_by_exception.into_iter().collect::<Vec<_>>(), [(id(1), 1)]);
}

/// What one rule found of one actor and one target is one finding, and would have been one.
#[test]
fn what_is_excepted_is_counted_as_findings_are() {
    let rules = rules([deleted_by_role()]);
    let target = |n, id: &str| delete_guardrail(n, &json!({"requestParameters": {"guardrailIdentifier": id}}));
    let audited = found(&rules, &[target(1, "gr-1"), target(2, "gr-1"), target(3, "gr-2")]);
    assert_eq!((titles(&audited), excepted(&audited)), (vec![], vec![(id(1).as_str(), 2)]));
}

#[test]
fn an_exception_is_about_its_rules_alone() {
    let stopped = delete_guardrail(
        1,
        &json!({"eventSource": "cloudtrail.amazonaws.com", "eventName": "StopLogging", "requestParameters": {"name": "main"}}),
    );
    assert_eq!(found(&rules([deleted_by_role()]), std::slice::from_ref(&stopped)).findings.len(), 1);
    let any = exception(2, "any", BY_ROLE, "not selection", "");
    let audited = found(&rules([any]), &[stopped, delete_guardrail(2, &json!({}))]);
    assert_eq!((titles(&audited), excepted(&audited)), (vec![], vec![(id(2).as_str(), 2)]));
}

#[test]
fn a_rule_is_named_by_its_id_or_its_sigma_name() {
    let rule = outside(
        "mine.yml",
        "title: Mine\nname: my_rule\nlogsource:\n  product: aws\n  service: cloudtrail\ndetection:\n  selection:\n    \
         eventName: ListBuckets\n  condition: selection\n",
    );
    // The exception stands before the rule that it names.
    let by_name = exception(1, "[my_rule]", BY_ROLE, "not selection", "");
    assert_eq!(titles(&found(&rules([by_name, rule.clone()]), &[ordinary(1)])), Vec::<String>::new());
    let refused = RuleSet::load([exception(1, "[Mine]", BY_ROLE, "not selection", ""), rule]).refused;
    assert_eq!(refused.len(), 1);
    assert!(refused[0].problem.contains("no rule has the id or the name `Mine`"), "{}", refused[0]);
}

#[test]
fn every_scope_works() {
    for scope in [
        "userIdentity.arn: 'arn:aws:sts::111122223333:assumed-role/DataScience/mallory'",
        "userIdentity.arn|startswith: 'arn:aws:sts::111122223333:assumed-role/DataScience/'",
        "recipientAccountId: '111122223333'",
        "sourceIPAddress|cidr: 203.0.113.0/24",
        "requestParameters.guardrailIdentifier: gr4example7k2",
        "userAgent|startswith: aws-cli/",
    ] {
        let rules = rules([exception(1, &format!("[{DELETED}]"), scope, "not selection", "")]);
        let other = json!({
            "userIdentity": {"arn": "arn:aws:sts::444455556666:assumed-role/Web/jane"}, "recipientAccountId": "444455556666",
            "sourceIPAddress": "198.51.100.1", "requestParameters": {"guardrailIdentifier": "gr-2"}, "userAgent": "Boto3/1.44.5"
        });
        let audited = found(&rules, &[delete_guardrail(1, &json!({})), delete_guardrail(2, &other)]);
        assert_eq!((audited.findings.len(), excepted(&audited)), (1, vec![(id(1).as_str(), 1)]), "{scope}");
        assert_eq!(
            audited.findings[0].matched().unwrap().event_ids,
            ["9dfb369b-ab13-4fae-a276-000000000002"],
            "{scope}"
        );
    }
}

#[test]
fn an_exception_may_name_lists_and_derived_fields() {
    let file = exception(1, &format!("[{DELETED}]"), "derived.actor|expand: '%administrators%'", "not selection", "");
    let lists = outside("lists.yml", "administrators:\n  - arn:aws:iam::111122223333:role/DataScience\n");
    let records = [delete_guardrail(1, &json!({})), by_another(2)];
    let audited = found(&rules([file.clone(), lists]), &records);
    assert_eq!((audited.findings.len(), excepted(&audited)), (1, vec![(id(1).as_str(), 1)]));
    // While the list is empty, nobody is meant.
    assert_eq!(excepted(&found(&rules([file]), &records)), []);
}

/// `rsigma-eval` applies filters to rules itself: where everything is visible, both say the same.
#[test]
fn an_exception_means_what_a_filter_means_to_another_engine() {
    let role = "userIdentity.sessionContext.sessionIssuer.arn|endswith: '/DataScience'";
    let records: Vec<Value> = [
        json!({}),
        json!({"awsRegion": "us-east-1"}),
        json!({"userIdentity": {"sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::111122223333:role/Web"}}}}),
        json!({"userIdentity": {"sessionContext": null}}),
        json!({"sourceIPAddress": "198.51.100.9"}),
        json!({"sourceIPAddress": "198.51.100.9", "awsRegion": "us-east-1"}),
        json!({"eventName": "GetGuardrail"}),
    ]
    .iter()
    .map(|change| delete_guardrail(1, change))
    .collect();
    let rule = "title: Mine\nid: mine\nlogsource:\n  product: aws\n  service: cloudtrail\ndetection:\n  selection:\n    \
                eventName: DeleteGuardrail\n  condition: selection\n";
    let mut silenced = 0;
    for condition in [
        "not selection",
        "not (selection and other_a)",
        "not selection and not other_a",
        "not selection or other_b",
        "not (selection or other_a)",
        "not (selection and not other_b)",
    ] {
        let mut file = exception(1, "[mine]", role, condition, "");
        file.text.push_str("    other_a:\n        sourceIPAddress|cidr: 203.0.113.0/24\n");
        file.text.push_str("    other_b:\n        awsRegion: us-east-1\n        recipientAccountId: '111122223333'\n");
        let collection = rsigma_parser::parse_sigma_yaml(&format!("{rule}---\n{}", file.text)).unwrap();
        let mut other = rsigma_eval::Engine::new();
        other.add_collection(&collection).unwrap();
        let Loaded { rule_set, refused, .. } = RuleSet::load_only([outside("mine.yml", rule), file]);
        assert_eq!(refused, [], "{condition}");
        for record in &records {
            let audited = found(&rule_set, std::slice::from_ref(record));
            let theirs = other.evaluate(&rsigma_eval::JsonEvent::borrow(record)).len();
            assert_eq!(audited.findings.len(), theirs, "{condition}: {record}");
            silenced += audited.excepted.len();
        }
    }
    assert!(silenced > 15, "{silenced}");
}

/// Where rsigma-eval looks among the rule's selections (`docs/sigma.md`).
#[test]
fn of_a_filters_selections_its_own_are_meant() {
    for (condition, silenced) in [
        ("not 1 of other_*", [true, true, true, false]),
        ("not 1 of them", [true, true, true, false]),
        ("not all of them", [true, false, false, false]),
        ("not 2 of them", [true, true, false, false]),
    ] {
        let mut file = exception(1, &format!("[{DELETED}]"), BY_ROLE, condition, "");
        file.text.push_str("    other_a:\n        sourceIPAddress|cidr: 203.0.113.0/24\n");
        file.text.push_str("    other_b:\n        userAgent|startswith: aws-cli/\n");
        let rules = rules([file]);
        let web = json!({"sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::111122223333:role/Web"}}});
        let changes = [
            json!({}),
            json!({ "userIdentity": web }),
            json!({ "userIdentity": web, "userAgent": "Boto3/1.44.5" }),
            json!({ "userIdentity": web, "userAgent": "Boto3/1.44.5", "sourceIPAddress": "198.51.100.9" }),
        ];
        let answers = changes.map(|change| found(&rules, &[delete_guardrail(1, &change)]).findings.is_empty());
        assert_eq!(answers, silenced, "{condition}");
    }
}

/// Silence only where it is certain: what cannot be seen is told, however the condition turns it.
#[test]
fn an_exception_never_silences_what_it_cannot_see() {
    let visible = delete_guardrail(1, &json!({"requestParameters": {"guardrailIdentifier": "gr-1", "note": "test"}}));
    let hidden = [
        json!({"requestParameters": {"guardrailIdentifier": "***", "note": "***"}}),
        json!({"requestParameters": {"omitted": true, "guardrailIdentifier": null, "note": null}}),
        json!({"requestParameters": "HIDDEN_DUE_TO_SECURITY_REASONS"}),
        json!({"requestParameters": null}),
    ];
    let named = format!("{BY_ROLE}\nrequestParameters.guardrailIdentifier: gr-1");
    let spared = format!("{BY_ROLE}\nrequestParameters.guardrailIdentifier|neq: gr-2");
    let nested = "not (selection and not 1 of other*)";
    for (selection, condition) in
        [(named.as_str(), "not selection"), (spared.as_str(), "not selection"), (BY_ROLE, nested)]
    {
        let mut file = exception(1, &format!("[{DELETED}]"), selection, condition, "");
        file.text.push_str("    other_one:\n        requestParameters.guardrailIdentifier: gr-2\n");
        file.text.push_str("    other_two:\n        requestParameters.guardrailIdentifier|startswith: prod\n");
        let rules = rules([file]);
        assert_eq!(found(&rules, std::slice::from_ref(&visible)).findings.len(), 0, "{selection}, {condition}");
        for change in &hidden {
            let audited = found(&rules, &[delete_guardrail(1, change)]);
            assert!(titles(&audited).contains(&DELETED_TITLE.to_owned()), "{selection}, {condition}: {change}");
            assert_eq!(excepted(&audited), [], "{selection}, {condition}: {change}");
        }
    }
}

#[test]
fn a_lower_rule_of_the_family_is_told_when_the_higher_one_is_excepted() {
    let rule = |n: u32, level: &str| {
        outside(
            &format!("rule-{n}.yml"),
            &format!(
                "title: Rule {n}\nid: rule-{n}\nlogsource:\n  product: aws\n  service: cloudtrail\ndetection:\n  selection:\n    \
                 eventName: ListBuckets\n  condition: selection\nlevel: {level}\nfamily: storage\n"
            ),
        )
    };
    let with = |exceptions: &[RuleFile]| {
        let files = [rule(1, "high"), rule(2, "low")].into_iter().chain(exceptions.iter().cloned());
        found(&rules(files), &[ordinary(1)])
    };
    let plain = with(&[]);
    assert_eq!((titles(&plain), plain.superseded), (vec!["Rule 1 (success)".to_owned()], 1));
    let higher = with(&[exception(1, "[rule-1]", BY_ROLE, "not selection", "")]);
    assert_eq!((titles(&higher), higher.superseded), (vec!["Rule 2 (success)".to_owned()], 0));
    assert_eq!(excepted(&higher), [(id(1).as_str(), 1)]);
    let lower = with(&[exception(1, "[rule-2]", BY_ROLE, "not selection", "")]);
    assert_eq!((titles(&lower), lower.superseded), (vec!["Rule 1 (success)".to_owned()], 0));
    assert!(lower.findings[0].matched().unwrap().related.is_empty());
}

fn at(n: u32, time: &str) -> Value {
    delete_guardrail(n, &json!({ "eventTime": time }))
}

/// By the record's own time: what is read late is judged as it was, and no clock is asked.
#[test]
fn an_exception_is_in_force_from_its_date_to_its_last_day() {
    let rules = rules([deleted_by_role()]);
    for (time, expected) in [
        ("2026-10-31T23:59:59Z", vec![DELETED_TITLE]),
        ("2026-11-01T00:00:00Z", vec![]),
        ("2026-12-31T23:59:59Z", vec![]),
        ("2026-12-31T23:30:00-01:00", vec![DELETED_TITLE, EXPIRED_TITLE]),
        ("2027-01-01T00:00:00Z", vec![DELETED_TITLE, EXPIRED_TITLE]),
        ("2031-01-01T00:00:00Z", vec![DELETED_TITLE, EXPIRED_TITLE]),
        ("0001-01-01T00:00:00Z", vec![DELETED_TITLE]),
        ("yesterday", vec![DELETED_TITLE]),
        ("", vec![DELETED_TITLE]),
    ] {
        assert_eq!(titles(&found(&rules, &[at(1, time)])), expected, "{time}");
    }
    for odd in [
        json!({"eventTime": null}),
        json!({"eventTime": 1_796_000_000}),
        json!({"eventTime": ["2026-11-22T09:00:00Z", "2026-11-22T09:00:00Z"]}),
    ] {
        assert_eq!(titles(&found(&rules, &[delete_guardrail(1, &odd)])), [DELETED_TITLE], "{odd}");
    }
}

#[test]
fn that_an_exception_has_expired_is_told_once_a_day_under_the_same_id() {
    let rules = rules([deleted_by_role()]);
    let expired = |records: &[Value], name: &str| -> Vec<Finding> {
        let mut findings = audit_with(&rules, &document(records), &key(name)).findings;
        findings.retain(|finding| finding.title() == EXPIRED_TITLE);
        findings
    };
    let two_days = [at(1, "2027-02-01T08:00:00Z"), at(2, "2027-02-01T09:00:00Z"), at(3, "2027-02-02T00:00:00Z")];
    let findings = expired(&two_days, "one");
    assert_eq!(findings.len(), 2, "one a day");
    assert_ne!(findings[0].id, findings[1].id);
    assert_eq!(findings[0].correlation_id, findings[1].correlation_id);
    assert!(findings.iter().all(|finding| finding.severity == Level::Low));
    assert_eq!(OcsfSchema::load().violations(&findings[0].ocsf()), [""; 0]);
    let said = findings[0].summary();
    for part in [
        "Exception 1",
        "exception-1.yml",
        "ai-platform",
        "2026-12-31",
        "2027-02-01",
        "9dfb369b-ab13-4fae-a276-000000000001",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let again = expired(&[at(9, "2027-02-01T23:59:59Z")], "another");
    assert_eq!(again[0].id, findings[0].id, "in another log, of another record");
    assert_eq!(expired(&[by_another(1)], "other").len(), 0);
    let unmatched = delete_guardrail(
        1,
        &json!({
            "eventTime": "2027-02-01T08:00:00Z", "userIdentity": {"sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::111122223333:role/Web"}}}
        }),
    );
    assert_eq!(expired(&[unmatched], "unmatched").len(), 0, "it would not have silenced this");
}

#[test]
fn an_exception_with_a_successor_expires_without_a_word() {
    let mut successor = exception(2, &format!("[{DELETED}]"), BY_ROLE, "not selection", "");
    successor.text = successor.text.replace("2026-12-31", "2027-06-30").replace("2026-11-01", "2026-12-31");
    let rules = rules([deleted_by_role(), successor]);
    let on_both_days = [at(1, "2026-12-31T12:00:00Z"), at(2, "2027-01-01T12:00:00Z")];
    let audited = found(&rules, &on_both_days);
    assert_eq!((titles(&audited), excepted(&audited)), (vec![], vec![(&*id(1), 1), (&*id(2), 1)]));
}

#[tokio::test]
async fn an_expired_exception_is_published_once_an_invocation() {
    let mut bench = Bench::with("one", log(&[at(1, "2027-02-01T08:00:00Z")]));
    bench.put("two", [Get::Whole(log(&[at(2, "2027-02-01T09:00:00Z")]))]);
    bench.rule_files = vec![deleted_by_role()];
    let ledger = bench.wake(s3(&["one", "two"])).await.ledger;
    let mut titles = bench.titles();
    titles.sort();
    assert_eq!(titles, [EXPIRED_TITLE, DELETED_TITLE, DELETED_TITLE]);
    assert_eq!((ledger.findings.published, ledger.findings.superseded, ledger.findings.excepted), (3, 1, 0));
}

#[tokio::test]
async fn an_exception_in_shadow_is_counted_and_silences_nothing() {
    let mut bench = Bench::with("one", log(&[delete_guardrail(1, &json!({}))]));
    bench.rule_files = vec![exception(1, &format!("[{DELETED}]"), BY_ROLE, "not selection", "stage: shadow\n")];
    let ledger = bench.wake(s3(&["one"])).await.ledger;
    assert_eq!(bench.titles(), [DELETED_TITLE]);
    assert_eq!((ledger.findings.total, ledger.findings.published, ledger.findings.excepted), (1, 1, 0));
    assert_eq!(ledger.exceptions_shadowed.into_iter().collect::<Vec<_>>(), [(id(1), 1)]);
    assert!(ledger.excepted_by_exception.is_empty());
}

#[test]
fn an_operation_that_nobody_knows_can_be_excepted_by_its_name() {
    let summoned = |n: u32, name: &str| delete_guardrail(n, &json!({ "eventName": name }));
    let file = exception(1, &format!("[{UNKNOWN_OPERATION}]"), "eventName: SummonModel", "not selection", "");
    let audited = found(&rules([file]), &[summoned(1, "SummonModel"), summoned(2, "BanishModel")]);
    assert_eq!(audited.findings.len(), 1);
    assert_eq!(audited.findings[0].matched().unwrap().event_name, "BanishModel");
    assert_eq!((audited.records.matched, excepted(&audited)), (2, vec![(id(1).as_str(), 1)]));
}

fn refusal(file: RuleFile) -> String {
    let Loaded { refused, rule_set, .. } = RuleSet::load([file]);
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(rule_set.exceptions().is_empty() && rule_set.overrides().is_empty());
    assert_eq!(titles(&found(&rule_set, &[delete_guardrail(1, &json!({}))])), [DELETED_TITLE], "it silences nothing");
    refused[0].to_string()
}

/// A good file with one part of it wrong is refused in this place, for this reason and with a remedy.
fn refused_for(path: &str, good: &str, (right, wrong): (&str, &str), line: &str, problem: &str) -> RuleFile {
    assert!(good.contains(right), "{right}");
    let file = outside(path, &good.replacen(right, wrong, 1));
    let said = refusal(file.clone());
    assert!(said.contains(problem) && said.starts_with(&format!("{path}{line}")), "{wrong}: {said}");
    assert!(said.contains("; "), "{wrong}: no remedy: {said}");
    file
}

#[test]
fn a_wrong_exception_is_refused_with_place_and_remedy_and_silences_nothing() {
    let good = deleted_by_role().text;
    for (right, wrong, line, problem) in [
        ("owner: ai-platform\n", "", "", "no `owner`"),
        ("owner: ai-platform\n", "owner: ''\n", ":8", "no `owner`"),
        ("reason: the nightly test\n", "reason: [a]\n", ":9", "no `reason`"),
        ("date: 2026-11-01\n", "", "", "no day as its `date`"),
        ("expires: 2026-12-31\n", "", "", "no day as its `expires`"),
        ("expires: 2026-12-31\n", "expires: never\n", ":7", "no day as its `expires`"),
        ("expires: 2026-12-31\n", "expires: 2028-01-01\n", ":7", "more than a year"),
        ("expires: 2026-12-31\n", "expires: 2026-10-01\n", ":7", "before its `date`"),
        ("date: 2026-11-01\n", "date: 2026-11-01\nstage: off\n", ":7", "neither `shadow` nor `live`"),
        (DELETED, "no-such-rule", ":11", "no rule has the id or the name `no-such-rule`"),
        ("    rules: [7832d7cf-cc1f-4c37-b444-9c2db70527a5]\n", "", ":10", "does not say which rules"),
        ("[7832d7cf", "[any, 7832d7cf", ":11", "for every rule, write `rules: any` and no ids beside it"),
        ("[7832d7cf-cc1f-4c37-b444-9c2db70527a5]", "[]", ":10", "does not say which rules"),
        ("[7832d7cf-cc1f-4c37-b444-9c2db70527a5]", "[1]", ":10", "does not say which rules"),
        ("condition: not selection", "condition: selection", ":14", "silence everything else"),
        ("condition: not selection", "condition: not other", ":14", "`other`"),
        ("    condition: not selection\n", "", "", "condition"),
        ("'arn:aws:iam::111122223333:role/DataScience'", "'*'", ":14", "names nobody"),
        ("userIdentity.sessionContext.sessionIssuer.arn", "eventName", ":14", "names nobody"),
        ("sessionIssuer.arn: ", "sessionIssuer.arn|bogus: ", "", "bogus"),
        ("sessionIssuer.arn: ", "sessionIssuer.arn|windash: ", "", "windash"),
        ("product: aws", "product: windows", ":3", "logsource is not CloudTrail"),
        ("title: Exception 1\n", "", "", "title"),
        ("filter:\n", "filter:\n  - x\n", "", ""),
    ] {
        refused_for("wrong.yml", &good, (right, wrong), line, problem);
    }
}

#[tokio::test]
async fn a_wrong_exception_is_a_finding() {
    let mut bench = Bench::with("one", log(&[delete_guardrail(1, &json!({}))]));
    bench.rule_files = vec![exception(1, "any", "userIdentity.arn: '*'", "not selection", "")];
    let ledger = bench.wake(s3(&["one"])).await.ledger;
    assert_eq!(bench.titles(), ["A rule file is wrong", DELETED_TITLE]);
    assert_eq!((ledger.rule_files_refused, ledger.findings.excepted), (1, 0));
}

#[test]
fn two_exceptions_have_two_ids() {
    let mut second = deleted_by_role();
    second.path = "second.yml".to_owned();
    let loaded = RuleSet::load([deleted_by_role(), second]);
    assert_eq!((loaded.refused.len(), loaded.rule_set.exceptions().len()), (1, 1));
    assert!(loaded.refused[0].to_string().contains("exception-1.yml has the same id"));
}

#[test]
fn the_version_is_that_of_exceptions_and_overrides_too() {
    let version = |files: &[RuleFile]| rules(files.iter().cloned()).version().to_owned();
    let (plain, one) = (version(&[]), version(&[deleted_by_role()]));
    let mut renewed = deleted_by_role();
    renewed.text = renewed.text.replace("2026-12-31", "2027-01-31");
    let level = version(&[overrides(DELETED, "level: low")]);
    let all = [plain, one, version(&[renewed]), level, version(&[overrides(DELETED, "level: medium")])];
    assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len(), "{all:?}");
}

/// The rules are asked for again after a minute.
async fn wake_a_minute_later<B, P, R>(handler: &Handler<B, P, R>, log: &str) -> Ledger
where
    B: LogBucket + Sync,
    P: Publisher + Sync,
    R: RulesSource + Send + Sync + 'static,
{
    tokio::time::advance(Duration::from_secs(61)).await;
    balance::wake(handler, s3(&[log]), Duration::from_secs(120)).await.ledger
}

/// What is taken from a source stays while a mistake is being mended.
#[tokio::test(start_paused = true)]
async fn the_last_good_version_of_an_exception_stays_in_force() {
    let bench = Bench::default();
    let name = |n: u32| format!("log-{n}");
    (1..=4).for_each(|n| bench.put(&name(n), [Get::Whole(log(&[delete_guardrail(n, &json!({}))]))]));
    let rules = MemoryRules::default();
    let good = deleted_by_role().text;
    rules.put("s3://rules/e.yml", Some(&good));
    let handler = bench.handler_with(LiveRules::from_source(rules.clone(), Fixed::default()));
    let wake = async |n: u32| {
        let ledger = wake_a_minute_later(&handler, &name(n)).await;
        (ledger.findings.excepted, ledger.rule_files_refused)
    };
    assert_eq!(wake(1).await, (1, 0));
    rules.put("s3://rules/e.yml", Some(&good.replace("owner", "ovner")));
    assert_eq!(wake(2).await, (1, 1));
    assert_eq!(bench.titles(), ["A rule file is wrong"]);
    rules.put("s3://rules/e.yml", Some(&good.replace("DataScience", "Web")));
    assert_eq!(wake(3).await, (0, 0));
}

/// An exception from a rule whose file breaks is as right as before: the rule's last good version is there.
#[tokio::test(start_paused = true)]
async fn a_rule_that_breaks_takes_no_exception_with_it() {
    let bench = Bench::default();
    let name = |n: u32| format!("log-{n}");
    (1..=2).for_each(|n| bench.put(&name(n), [Get::Whole(log(&[ordinary(n)]))]));
    let rules = MemoryRules::default();
    let rule = "title: Mine\nid: mine\nlogsource:\n  product: aws\n  service: cloudtrail\ndetection:\n  selection:\n    \
                eventName: ListBuckets\n  condition: selection\n";
    rules.put("s3://rules/mine.yml", Some(rule));
    rules.put("s3://rules/e.yml", Some(&exception(1, "[mine]", BY_ROLE, "not selection", "").text));
    let handler = bench.handler_with(LiveRules::from_source(rules.clone(), Fixed::default()));
    let wake = async |n: u32| {
        let ledger = wake_a_minute_later(&handler, &name(n)).await;
        (ledger.findings.excepted, ledger.rule_files_refused)
    };
    assert_eq!(wake(1).await, (1, 0));
    rules.put("s3://rules/mine.yml", Some("title: Mine\n"));
    assert_eq!(wake(2).await, (1, 1));
}

fn proof(silences: &Value, still_alerts: &Value) -> Vec<String> {
    let rules = rules([deleted_by_role()]);
    let base = delete_guardrail(1, &json!({}));
    let case = |change: &Value| json!([{"because": "x", "change": change}]);
    let text = json!({"base": base, "silences": case(silences), "still_alerts": case(still_alerts)}).to_string();
    ExceptionProof::parse(&text).unwrap().failures(&rules, 0)
}

#[test]
fn a_proof_shows_what_is_silenced_and_what_still_alerts() {
    let another =
        json!({"userIdentity": {"sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::111122223333:role/Web"}}}});
    assert_eq!(proof(&json!({}), &another), Vec::<String>::new());
    assert_eq!(
        proof(&json!({"eventTime": "2031-01-01T00:00:00Z"}), &another),
        Vec::<String>::new(),
        "whatever the day"
    );
    for (silences, still_alerts, said) in [
        (
            another.clone(),
            another.clone(),
            "must silence because x: it does not; selection: `userIdentity.sessionContext",
        ),
        (json!({}), json!({}), "must still alert because x: it is silenced"),
        (
            json!({"eventName": "GetGuardrail"}),
            another.clone(),
            "must silence because x: no rule of the exception fires",
        ),
        (json!({}), json!({"eventName": "GetGuardrail"}), "must still alert because x: no rule of the exception fires"),
    ] {
        let failures = proof(&silences, &still_alerts);
        assert!(failures.len() == 1 && failures[0].contains(said), "{said}: {failures:?}");
    }
    for text in [r#"{"silences": []}"#, r#"{"silences": [], "still_alerts": [], "matches": []}"#, "[]"] {
        assert!(ExceptionProof::parse(text).is_err(), "{text}");
    }
    let empty = ExceptionProof::parse(r#"{"silences": [], "still_alerts": []}"#).unwrap();
    assert!(empty.failures(&rules([deleted_by_role()]), 0)[0].contains("one of the same rule that still alerts"));
}

/// What stands between ```` ```LANGUAGE ```` and its end in the page, one after the other.
fn examples(page: &str, language: &str) -> Vec<String> {
    let begin = format!("```{language}\n");
    let blocks = page.split(begin.as_str()).skip(1);
    blocks.map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_examples_of_the_page_hold() {
    let page = fs::read_to_string(repository("docs/exceptions.md")).unwrap();
    let [exception, overrides] = examples(&page, "yaml").try_into().unwrap();
    let [proof] = examples(&page, "json").try_into().unwrap();
    let rules = rules([outside("e.yml", &exception), outside("overrides.yml", &overrides)]);
    assert_eq!((rules.exceptions().len(), rules.overrides().len()), (1, 2));
    assert_eq!(ExceptionProof::parse(&proof).unwrap().failures(&rules, 0), Vec::<String>::new());
}

/// Sigma writes the one word; who writes it as a list of one means the same.
#[test]
fn every_rule_is_meant_by_any_in_a_list_as_well() {
    for any in ["any", "[any]", "\n        - any"] {
        let rules = rules([exception(1, any, BY_ROLE, "not selection", "")]);
        assert_eq!(rules.exceptions()[0].rules, None, "{any}");
    }
}
