//! Overrides: another level, stage or rest for a rule, for a time, and that all of it is counted.

use detection::rules::{Level, RuleFile, RuleSet, Stage, UNKNOWN_OPERATION};
use detector::live_rules::{Fixed, LiveRules};
use serde_json::{Value, json};

use super::{
    BY_ROLE, DELETED, DELETED_TITLE, at, deleted_by_role, excepted, exception, found, id, outside, refusal,
    refused_for, rules, titles, wake_a_minute_later,
};
use crate::{
    flow::{Bench, Get, MemoryRules, s3},
    samples::{delete_guardrail, log, ordinary},
};

/// One entry of an override file, in force in November and December 2026.
pub(super) fn overrides(id: &str, what: &str) -> RuleFile {
    let text = format!(
        "# Ours.\n{id}:\n    {what}\n    owner: ai-platform\n    reason: too loud\n    date: 2026-11-01\n    expires: 2026-12-31\n"
    );
    outside("rules/overrides.yml", &text)
}

/// A rule that watches over exceptions would otherwise be silenced by the very file that it must tell of.
#[test]
fn a_rule_that_is_always_told_cannot_be_excepted_nor_overridden() {
    const WRITTEN: &str = "919018f4-27bd-4cf7-84a9-1ad2119c9805";
    let written = json!({
        "eventSource": "s3.amazonaws.com", "eventName": "PutObject",
        "requestParameters": {"bucketName": "bedrock-audit-rules", "key": "rules/quiet.yml", "guardrailIdentifier": null}
    });
    let written = || delete_guardrail(1, &written);
    let named = exception(1, &format!("[{WRITTEN}]"), BY_ROLE, "not selection", "");
    assert!(refusal(named).contains("names a rule that is always told"));
    for what in ["disabled: true", "level: low", "stage: shadow"] {
        assert!(refusal(overrides(WRITTEN, what)).contains("always told"), "{what}");
    }
    let any = rules([exception(1, "any", BY_ROLE, "not selection", "")]);
    let audited = found(&any, &[written(), delete_guardrail(2, &json!({}))]);
    assert_eq!(titles(&audited), ["bedrock-audit's rules, lists or exceptions written (success)"]);
    assert_eq!(excepted(&audited), [(id(1).as_str(), 1)], "the deleted guardrail alone");
}

#[test]
fn an_override_gives_a_rule_another_level_for_a_time() {
    let rules = rules([overrides(DELETED, "level: low")]);
    let severities = |change: Value| {
        let findings = found(&rules, &[delete_guardrail(1, &change)]).findings;
        findings.iter().map(|finding| finding.severity).collect::<Vec<_>>()
    };
    assert_eq!(severities(json!({})), [Level::Low]);
    // What is denied keeps its distance: it was medium where success was high.
    assert_eq!(severities(json!({"errorCode": "AccessDenied"})), [Level::Informational]);
    // After it, and where nobody knows when, the rule is what it was.
    assert_eq!(severities(json!({"eventTime": "2027-01-01T00:00:00Z"})), [Level::High, Level::Low]);
    assert_eq!(severities(json!({"eventTime": "2026-10-31T23:00:00Z"})), [Level::High]);
    assert_eq!(severities(json!({"eventTime": null})), [Level::High]);
}

#[tokio::test]
async fn a_disabled_rule_is_not_asked_until_its_rest_expires() {
    let mut bench = Bench::with("one", log(&[delete_guardrail(1, &json!({})), at(2, "2027-01-05T00:00:00Z")]));
    bench.rule_files = vec![overrides(DELETED, "disabled: true")];
    let ledger = bench.wake(s3(&["one"])).await.ledger;
    assert_eq!(bench.titles(), [DELETED_TITLE, "An override of a rule has expired"]);
    let events: Vec<String> =
        bench.findings().iter().filter_map(|finding| Some(finding.matched()?.event_ids[0].clone())).collect();
    assert_eq!(events, ["9dfb369b-ab13-4fae-a276-000000000002"]);
    assert_eq!((ledger.records.matched, ledger.records.unmatched, ledger.rules_disabled), (1, 1, 1));
}

#[tokio::test]
async fn an_override_puts_a_rule_in_shadow_for_a_time() {
    let mut bench = Bench::with("one", log(&[delete_guardrail(1, &json!({})), at(2, "2027-01-05T00:00:00Z")]));
    bench.rule_files = vec![overrides(DELETED, "stage: shadow")];
    let ledger = bench.wake(s3(&["one"])).await.ledger;
    assert_eq!(bench.titles(), [DELETED_TITLE, "An override of a rule has expired"]);
    assert_eq!((ledger.findings.shadowed, ledger.findings.published, ledger.rules_disabled), (1, 2, 0));
}

#[test]
fn an_override_reaches_every_rule() {
    let mine = outside(
        "mine.yml",
        "title: Mine\nid: mine\nlogsource:\n  product: aws\n  service: cloudtrail\ndetection:\n  selection:\n    eventName: \
         ListBuckets\n  condition: selection\nlevel: medium\nstage: shadow\n",
    );
    let rules_with = |file: RuleFile| rules([file, mine.clone()]);
    let audited = found(&rules_with(overrides("mine", "stage: live")), &[ordinary(1)]);
    assert_eq!((audited.findings[0].about.stage, audited.findings[0].severity), (Stage::Live, Level::Medium));
    let audited = found(&rules_with(overrides("mine", "level: critical")), &[ordinary(1)]);
    assert_eq!((audited.findings[0].about.stage, audited.findings[0].severity), (Stage::Shadow, Level::Critical));
    let summoned = [delete_guardrail(1, &json!({"eventName": "SummonModel"}))];
    let unknown = |what| found(&rules_with(overrides(UNKNOWN_OPERATION, what)), &summoned);
    assert_eq!(unknown("level: high").findings[0].severity, Level::High);
    assert_eq!((unknown("disabled: true").findings.len(), unknown("disabled: true").records.matched), (0, 0));
}

#[test]
fn a_wrong_entry_is_left_out_alone() {
    let good = overrides(DELETED, "level: low").text;
    for (right, wrong, line, problem) in [
        ("    owner: ai-platform\n", "", ":2", "no `owner`"),
        ("reason: too loud", "reason: 7", ":5", "no `reason`"),
        ("expires: 2026-12-31", "expires: 2029-12-31", ":7", "more than a year"),
        ("    date: 2026-11-01\n", "", ":2", "no day as its `date`"),
        ("level: low", "level: lowest", ":3", "`level` is not a level"),
        ("level: low", "disabled: maybe", ":3", "neither `true` nor `false`"),
        ("level: low", "stage: muted", ":3", "neither `shadow` nor `live`"),
        ("level: low", "levle: low", ":3", "`levle` means nothing here"),
        ("    level: low\n", "", ":2", "it overrides nothing"),
        (DELETED, "no-such-rule", ":2", "`no-such-rule`: no rule has this id"),
    ] {
        let file = refused_for("overrides.yml", &good, (right, wrong), &format!("{line}:"), problem);
        // Beside an entry that is right.
        let unknown = overrides(UNKNOWN_OPERATION, "disabled: true").text;
        let loaded = RuleSet::load([outside("overrides.yml", &format!("{}{unknown}", file.text))]);
        assert_eq!((loaded.refused.len(), loaded.rule_set.overrides().len()), (1, 1), "{wrong}");
    }
    for (text, problem) in [("- a\n", "no map"), ("a: [\n", ""), ("x: 1\n", "`x`: no rule has this id")] {
        assert!(refusal(outside("overrides.yml", text)).contains(problem), "{text}");
    }
    assert_eq!(RuleSet::load([outside("overrides.yml", "# Nothing yet.\n")]).refused, []);
}

#[test]
fn a_rule_is_overridden_once() {
    let mut second = overrides(DELETED, "level: medium");
    second.path = "team/overrides.yml".to_owned();
    let loaded = RuleSet::load([overrides(DELETED, "level: low"), second]);
    assert_eq!(loaded.refused.len(), 1);
    let said = loaded.refused[0].to_string();
    assert!(
        said.starts_with("team/overrides.yml:2") && said.contains("rules/overrides.yml overrides the same rule"),
        "{said}"
    );
}

/// A wrong entry takes nothing from the others, and a file that cannot be read stays as it was.
#[tokio::test(start_paused = true)]
async fn the_last_good_version_of_an_override_file_stays_in_force() {
    let bench = Bench::default();
    let name = |n: u32| format!("log-{n}");
    (1..=3).for_each(|n| bench.put(&name(n), [Get::Whole(log(&[delete_guardrail(n, &json!({}))]))]));
    let rules = MemoryRules::default();
    let good = overrides(DELETED, "disabled: true").text;
    let wrong_entry = format!("{good}no-such-rule:\n    level: low\n");
    rules.put("s3://rules/overrides.yml", Some(&wrong_entry));
    // Another file that has a stand-in must not take the good entry away.
    rules.put("s3://rules/e.yml", Some(&deleted_by_role().text));
    let handler = bench.handler_with(LiveRules::from_source(rules.clone(), Fixed::default()));
    let wake = async |n: u32| {
        let ledger = wake_a_minute_later(&handler, &name(n)).await;
        (ledger.rules_disabled, ledger.rule_files_refused)
    };
    assert_eq!(wake(1).await, (1, 1));
    rules.put("s3://rules/e.yml", Some("filter: 1"));
    assert_eq!(wake(2).await, (1, 2));
    rules.put("s3://rules/overrides.yml", Some("a: ["));
    assert_eq!(wake(3).await, (1, 3));
}
