//! Exceptions as a user of the command line meets them: made from a finding, explained, listed, in shadow.

use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use detection::rules::UNKNOWN_OPERATION;
use serde_json::{Value, json};

use super::{DELETED, deleted_by_role, id, overrides::overrides};
use crate::{
    command_line::{Ran, run},
    samples::{delete_guardrail, document},
};

/// A record of today, wherever this machine's clock is: the command line writes exceptions that begin with it.
fn today(change: &Value) -> Value {
    let now = DateTime::from(SystemTime::now()).fmt(DateTimeFormat::DateTime).unwrap();
    let mut record = delete_guardrail(1, change);
    record["eventTime"] = json!(now);
    record
}

fn path(folder: &tempfile::TempDir, name: &str) -> PathBuf {
    folder.path().join(name)
}

fn shown(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The one finding in a record, as `scan` writes it.
fn scanned(record: &Value, more: &[&str]) -> Ran {
    run(&[&["scan", "--format", "json", "-"], more].concat(), &document(std::slice::from_ref(record)))
}

fn except(finding: &str, out: &Path) -> Ran {
    let more = ["--owner", "ai-platform", "--reason", "the nightly test"];
    run(&[&["rules", "except", "-", "--out", shown(out)], more.as_slice()].concat(), finding.as_bytes())
}

/// From an alert to silence about it and nothing else, whatever the record calls things.
#[test]
fn an_exception_from_a_finding_is_right_and_proven() {
    let arn = |name: &str| json!({"sessionContext": {"sessionIssuer": {"arn": format!("arn:aws:iam::111122223333:role/{name}")}}});
    for (name, change) in [
        ("plain", json!({})),
        (
            "wildcards",
            json!({"requestParameters": {"guardrailIdentifier": r"a*b?c\\*\d"}, "userIdentity": arn("any*")}),
        ),
        (
            "quotes",
            json!({"requestParameters": {"guardrailIdentifier": "\"x': y\" # z\n  condition: selection\u{1}\u{2028}\u{fffe}é😀"}}),
        ),
        (
            "a user",
            json!({"userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/ana", "sessionContext": null}}),
        ),
        (
            "root",
            json!({"userIdentity": {"type": "Root", "arn": "arn:aws:iam::111122223333:root", "sessionContext": null}}),
        ),
        (
            "a service",
            json!({"userIdentity": {"type": "AWSService", "arn": null, "principalId": null, "invokedBy": "x.amazonaws.com", "sessionContext": null}}),
        ),
        ("hidden", json!({"requestParameters": {"guardrailIdentifier": "***"}})),
        ("unknown", json!({"eventName": "SummonModel"})),
    ] {
        let record = today(&change);
        for (at, finding) in scanned(&record, &[]).out.lines().enumerate() {
            let folder = tempfile::tempdir().unwrap();
            let Ran { status, out, err } = except(finding, folder.path());
            assert_eq!((status, out.lines().count()), (0, 2), "{name}: {err}");
            let checked = run(&["rules", "check", shown(folder.path())], b"");
            assert_eq!(checked.status, 0, "{name}: {}{}", checked.out, checked.err);
            assert!(!checked.err.contains("warning"), "{name}: {}", checked.err);
            let tested = run(&["rules", "test", shown(folder.path())], b"");
            assert!(
                tested.status == 0 && tested.out.contains("1 exception proven, 0 not"),
                "{name}: {}{}",
                tested.out,
                tested.err
            );
            let again = scanned(&record, &["--rules", shown(folder.path())]);
            let title: Value = serde_json::from_str(finding).unwrap();
            let title = title["finding_info"]["title"].as_str().unwrap();
            assert!(!again.out.contains(title) && again.err.contains("(1 excepted)"), "{name} {at}: {}", again.err);
            // Another name in the place of each, so that no wildcard is left of what was a part of it.
            let web = json!({"userIdentity": {"type": "AssumedRole", "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::111122223333:role/anybody"}}, "arn": "arn:aws:iam::111122223333:user/anybody", "principalId": "AIDAANYBODY"}});
            let mut other = record.clone();
            json_patch::merge(&mut other, &web);
            let by_another = scanned(&other, &["--rules", shown(folder.path())]);
            assert!(!by_another.err.contains("excepted"), "{name} {at}");
        }
    }
}

#[test]
fn an_exception_from_a_finding_says_who_and_for_how_long_and_takes_no_files_place() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("not/there/yet");
    let finding = scanned(&today(&json!({})), &[]).out;
    assert_eq!(except(&finding, &out).status, 0);
    let mut written = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path());
    let yml = written.find(|path| path.extension().is_some_and(|ending| ending == "yml")).unwrap();
    let text = fs::read_to_string(&yml).unwrap();
    for line in [
        "title: \"Bedrock guardrail deleted: excepted for role DataScience\"",
        "owner: \"ai-platform\"",
        "reason: \"the nightly test\"",
        "        - \"7832d7cf-cc1f-4c37-b444-9c2db70527a5\"",
        "        userIdentity.sessionContext.sessionIssuer.arn|cased: \"arn:aws:iam::111122223333:role/DataScience\"",
        "        recipientAccountId|cased: \"111122223333\"",
        "        requestParameters.guardrailIdentifier|cased: \"gr4example7k2\"",
        "    condition: not selection",
    ] {
        assert!(text.lines().any(|written| written == line), "{line}:\n{text}");
    }
    let again = except(&finding, &out);
    assert!(again.status == 2 && again.err.contains("cannot be written"), "{}", again.err);
    let late = run(
        &["rules", "except", "-", "--owner", "x", "--expires", "2999-01-01", "--out", shown(folder.path())],
        finding.as_bytes(),
    );
    assert!(late.status == 2 && late.err.contains("more than a year"), "{}", late.err);
    for (wrong, said) in [
        (format!("{finding}{finding}"), "there is more than one; take one line, the first with `sed -n 1p`"),
        ("finding".to_owned(), "not the JSON of one finding"),
        ("{}".to_owned(), "it is no finding of bedrock-audit"),
        (run(&["scan", "--format", "json", "-"], b"{").out, "it carries no record"),
    ] {
        let Ran { status, err, .. } = except(&wrong, folder.path());
        assert!(status == 2 && err.contains(said), "{said}: {err}");
    }
    let elsewhere = finding.replace(DELETED, "a-rule-of-mine");
    assert!(except(&elsewhere, folder.path()).err.contains("no rule has the id or the name `a-rule-of-mine`"));
    let mine = tempfile::tempdir().unwrap();
    let rule = "title: Mine\nid: a-rule-of-mine\nlogsource:\n  product: aws\n  service: cloudtrail\ndetection:\n  selection:\n    \
                eventName: DeleteGuardrail\n  condition: selection\n";
    fs::write(path(&mine, "mine.yml"), rule).unwrap();
    let arguments =
        ["rules", "except", "-", "--owner", "x", "--rules", shown(mine.path()), "--out", shown(folder.path())];
    let Ran { status, err, .. } = run(&arguments, elsewhere.as_bytes());
    assert_eq!(status, 0, "{err}");
}

#[test]
fn an_exception_without_a_proof_that_holds_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let check = || run(&["rules", "check", shown(folder.path())], b"");
    fs::write(path(&folder, "e.yml"), deleted_by_role().text).unwrap();
    let Ran { status, out, err } = check();
    assert!(status == 1 && err.contains("e.yml: error: it has no proof beside it; write e.proof.json"), "{out}{err}");
    let proof = |still_alerts: Value| {
        let case = |change: Value| json!([{"because": "x", "change": change}]);
        let proof = json!({"base": delete_guardrail(1, &json!({})), "silences": case(json!({})), "still_alerts": case(still_alerts)});
        fs::write(path(&folder, "e.proof.json"), proof.to_string()).unwrap();
    };
    proof(json!({}));
    let Ran { status, err, .. } = check();
    assert!(status == 1 && err.contains("must still alert because x: it is silenced"), "{err}");
    let tested = run(&["rules", "test", shown(folder.path())], b"");
    assert!(tested.status == 1 && tested.out.contains("0 exceptions proven, 1 not"), "{}{}", tested.out, tested.err);
    proof(
        json!({"userIdentity": {"sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::111122223333:role/Web"}}}}),
    );
    let Ran { status, out, err } = check();
    assert!(status == 0 && out.contains("1 exception: 0 refused"), "{out}{err}");
    fs::write(path(&folder, "overrides.yml"), overrides("no-such-rule", "level: low").text).unwrap();
    let Ran { status, err, .. } = check();
    assert!(status == 1 && err.contains("overrides.yml:2:1: error: `no-such-rule`: no rule has this id"), "{err}");
    assert!(!err.contains("overrides.yml: warning: it has no proof"), "{err}");
}

#[test]
fn a_record_is_explained_with_what_silences_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(path(&folder, "e.yml"), deleted_by_role().text).unwrap();
    let record = document(&[delete_guardrail(1, &json!({}))]);
    let explain = || -> Value {
        let id = "9dfb369b-ab13-4fae-a276-000000000001";
        let ran = run(&["scan", "--rules", shown(folder.path()), "--explain", id, "--format", "json", "-"], &record);
        let said = ran.out.lines().map(|line| serde_json::from_str(line).unwrap());
        said.into_iter().find(|said: &Value| said["rule"] == DELETED).unwrap()
    };
    let said = explain();
    assert_eq!((&said["answer"], &said["fires"]), (&json!("yes"), &json!(false)));
    let why = said["why"].to_string();
    assert!(why.contains("Exception 1") && why.contains("ai-platform") && why.contains("2026-12-31"), "{why}");
    fs::write(path(&folder, "overrides.yml"), overrides(DELETED, "disabled: true").text).unwrap();
    let said = explain();
    assert_eq!((&said["answer"], &said["fires"]), (&json!("disabled"), &json!(false)));
    assert!(said["why"].to_string().contains("too loud"), "{said}");
}

#[test]
fn scan_says_what_an_exception_in_shadow_would_silence() {
    let folder = tempfile::tempdir().unwrap();
    let mut shadow = deleted_by_role();
    shadow.text = shadow.text.replace("owner:", "stage: shadow\nowner:");
    fs::write(path(&folder, "e.yml"), shadow.text).unwrap();
    let ran = |more: &[&str]| {
        let arguments = [&["--rules", shown(folder.path())], more].concat();
        scanned(&delete_guardrail(1, &json!({})), &arguments)
    };
    let Ran { status, out, err } = ran(&["--shadow"]);
    assert_eq!((status, out.lines().count()), (1, 1), "it is told all the same: {err}");
    assert!(err.contains("e.yml: the exception in shadow would silence 1: Exception 1"), "{err}");
    assert!(ran(&[]).err.contains("exceptions in shadow would silence 1)"));
}

#[test]
fn rules_list_shows_who_answers_for_what_and_until_when() {
    let folder = tempfile::tempdir().unwrap();
    let mut shadow = deleted_by_role();
    shadow.text = shadow.text.replace("owner:", "stage: shadow\nowner:");
    fs::write(path(&folder, "e.yml"), shadow.text).unwrap();
    fs::write(
        path(&folder, "overrides.yml"),
        overrides(UNKNOWN_OPERATION, "disabled: true").text.replace("ai-platform", "soc"),
    )
    .unwrap();
    let Ran { status, out, err } = run(&["rules", "list", "--rules", shown(folder.path())], b"");
    assert_eq!(status, 0, "{err}");
    for part in
        ["Exception 1", "in shadow", "ai-platform", "the nightly test", "disabled", "soc", "too loud", "2026-12-31"]
    {
        assert!(out.contains(part), "{part}: {out}");
    }
    fs::write(path(&folder, "overrides.yml"), overrides(DELETED, "level: low").text).unwrap();
    let out = run(&["rules", "list", "--format", "json", "--rules", shown(folder.path())], b"").out;
    let rules: Vec<Value> = serde_json::from_str(&out).unwrap();
    let rule = rules.iter().find(|rule| rule["id"] == DELETED).unwrap();
    assert_eq!((&rule["exceptions"][0]["id"], &rule["exceptions"][0]["stage"]), (&json!(id(1)), &json!("shadow")));
    assert_eq!((&rule["override"]["level"], &rule["override"]["expires"]), (&json!("low"), &json!("2026-12-31")));
    let other = rules.iter().find(|rule| rule["id"] != DELETED).unwrap();
    assert_eq!((&other["exceptions"], &other["override"]), (&json!([]), &json!(null)));
}

/// What does nothing today does not look healthy.
#[test]
fn the_sums_tell_what_has_expired_and_what_is_still_to_come() {
    let folder = tempfile::tempdir().unwrap();
    let dated = |name: &str, number: u32, date: &str, expires: &str| {
        let mut file = deleted_by_role();
        file.text = file.text.replace(&id(1), &id(number)).replace("2026-11-01", date).replace("2026-12-31", expires);
        assert!(file.text.contains(&format!("date: {date}\n")) && file.text.contains(&format!("expires: {expires}\n")));
        fs::write(path(&folder, name), file.text).unwrap();
    };
    dated("past.yml", 1, "2020-01-01", "2020-02-01");
    dated("future.yml", 2, "2990-01-01", "2990-02-01");
    let out = run(&["rules", "check", shown(folder.path())], b"").out;
    assert!(out.contains("2 exceptions: 0 refused, 1 expired, 1 not yet in force; 0 overrides\n"), "{out}");
    let out = run(&["rules", "test", shown(folder.path())], b"").out;
    assert!(out.contains("0 exceptions proven, 2 not, 1 expired, 1 not yet in force\n"), "{out}");
    let out = run(&["rules", "list", "--rules", shown(folder.path())], b"").out;
    assert!(out.contains("not in force before") && out.contains("2990-01-01") && out.contains("expired"), "{out}");
}
