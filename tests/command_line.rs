//! `bedrock-audit` as a user runs it: what it prints where, and with which status it ends.

use std::{
    env, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use detection::rules::RuleSet;
use regex::Regex;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    ocsf_schema::OcsfSchema,
    samples::{delete_guardrail, document, key, log, ordinary, repository},
};

/// Cargo puts the binaries of all members beside the folder of the tests.
pub(crate) fn binary() -> PathBuf {
    let path = env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("bedrock-audit");
    assert!(path.exists(), "{} is not built: run by `make test`", path.display());
    path
}

pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn run(arguments: &[&str], stdin: &[u8]) -> Ran {
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

pub(crate) fn text(path: &Path) -> &str {
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
    assert!(ran.err.ends_with("4 logs, 5 records, 2 findings; 2 files skipped, 0 not read whole\n"), "{}", ran.err);
}

/// What a folder holds is read or counted, whatever its name is.
#[test]
fn a_file_with_another_ending_is_counted_and_a_packed_one_is_read() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("renamed.gz"), log(&[delete_guardrail(1, &json!({}))])).unwrap();
    let kept = folder.path().join(key("a").replace(".json.gz", ".gz"));
    fs::create_dir_all(kept.parent().unwrap()).unwrap();
    fs::write(kept, log(&[delete_guardrail(2, &json!({}))])).unwrap();
    for name in ["readme.txt", "log.csv", "log.json.zst"] {
        fs::write(folder.path().join(name), b"no log").unwrap();
    }
    let ran = scan(&[text(folder.path())]);
    assert!(ran.err.ends_with("2 logs, 2 records, 2 findings; 3 files skipped, 0 not read whole\n"), "{}", ran.err);
}

/// `| head -1` is no reason to claim that everything was looked at.
#[test]
fn a_scan_whose_reader_goes_says_that_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..9 {
        fs::write(folder.path().join(format!("{n}.json")), document(&[delete_guardrail(n, &json!({}))])).unwrap();
    }
    // It has gone before anything is written, however slow this machine is.
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let ran =
        Command::new(binary()).args(["scan", "--format", "json", text(folder.path())]).stdout(writer).output().unwrap();
    let err = String::from_utf8(ran.stderr).unwrap();
    let said = "bedrock-audit: stopped when nobody read on, with 8 files not looked at; until then 1 log, 1 record, 1 finding;";
    assert!(err.starts_with(said), "{err}");
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
    for expected in
        ["missing.json cannot be read", "has no .json or .gz log in it", "not-a-trail.json: it is not a CloudTrail log"]
    {
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
    let told = ran.err.lines().next().unwrap();
    assert!(
        told.starts_with("bedrock-audit: error: ") && told.contains("wrong.yml:3:1: its logsource is not CloudTrail")
    );
    assert!(
        ran.err.ends_with("1 log, 1 record, 1 finding; 0 files skipped, 0 not read whole; 1 rule file refused\n"),
        "{}",
        ran.err
    );
    assert_eq!(scan(&["--rules", "missing", text(&log)]).status, 2);
    let empty = tempfile::tempdir().unwrap();
    assert!(scan(&["--rules", text(empty.path()), text(&log)]).err.contains("holds no .yml file"));
    assert_eq!(scan(&["--rules", "rules", text(&log)]).status, 0, "the built-in rules are not taken twice");
    for (command, status) in [("check", 1), ("test", 2)] {
        assert_eq!(run(&["rules", command, text(folder.path())], b"").status, status, "{command}");
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
    let rule = folder.path().join("mine.yml");
    fs::write(&rule, fs::read_to_string(&rule).unwrap().replace("DeleteGuardrail\n", "GetGuardrail\n")).unwrap();
    let ran = run(&["rules", "test", text(folder.path())], b"");
    assert_eq!(ran.status, 1);
    assert!(
        ran.out.contains("must match because") && ran.out.contains("0 rules proven, 1 not, 0 without a proof"),
        "{}",
        ran.out
    );
}

/// A folder with a rule that is right and proven.
fn proven_rule() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for ending in ["yml", "proof.json"] {
        let from = repository(&format!("rules/guardrails/guardrail-deleted.{ending}"));
        fs::copy(from, folder.path().join(format!("mine.{ending}"))).unwrap();
    }
    folder
}

#[test]
fn a_check_ends_with_0_for_warnings_1_for_problems_and_2_for_what_cannot_be_read() {
    let folder = proven_rule();
    let at = text(folder.path());
    let mine = fs::read_to_string(folder.path().join("mine.yml")).unwrap();
    let other = mine.replace("7832d7cf", "7832d7c0");
    let check = |name: &str, rule: &str| {
        fs::write(folder.path().join(name), rule).unwrap();
        let ran = run(&["rules", "check", at], b"");
        let required = run(&["rules", "check", "--require-proof", at], b"").status;
        fs::remove_file(folder.path().join(name)).unwrap();
        (ran.status, required, ran.err, ran.out)
    };
    assert_eq!(run(&["rules", "check", "--require-proof", at], b"").status, 0);

    let (status, required, err, out) = check("other.yml", &other);
    assert_eq!((status, required), (0, 1), "{err}");
    assert!(err.ends_with("other.yml: warning: it has no proof beside it; write records that it must match and must ignore into other.proof.json (rules/README.md)\n"), "{err}");
    assert_eq!(out, "2 rules: 2 in force, 0 refused, 1 without enough of a proof; 0 problems, 1 warning\n");

    let (status, _, err, out) = check("other.yml", &other.replace("DeleteGuardrail\n", "DeleteGardrail\n"));
    assert_eq!(status, 1);
    let line = 1 + mine.lines().position(|line| line.contains("eventName: DeleteGuardrail")).unwrap();
    let expected = format!(
        "other.yml:{line}:16: error: `DeleteGardrail` is no operation of bedrock.amazonaws.com that is known; did you mean `DeleteGuardrail`?\n"
    );
    assert!(err.contains(&expected), "{err}");
    assert!(!err.contains('^'), "an excerpt is for a terminal: {err}");
    assert!(out.contains("2 in force, 0 refused") && out.contains("1 problem,"), "{out}");

    // What is right by itself and would be refused beside the built-in rules.
    let (status, _, err, _) = check("retuned.yml", &mine.replace("level: high", "level: low"));
    assert_eq!(status, 1);
    assert!(err.contains("retuned.yml:2:1: error: rules/guardrails/guardrail-deleted.yml has the same id"), "{err}");

    fs::write(folder.path().join("latin.yml"), b"title: \xe4").unwrap();
    let ran = run(&["rules", "check", at], b"");
    assert!(ran.status == 2 && ran.err.contains("latin.yml: error: it cannot be read"), "{}", ran.err);
    fs::remove_file(folder.path().join("latin.yml")).unwrap();
    for (folder, expected) in [
        ("events/logs", "events/logs holds no .yml file"),
        ("README.md", "is a file; give the folder"),
        ("missing", "cannot be listed"),
    ] {
        let ran = run(&["rules", "check", folder], b"");
        assert!(ran.status == 2 && ran.err.contains(expected), "{}", ran.err);
    }
}

#[test]
fn a_proof_with_one_case_of_a_kind_proves_too_little() {
    let folder = proven_rule();
    let (at, proof) = (text(folder.path()), folder.path().join("mine.proof.json"));
    let mut cases: Value = serde_json::from_str(&fs::read_to_string(&proof).unwrap()).unwrap();
    cases["ignores"].as_array_mut().unwrap().truncate(1);
    fs::write(&proof, cases.to_string()).unwrap();
    let ran = run(&["rules", "check", at], b"");
    assert!(ran.status == 0 && ran.err.contains("mine.proof.json: warning: it proves too little"), "{}", ran.err);
    assert_eq!(run(&["rules", "check", "--require-proof", at], b"").status, 1);
    fs::write(&proof, "{\n  \"matches\": 1\n}").unwrap();
    let ran = run(&["rules", "check", at], b"");
    assert!(ran.status == 1 && ran.err.contains("mine.proof.json:2:14: error: it is no proof"), "{}", ran.err);
}

#[test]
fn rules_are_listed_for_programs() {
    let folder = tempfile::tempdir().unwrap();
    let rule = "title: Buckets listed\nid: 5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d1b11\ntags: [attack.t1619, attack.t1562.008, attack.t1685.002, attack.discovery, attack.t12345]\nlogsource:\n    product: aws\n    service: cloudtrail\ndetection:\n    selection:\n        eventName: ListBuckets\n        requestParameters.x: y\n    condition: selection\nlevel: low\nlevel_denied: high\nstage: shadow\nwhen_hidden: alert\n";
    fs::write(folder.path().join("mine.yml"), rule).unwrap();
    let list = |format: &str| run(&["rules", "list", "--rules", text(folder.path()), "--format", format], b"");
    let listed: Value = serde_json::from_str(&list("json").out).unwrap();
    let rules = listed.as_array().unwrap();
    let builtin = RuleSet::load([]).rule_set.rules().len();
    assert_eq!(rules.len(), builtin + 1);
    let mine = rules.iter().find(|rule| rule["title"] == "Buckets listed").unwrap();
    for (name, value) in [
        ("id", json!("5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d1b11")),
        ("family", json!(null)),
        ("level", json!("low")),
        ("level_denied", json!("high")),
        ("level_failed", json!("low")),
        ("stage", json!("shadow")),
        ("origin", json!("outside")),
        ("when_hidden", json!("alert")),
        ("waits_for_list", json!(null)),
        ("fields", json!(["eventName", "requestParameters.x"])),
        ("path", json!(folder.path().join("mine.yml"))),
    ] {
        assert_eq!(mine[name], value, "{name}");
    }
    assert!(rules.iter().any(|rule| rule["origin"] == "built-in" && rule["family"] == "guardrails"));

    let ran = list("navigator");
    let layer: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(layer["versions"], json!({"attack": "19", "navigator": "5.1.0", "layer": "4.5"}));
    assert_eq!(layer["domain"], "enterprise-attack");
    let techniques = layer["techniques"].as_array().unwrap();
    let id = |technique: &Value| technique["techniqueID"].as_str().unwrap().to_owned();
    let ids: Vec<String> = techniques.iter().map(id).collect();
    let form = Regex::new(r"^T\d{4}(\.\d{3})?$").unwrap();
    assert!(ids.iter().all(|id| form.is_match(id)) && ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    assert!(!ids.iter().any(|id| id.starts_with("T1562")), "of version 18: {ids:?}");
    let technique = |wanted: &str| techniques.iter().find(|technique| id(technique) == wanted).unwrap();
    assert_eq!(technique("T1619")["score"], 1);
    assert_eq!(technique("T1619")["comment"], "Buckets listed (in shadow)");
    // Both numbers of one technique are one.
    let logs =
        rules.iter().filter(|rule| rule["tags"].as_array().unwrap().contains(&json!("attack.t1685.002"))).count();
    assert_eq!(technique("T1685.002")["score"], logs);
    assert!(ran.err.contains("T12345 is left out, which ATT&CK 19 does not have: Buckets listed"), "{}", ran.err);
}

#[test]
fn a_record_is_explained_rule_by_rule() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.json");
    let records = [ordinary(1), delete_guardrail(2, &json!({"requestParameters": null})), ordinary(3)];
    fs::write(&log, document(&records)).unwrap();
    let head = "logsource:\n    product: aws\n    service: cloudtrail\ndetection:\n    condition: selection\n    selection:\n        eventName: DeleteGuardrail\n";
    for (name, id, more) in [
        ("hidden", "0", "        requestParameters.guardrailIdentifier: x\n"),
        ("loud", "1", "        requestParameters.guardrailIdentifier: x\nwhen_hidden: alert\n"),
        ("far", "2", "        awsRegion: us-*\n        userAgent: aws-cli*\n"),
        ("waiting", "3", "requires_list: buckets\n"),
    ] {
        let rule = format!("title: {name}\nid: 5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d1b1{id}\nlevel: low\n{head}{more}");
        fs::write(folder.path().join(format!("{name}.yml")), rule).unwrap();
    }
    let id = "9dfb369b-ab13-4fae-a276-000000000002";
    let explain =
        |arguments: &[&str]| scan(&[&["--rules", text(folder.path()), "--explain"], arguments, &[text(&log)]].concat());
    let ran = explain(&[id]);
    assert_eq!(ran.status, 1, "a rule matches it: {}", ran.err);
    let lines: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let titles: Vec<&str> = lines.iter().map(|line| line["title"].as_str().unwrap()).collect();
    assert!(!titles.contains(&"waiting") && !titles.contains(&"Bedrock guardrail updated"), "they were not asked");
    assert!(ran.err.contains("not asked: ") && ran.err.contains(" waiting for an entry in "), "{}", ran.err);
    let of = |title: &str| lines.iter().find(|line| line["title"] == title).unwrap();
    let said = |title: &str| (of(title)["answer"].as_str().unwrap(), of(title)["fires"].as_bool().unwrap());
    assert_eq!(said("Bedrock guardrail deleted"), ("yes", true));
    assert_eq!(said("hidden"), ("not visible", false));
    assert_eq!(said("loud"), ("not visible", true));
    assert_eq!(said("far"), ("no", false));
    assert_eq!(of("far")["why"], json!(["selection: `awsRegion: us-*`: the field holds \"eu-central-1\""]));
    assert_eq!(of("hidden")["fields_not_visible"], json!(["requestParameters.guardrailIdentifier"]));

    let ran = explain(&[id, "--format", "table"]);
    for expected in [
        "DeleteGuardrail at bedrock.amazonaws.com",
        "yes          Bedrock guardrail deleted",
        "not visible  hidden",
        "when_hidden: ignore",
        "no           far",
        "selection: `awsRegion: us-*`: the field holds \"eu-central-1\"",
        "not asked: ",
        " about other operations, ",
        " rules waiting for an entry in accounts, buckets, ",
    ] {
        assert!(ran.out.contains(expected), "{expected}\n{}", ran.out);
    }
    assert!(!ran.out.contains("Bedrock guardrail updated"), "{}", ran.out);

    assert_eq!(
        scan(&["--explain", "9dfb369b-ab13-4fae-a276-000000000001", text(&log)]).status,
        0,
        "no rule matches it"
    );
    let ran = explain(&["9dfb369b-ab13-4fae-a276-000000000009"]);
    assert_eq!((ran.status, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("no record with the eventID 9dfb369b-ab13-4fae-a276-000000000009"), "{}", ran.err);
    let packed = run(&["scan", "--explain", id, "-"], &crate::samples::log(&records));
    assert_eq!(packed.status, 1, "{}", packed.err);
}

#[test]
fn a_proof_that_cannot_be_read_proves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let from = repository("rules/guardrails/guardrail-deleted.yml");
    fs::copy(from, folder.path().join("mine.yml")).unwrap();
    fs::write(folder.path().join("mine.proof.json"), "{}").unwrap();
    let ran = run(&["rules", "test", text(folder.path())], b"");
    assert!(ran.status == 1 && ran.out.contains("0 rules proven, 1 not, 0 without a proof"), "{}", ran.out);
}

/// A rule that names a list, and a file of lists that has it.
#[test]
fn every_command_that_reads_rules_takes_lists() {
    let folder = tempfile::tempdir().unwrap();
    let (lists, pages) = (folder.path().join("lists"), folder.path().join("pages"));
    let rules = folder.path().join("rules");
    fs::create_dir(&rules).unwrap();
    fs::write(&lists, "my_roles: [DataScience]\n").unwrap();
    let rule = "title: Mine\nid: 5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d1b11\nlevel: low\nlogsource:\n    product: aws\n    service: cloudtrail\ndetection:\n    selection:\n        eventName: DeleteGuardrail\n        userIdentity.userName|expand: '%my_roles%'\n    condition: selection\n";
    fs::write(rules.join("mine.yml"), rule).unwrap();
    let proof = json!({
        "base": delete_guardrail(1, &json!({"userIdentity": {"userName": "DataScience"}})),
        "matches": [{"because": "it is one", "outcome": "success", "severity": "low", "change": {}}],
        "ignores": [{"because": "it is none", "change": {"userIdentity": {"userName": "Web"}}}],
    });
    fs::write(rules.join("mine.proof.json"), proof.to_string()).unwrap();
    for command in [["check", text(&rules)].as_slice(), &["test", text(&rules)], &["pages", text(&rules), text(&pages)]]
    {
        let ran = run(&[&["rules"], command].concat(), b"");
        assert!(ran.err.contains("names the list `my_roles`, which is not there"), "{command:?}: {}", ran.err);
        let ran = run(&[&["rules"], command, &["--lists", text(&lists)]].concat(), b"");
        assert_eq!(ran.status, 0, "{command:?}: {}{}", ran.out, ran.err);
    }
    // What the built-in lists hold stays as a proof knows it.
    let administrators = rule
        .replace("my_roles", "administrators")
        .replace("selection:\n ", "selection:\n        eventSource|exists: true\n ");
    fs::write(rules.join("mine.yml"), administrators).unwrap();
    fs::write(&lists, "administrators: [DataScience]\n").unwrap();
    let ran = run(&["rules", "test", text(&rules), "--lists", text(&lists)], b"");
    assert!(ran.status == 1 && ran.out.contains("must match because it is one"), "{}{}", ran.out, ran.err);
}

/// Where a table has no room, nothing is broken into pieces.
#[test]
fn a_narrow_table_is_blocks() {
    let table = |columns: &str| {
        let ran = Command::new(binary())
            .args(["scan", "--format", "table", "events/logs/a-busy-hour.json"])
            .current_dir(repository(""))
            .env("COLUMNS", columns)
            .output()
            .unwrap();
        String::from_utf8(ran.stdout).unwrap()
    };
    let narrow = table("40");
    for whole in ["111122223333", "eu-central-1", "Bedrock knowledge base deleted (denied)"] {
        assert!(narrow.lines().any(|line| line == whole), "{whole}:\n{narrow}");
    }
    assert!(table("60").contains('─') && !narrow.contains('─'), "{narrow}");
}

/// A mistyped name of a list: the rules would go on waiting, and nobody would know.
#[test]
fn a_file_of_lists_is_checked_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (lists, rules) = (folder.path().join("mine"), folder.path().join("rules"));
    fs::create_dir(&rules).unwrap();
    fs::write(&lists, "model:\n  - amazon.nova-*\n").unwrap();
    fs::write(rules.join("lists.yml"), "regions: [eu-central-1, eu-west-1]\nbuckets:\n").unwrap();
    let ran = run(&["rules", "check", text(&rules), "--lists", text(&lists)], b"");
    assert_eq!(ran.status, 0, "{}", ran.err);
    for expected in [
        "mine:1:1: warning: no rule names the list `model`; did you mean `models`?\n",
        "mine:2:5: warning: `amazon.nova-*` is taken word for word",
    ] {
        assert!(ran.err.contains(expected), "{expected}{}", ran.err);
    }
    assert!(ran.out.contains("0 problems, 2 warnings\n"), "{}", ran.out);
    for expected in ["mine: 1 list, 1 entry\n", "lists.yml: 2 lists, 2 entries\n"] {
        assert!(ran.out.contains(expected), "{expected}{}", ran.out);
    }
    let ran = scan(&["--lists", text(&lists), "events/logs/quiet-day.json"]);
    assert!(ran.status == 0 && ran.err.contains("mine: no rule names the list `model`; did you mean"), "{}", ran.err);
}

/// Records come to a disk on other ways, too: whoever has them is told what was expected, and how to get there.
#[test]
fn records_without_their_document_are_told_how_to_get_one() {
    let record = delete_guardrail(1, &json!({}));
    let listed = json!({"Events": [{"EventId": "x", "CloudTrailEvent": record.to_string()}]});
    for text in
        [record.to_string(), format!("{record}\n{record}\n"), json!([record, record]).to_string(), listed.to_string()]
    {
        let ran = run(&["scan", "-"], text.as_bytes());
        assert_eq!(ran.status, 2);
        assert!(ran.err.starts_with("bedrock-audit: standard input: it is not a CloudTrail log: "), "{}", ran.err);
        for remedy in ["jq -s '{Records: flatten}' FILE", "jq '{Records: [.Events[].CloudTrailEvent | fromjson]}' FILE"]
        {
            assert!(ran.err.contains(remedy), "{}", ran.err);
        }
    }
    let one = run(&["scan", "-"], record.to_string().as_bytes());
    assert!(one.err.contains(r#"the document has no Records, where {"Records":[...]} was expected"#), "{}", one.err);
    let cut = document(&[record]);
    assert!(!run(&["scan", "-"], &cut[..cut.len() - 2]).err.contains("jq"), "it has its document, and is damaged");
}
