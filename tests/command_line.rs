//! `bedrock-audit` as a user runs it: what it prints where, and with which status it ends.

use std::{
    env, fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    ocsf_schema::OcsfSchema,
    samples::{delete_guardrail, document, key, log, ordinary, repository},
};

/// Cargo puts the binaries of all members beside the folder of the tests.
fn binary() -> PathBuf {
    let path = env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("bedrock-audit");
    assert!(path.exists(), "{} is not built: run by `make test`", path.display());
    path
}

struct Ran {
    status: i32,
    out: String,
    err: String,
}

fn run(arguments: &[&str], stdin: &[u8]) -> Ran {
    let mut child = Command::new(binary())
        .args(arguments)
        .current_dir(repository(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stdin).ok();
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    Ran {
        status: status.code().unwrap(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

fn scan(arguments: &[&str]) -> Ran {
    run(&[&["scan"], arguments].concat(), b"")
}

/// A folder as `aws s3 sync` leaves it.
fn bucket_copy() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |key: &str, bytes: &[u8]| {
        let path = folder.path().join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    write(&key("a"), &log(&[ordinary(1), delete_guardrail(2, &json!({}))]));
    write(&key("b"), &log(&[ordinary(3)]));
    write("AWSLogs/111122223333/CloudTrail-Digest/eu-central-1/2026/11/22/d.json.gz", b"a digest");
    write("AWSLogs/111122223333/notes.txt", b"no log");
    // As log shippers and deduplicating stores leave them.
    std::os::unix::fs::symlink(folder.path().join(key("b")), folder.path().join("link.json.gz")).unwrap();
    write("unpacked.json", &document(&[delete_guardrail(4, &json!({"errorCode": "AccessDenied"}))]));
    folder
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_folder_is_scanned_and_json_is_one_finding_a_line() {
    let folder = bucket_copy();
    let ran = scan(&[text(folder.path())]);
    assert_eq!(ran.status, 1, "{}", ran.err);
    let schema = OcsfSchema::load();
    let findings: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(findings.iter().all(|finding| schema.violations(finding).is_empty()));
    let severities: Vec<&str> = findings.iter().map(|finding| finding["severity"].as_str().unwrap()).collect();
    assert_eq!(severities, ["High", "Medium"], "not on a terminal, so JSON, in the order of the files");
    assert!(ran.err.ends_with("4 logs, 5 records, 2 findings; 1 file skipped, 0 not read whole\n"), "{}", ran.err);
}

/// Logs that somebody has unpacked where they lay are logs still.
#[test]
fn an_unpacked_log_in_a_copy_of_a_bucket_is_scanned() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(key("a").replace(".gz", ""));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, document(&[delete_guardrail(1, &json!({}))])).unwrap();
    assert_eq!(scan(&[text(folder.path())]).status, 1);
}

/// Copied without the folder above, digests are still no logs.
#[test]
fn a_part_of_a_bucket_is_scanned_as_the_whole_is() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [
        ("111122223333/CloudTrail/us-east-1/2026/11/22/a.json.gz", log(&[ordinary(1)])),
        ("111122223333/CloudTrail-Digest/us-east-1/2026/11/22/d.json.gz", b"a digest".to_vec()),
        ("111122223333/CloudTrail-Insight/us-east-1/2026/11/22/i.json.gz", b"an insight".to_vec()),
    ] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let ran = scan(&[text(folder.path())]);
    assert_eq!((ran.status, ran.out.as_str()), (0, ""), "{}", ran.err);
    assert!(ran.err.contains("1 log, 1 record, 0 findings; 2 files skipped"), "{}", ran.err);
}

#[test]
fn the_status_says_clean_found_or_not_read() {
    for (paths, status) in [
        (vec!["events/logs/quiet-day.json"], 0),
        (vec!["events/logs/delete-guardrail.json"], 1),
        (vec!["events/logs/not-a-trail.json"], 2),
        (vec!["events/logs/one-unreadable-record.json"], 2),
        (vec!["events/logs/quiet-day.json", "events/logs/delete-guardrail.json"], 1),
        (vec!["events/logs/delete-guardrail.json", "events/logs/unclosed.json"], 2),
    ] {
        assert_eq!(scan(&paths).status, status, "{paths:?}");
    }
    assert_eq!(run(&["scam"], b"").status, 2);
}

#[test]
fn what_cannot_be_read_is_one_line_each_and_the_rest_is_scanned() {
    let empty = tempfile::tempdir().unwrap();
    let ran = scan(&[
        "missing.json",
        text(empty.path()),
        "events/logs/not-a-trail.json",
        "events/logs/delete-guardrail.json",
    ]);
    assert_eq!(ran.status, 2);
    let lines: Vec<&str> = ran.err.lines().collect();
    assert_eq!(lines.len(), 4, "three complaints and the sum: {}", ran.err);
    assert!(lines.iter().all(|line| line.starts_with("bedrock-audit: ")));
    for expected in [
        "missing.json cannot be read",
        "has no .json or .json.gz log in it",
        "not-a-trail.json: it is not a CloudTrail log",
    ] {
        assert!(ran.err.contains(expected), "{expected}: {}", ran.err);
    }
    assert!(ran.out.contains("Bedrock guardrail deleted (success)"));
}

#[test]
fn standard_input_is_read_packed_or_not() {
    let records = [delete_guardrail(1, &json!({}))];
    for bytes in [document(&records), log(&records)] {
        let ran = run(&["scan", "-"], &bytes);
        assert_eq!((ran.status, ran.out.lines().count()), (1, 1), "{}", ran.err);
    }
}

#[test]
fn the_table_is_for_people() {
    let ran = scan(&["--format", "table", "events/logs/a-busy-hour.json"]);
    let at = |text: &str| ran.out.find(text).unwrap_or_else(|| panic!("{text} is missing in\n{}", ran.out));
    assert!(at("high") < at("medium"), "the worst first");
    for expected in ["Bedrock knowledge base deleted (denied)", "111122223333", "203.0.113.24", "09:44:08"] {
        at(expected);
    }
    let hostile = scan(&["--format", "table", "events/logs/hostile-text.json"]).out;
    assert!(hostile.chars().all(|c| c == '\n' || !(c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c))));
    assert!(scan(&["--format", "table", "events/logs/quiet-day.json"]).out.is_empty());
    let two =
        scan(&["--format", "table", "events/logs/delete-guardrail-denied.json", "events/logs/delete-guardrail.json"]);
    assert!(two.out.find("high").unwrap() < two.out.find("medium").unwrap(), "whatever the order of the files");
}

/// Names of files, titles of rules and addresses are other people's text as well.
#[test]
fn nothing_acts_on_the_terminal() {
    let harmless = |text: &str| text.chars().all(|c| c == '\n' || !c.is_control());
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("a\u{1b}[2J.json");
    fs::write(&log, document(&[delete_guardrail(1, &json!({"sourceIPAddress": "\u{9b}31m"}))])).unwrap();
    let rule = "title: \"T\\e[31m\"\nid: 5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d1b11\nlogsource:\n    product: aws\n    service: cloudtrail\ndetection:\n    selection:\n        eventName: DeleteGuardrail\n    condition: selection\nlevel: low\n";
    fs::write(folder.path().join("mine.yml"), rule).unwrap();
    let rules = text(folder.path());
    for arguments in [
        ["scan", "--format", "table", "--rules", rules, text(&log)].as_slice(),
        &["rules", "list", "--rules", rules],
        &["scan", "missing\u{1b}[2J.json"],
    ] {
        let ran = run(arguments, b"");
        assert!(harmless(&ran.out) && harmless(&ran.err), "{arguments:?}");
    }
}

#[test]
fn the_lowest_severity_leaves_out_and_says_so() {
    let ran = scan(&["--min-severity", "high", "events/logs/a-busy-hour.json"]);
    assert_eq!((ran.status, ran.out.lines().count()), (1, 1));
    assert!(ran.err.contains("3 more below the lowest severity asked for"), "{}", ran.err);
    assert_eq!(scan(&["--min-severity", "critical", "events/logs/a-busy-hour.json"]).status, 0);
}

#[test]
fn rules_of_a_folder_are_added_and_a_wrong_one_is_status_2() {
    let folder = tempfile::tempdir().unwrap();
    let rule = "title: Buckets listed\nid: 5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d1b11\nlogsource:\n    product: aws\n    service: cloudtrail\ndetection:\n    selection:\n        eventName: ListBuckets\n    condition: selection\nlevel: low\n";
    fs::write(folder.path().join("mine.yml"), rule).unwrap();
    let log = folder.path().join("log.json");
    fs::write(&log, document(&[ordinary(1)])).unwrap();
    let with_rules = ["--rules", text(folder.path()), text(&log)];
    let ran = scan(&with_rules);
    assert_eq!(ran.status, 1, "{}", ran.err);
    assert!(ran.out.contains("Buckets listed (success)"));
    assert_eq!(scan(&[text(&log)]).status, 0);

    // In shadow it is counted, and shown only to who asks.
    fs::write(folder.path().join("mine.yml"), format!("{rule}stage: shadow\n")).unwrap();
    let ran = scan(&with_rules);
    assert_eq!((ran.status, ran.out.as_str()), (0, ""));
    assert!(ran.err.contains("1 of rules in shadow not shown"), "{}", ran.err);
    assert_eq!(scan(&[&["--shadow"], &with_rules[..]].concat()).status, 1);
    fs::write(folder.path().join("mine.yml"), rule).unwrap();

    fs::write(folder.path().join("wrong.yml"), rule.replace("cloudtrail", "guardduty")).unwrap();
    let ran = scan(&with_rules);
    assert_eq!((ran.status, ran.out.lines().count()), (2, 1));
    assert!(ran.err.contains("wrong.yml:3: its logsource is not CloudTrail"), "{}", ran.err);
    assert_eq!(scan(&["--rules", "missing", text(&log)]).status, 2);
    let empty = tempfile::tempdir().unwrap();
    assert!(scan(&["--rules", text(empty.path()), text(&log)]).err.contains("holds no .yml file"));
    assert_eq!(scan(&["--rules", "rules", text(&log)]).status, 0, "the built-in rules are not taken twice");
    for command in ["check", "test"] {
        assert_eq!(run(&["rules", command, text(folder.path())], b"").status, 2, "{command}");
    }
    fs::write(folder.path().join("wrong.yml"), b"title: \xe4").unwrap();
    let ran = scan(&with_rules);
    assert!(ran.status == 2 && ran.err.contains("wrong.yml: it cannot be read"), "{}", ran.err);
}

#[test]
fn rules_are_listed_checked_and_tested() {
    let listed = run(&["rules", "list"], b"");
    assert_eq!(listed.status, 0);
    assert!(listed.out.contains("Bedrock guardrail deleted") && listed.out.contains("being-watched"), "{}", listed.out);

    for command in ["check", "test"] {
        let ran = run(&["rules", command, "rules"], b"");
        assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{}", ran.out);
    }
    let folder = tempfile::tempdir().unwrap();
    for ending in ["yml", "proof.json"] {
        let from = repository(&format!("rules/guardrails/guardrail-deleted.{ending}"));
        fs::copy(from, folder.path().join(format!("mine.{ending}"))).unwrap();
    }
    assert_eq!(run(&["rules", "test", text(folder.path())], b"").status, 0);
    let at = text(folder.path());
    assert_eq!(run(&["rules", "check", "--require-proof", at], b"").status, 0);
    // What is right by itself and would be refused beside the built-in rules is told.
    let retuned = fs::read_to_string(folder.path().join("mine.yml")).unwrap().replace("level: high", "level: low");
    fs::write(folder.path().join("retuned.yml"), retuned).unwrap();
    let ran = run(&["rules", "check", at], b"");
    assert_eq!(ran.status, 2);
    assert!(ran.err.contains("rules/guardrails/guardrail-deleted.yml has the same id"), "{}", ran.err);
    fs::remove_file(folder.path().join("retuned.yml")).unwrap();
    assert!(run(&["rules", "check", "events"], b"").err.contains("events holds no .yml file"));
    assert!(run(&["rules", "check", "README.md"], b"").err.contains("is a file; give the folder"));
    fs::copy(folder.path().join("mine.yml"), folder.path().join("unproven.yml")).unwrap();
    let unproven = folder.path().join("unproven.yml");
    let other = fs::read_to_string(&unproven).unwrap().replace("7832d7cf", "7832d7c0");
    fs::write(&unproven, other).unwrap();
    assert_eq!(run(&["rules", "check", at], b"").status, 0);
    let ran = run(&["rules", "check", "--require-proof", at], b"");
    assert!(ran.status == 2 && ran.err.contains("unproven.yml: it has no proof beside it"), "{}", ran.err);
    fs::remove_file(unproven).unwrap();
    let rule = folder.path().join("mine.yml");
    fs::write(&rule, fs::read_to_string(&rule).unwrap().replace("DeleteGuardrail\n", "GetGuardrail\n")).unwrap();
    let ran = run(&["rules", "test", text(folder.path())], b"");
    assert_eq!(ran.status, 1);
    assert!(ran.out.contains("must match because") && ran.out.contains("0 rules are proven, 1 are not"), "{}", ran.out);
}

#[test]
fn a_proof_that_cannot_be_read_proves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let from = repository("rules/guardrails/guardrail-deleted.yml");
    fs::copy(from, folder.path().join("mine.yml")).unwrap();
    fs::write(folder.path().join("mine.proof.json"), "{}").unwrap();
    let ran = run(&["rules", "test", text(folder.path())], b"");
    assert!(ran.status == 1 && ran.out.contains("0 rules are proven, 1 are not"), "{}", ran.out);
}
