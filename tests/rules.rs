//! Rules: the built-in ones hold their proofs, wrong ones are refused with place and remedy, and looking rules up by name
//! loses none.

use std::{collections::BTreeSet, fs, path::PathBuf};

use detection::rules::{Loaded, MOST_RULE_FILES, Origin, RuleFile, RuleSet, proof::Proof, read_folder};
use serde_json::{Value, json};

use crate::samples::{BUILTIN, audit_with, delete_guardrail, document, files, key, repository};

fn outside(path: &str, text: &str) -> RuleFile {
    RuleFile { path: path.to_owned(), text: text.to_owned(), origin: Origin::Outside }
}

fn load(text: &str) -> Loaded {
    RuleSet::load_only([outside("mine.yml", text)])
}

/// A whole rule around a detection.
fn rule(detection: &str) -> String {
    let detection: String = detection.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "title: Test\nid: 5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d1b11\nlogsource:\n    product: aws\n    service: cloudtrail\n\
         detection:\n{detection}level: high\n"
    )
}

fn rule_files() -> Vec<PathBuf> {
    let folders = fs::read_dir(repository("rules")).unwrap().map(|entry| entry.unwrap().path());
    let mut rules: Vec<PathBuf> = folders
        .filter(|path| path.is_dir())
        .flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "yml"))
        .collect();
    rules.sort();
    rules
}

fn builtin(path: &str) -> RuleFile {
    let text = fs::read_to_string(repository(path)).unwrap();
    RuleFile { path: path.to_owned(), text, origin: Origin::BuiltIn }
}

#[test]
fn every_built_in_rule_is_proven() {
    let loaded = RuleSet::load([]);
    assert_eq!(loaded.refused, [], "no built-in rule is left out");
    assert_eq!(loaded.warnings, [], "no built-in rule is odd");
    assert_eq!(loaded.rule_set.rules().len(), rule_files().len(), "every file is built in");
    for rule in loaded.rule_set.rules() {
        let path = repository(&rule.path).with_extension("proof.json");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let proof = Proof::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (matches, ignores) = proof.cases();
        assert!(matches >= 2 && ignores >= 2, "{} has too few cases", path.display());
        assert_eq!(proof.failures(&builtin(&rule.path)), Vec::<String>::new(), "{}", rule.path);
    }
}

#[test]
fn every_built_in_rule_says_all_that_a_finding_needs() {
    let mut ids = BTreeSet::new();
    for rule in BUILTIN.rules() {
        let about = &rule.about;
        let folder = rule.path.split('/').nth(1).unwrap();
        assert_eq!(about.family.as_deref(), Some(folder), "{}: family and folder", rule.path);
        assert!(about.id.len() == 36 && ids.insert(&about.id), "{}: its id", rule.path);
        assert!(!about.words().description.is_empty() && !about.words().respond.is_empty(), "{}", rule.path);
        assert!(!about.words().references.is_empty() && !about.words().false_positives.is_empty(), "{}", rule.path);
        assert!(about.words().tags.iter().any(|tag| tag.starts_with("attack.t")), "{}: ATT&CK", rule.path);
        // What CloudTrail can hide must not be asked for without a thought of it.
        let hideable = |field: &String| {
            let always_shown = ["derived.outcome", "derived.actor"].contains(&field.as_str());
            let derived = field.starts_with("derived.") && !always_shown;
            derived || field.starts_with("requestParameters") || field.starts_with("responseElements")
        };
        let text = fs::read_to_string(repository(&rule.path)).unwrap();
        assert!(!rule.fields.iter().any(hideable) || text.contains("when_hidden:"), "{}: when_hidden", rule.path);
    }
}

/// An attempt is an attempt: what a rule says of a call that was refused or failed is proven, too.
#[test]
fn every_built_in_rule_is_proven_on_a_call_that_did_not_succeed() {
    for path in rule_files() {
        let proof = fs::read_to_string(path.with_extension("proof.json")).unwrap();
        let proof = Proof::parse(&proof).unwrap();
        assert!(proof.matching().any(|(case, _)| case.outcome != "success"), "{}", path.display());
    }
}

/// Records of one call differ in these, AWS's own examples among them.
#[test]
fn no_built_in_rule_relies_on_how_cloudtrail_files_a_record() {
    for rule in BUILTIN.rules() {
        let filed = |field: &&String| ["readOnly", "eventCategory", "managementEvent"].contains(&field.as_str());
        assert_eq!(rule.fields.iter().find(filed), None, "{}", rule.path);
    }
}

/// ATT&CK 19 gave T1562 and what is below it new numbers. Half of all tools know only the one or the other.
#[test]
fn a_technique_of_two_numbers_is_named_by_both() {
    for rule in BUILTIN.rules() {
        let has = |number: &str| rule.about.words().tags.iter().any(|tag| tag.starts_with(&format!("attack.{number}")));
        assert_eq!(has("t1562"), has("t1685"), "{}: {:?}", rule.path, rule.about.words().tags);
    }
}

/// `KEY` in a step becomes the id of the caller's access key. Deleting an object of that name would help nobody.
#[test]
fn a_step_says_key_for_an_access_key_alone() {
    for rule in BUILTIN.rules() {
        for step in &rule.about.words().respond {
            for (at, _) in step.match_indices("KEY") {
                let (before, after) = (&step[..at], &step[at + 3..]);
                let in_a_word = before.ends_with('_') || after.starts_with('_');
                let of_access_key = ["--access-key-id ", "AttributeKey=AccessKeyId,AttributeValue="];
                assert!(
                    in_a_word || of_access_key.iter().any(|place| before.ends_with(place)),
                    "{}: {step}",
                    rule.path
                );
            }
        }
    }
}

/// Nobody may wait for a finding about the making of a short-term API key: there is no record of it.
#[test]
fn the_pages_say_that_the_making_of_a_short_term_key_is_not_recorded() {
    for rule in ["api-key-used", "api-key-without-expiry-created", "bearer-token-destructive-call"] {
        let page = fs::read_to_string(repository(&format!("docs/rules/credentials/{rule}.md"))).unwrap();
        let page = page.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        let said = ["nothing is recorded when one is made", "cloudtrail has no record of their making"];
        assert!(page.contains("short-term keys") && said.iter().any(|said| page.contains(said)), "{rule}: {page}");
    }
}

/// A proof that cannot fail proves nothing: a case that is wrong must be told.
#[test]
fn a_wrong_proof_is_told() {
    let rule = builtin("rules/guardrails/guardrail-deleted.yml");
    let record = delete_guardrail(1, &json!({}));
    let fails = |matches: Value, ignores: Value| {
        let proof = json!({"base": record, "matches": matches, "ignores": ignores}).to_string();
        let mut failures = Proof::parse(&proof).unwrap().failures(&rule);
        failures.retain(|failure| !failure.starts_with("it needs a record to match"));
        failures
    };
    let case = |outcome: &str, severity: &str, change: Value| json!([{"because": "x", "outcome": outcome, "severity": severity, "change": change}]);
    assert_eq!(fails(case("success", "high", json!({})), json!([])), Vec::<String>::new());
    for (matches, ignores, expected) in [
        (case("success", "high", json!({"eventName": "GetGuardrail"})), json!([]), "does not match"),
        (case("denied", "high", json!({})), json!([]), "outcome is success, not denied"),
        (case("success", "low", json!({})), json!([]), "severity is high, not low"),
        (json!([]), json!([{"because": "x", "change": {}}]), "it matches"),
        (json!([]), json!([{"because": "x"}]), "needs either"),
    ] {
        let failures = fails(matches, ignores);
        assert!(failures.len() == 1 && failures[0].contains(expected), "{failures:?}");
    }
    assert!(
        Proof::parse(r#"{"matches": [], "ignores": [], "matchs": []}"#).is_err(),
        "a misspelt key is no empty list"
    );
}

/// Each of these would quietly mean something else; each is refused with a line and a remedy.
#[test]
fn what_cannot_be_honoured_is_refused() {
    let selection = |items: &str| rule(&format!("selection:\n{items}\ncondition: selection"));
    for (text, line, expected) in [
        ("title: [", None, "YAML"),
        ("- a\n- b\n", None, "mapping"),
        ("", None, "mapping"),
        (&rule("selection:\n    eventName: A\ncondition: selection and missing"), None, "missing"),
        (&rule("selection:\n    eventName: A\ncondition: selection and"), None, ""),
        (&rule("selection:\n    eventName: A\ncondition: selection | count() > 5"), None, ""),
        (&rule("selection:\n    eventName: A\ntimeframe: 5m\ncondition: selection"), Some(9), "timeframe"),
        (&selection("    eventName|contians: A"), Some(8), "contians"),
        (&selection("    eventName|not: A"), None, "not"),
        (&selection("    eventName|expand: '%names%'"), Some(8), "`names`, which is not there"),
        (&selection("    eventName|windash|contains: '-a'"), Some(8), "windash"),
        (&selection("    eventName|utf16le|base64: 'a'"), None, "UTF-16"),
        (&selection("    eventTime|week: 5"), Some(8), "week"),
        (&selection("    eventName|re: '('"), None, "unclosed group"),
        (&selection("    sourceIPAddress|cidr: 'x'"), None, ""),
        (&selection("    eventName: []"), Some(8), "empty list"),
        (&rule("selection:\n    eventName: A\ncondition: selection").replace("aws", "gcp"), Some(3), "logsource"),
        (
            &rule("selection:\n    eventName: A\ncondition: selection").replace("aws\n", "aws\n    category: x\n"),
            Some(3),
            "logsource",
        ),
        (&selection("    - eventName: A\n    - eventName|week: 7"), Some(9), "week"),
        (
            &rule("selection:\n    eventName: A\ncondition: selection")
                .replace("level:", "status: unsupported\nlevel:"),
            Some(10),
            "unsupported",
        ),
        (&(rule("selection:\n    eventName: A\ncondition: selection") + "family: Two Words\n"), Some(11), "family"),
        (
            &(rule("selection:\n    eventName: A\ncondition: selection") + "level_denied: worst\n"),
            Some(11),
            "level_denied",
        ),
        (&(rule("selection:\n    eventName: A\ncondition: selection") + "group_by: eventName\n"), Some(11), "group_by"),
        (
            &(rule("selection:\n    eventName: A\ncondition: selection") + "when_hidden: perhaps\n"),
            Some(11),
            "when_hidden",
        ),
        (
            "title: C\ncorrelation:\n    type: event_count\n    rules: [a]\n    group-by: [b]\n    timespan: 5m\n    condition:\n        gte: 5\n",
            Some(2),
            "correlation",
        ),
        (&format!("{0}---\n{0}", rule("selection:\n    eventName: A\ncondition: selection")), Some(11), "several"),
        (
            &format!("{}# {}", rule("selection:\n    eventName: A\ncondition: selection"), "x".repeat(1 << 20)),
            None,
            "1 MiB",
        ),
    ] {
        let loaded = load(text);
        assert_eq!(loaded.rule_set.rules().len(), 0, "{text}");
        let [refused] = loaded.refused.as_slice() else { panic!("{text}: {:?}", loaded.refused) };
        let said = refused.to_string();
        assert!(
            said.contains(expected) && said.starts_with("mine.yml") && !refused.remedy.is_empty(),
            "{text}\n{said}"
        );
        if line.is_some() {
            assert_eq!(refused.line, line, "{text}\n{said}");
        }
    }
}

#[test]
fn one_wrong_file_is_left_out_alone() {
    let good = rule("selection:\n    eventName: A\ncondition: selection");
    let loaded = RuleSet::load([outside("a.yml", "title: ["), outside("b.yml", &good), outside("c.yml", &good)]);
    assert_eq!(loaded.rule_set.rules().len(), BUILTIN.rules().len() + 1);
    let paths: Vec<&str> = loaded.refused.iter().map(|refused| refused.path.as_str()).collect();
    assert_eq!(paths, ["a.yml", "c.yml"], "the second rule with the same id is refused");
    assert_ne!(loaded.rule_set.version(), BUILTIN.version());
    assert_ne!(load(&good).rule_set.version(), load(&good.replace("eventName: A", "eventName: B")).rule_set.version());
    assert_eq!(BUILTIN.version().len(), 12);
}

#[test]
fn what_is_odd_is_warned_of() {
    let text = rule("selection:\n    recipientAccountId: 111122223333\ncondition: selection");
    let text = text.replace("level: high\n", "famly: x\n").replace("id: 5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d1b11\n", "");
    let loaded = load(&text);
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    for expected in ["111122223333 is read as a number", "no level", "no id", "famly"] {
        assert!(warnings.iter().any(|warning| warning.contains(expected)), "{expected}: {warnings:?}");
    }
    assert_eq!(loaded.rule_set.rules().len(), 1);
    assert_eq!(loaded.rule_set.rules()[0].about.level.as_str(), "medium");
}

/// Every way of writing names in a rule, and the names that such a rule could match: none of them may be missed.
#[test]
fn looking_rules_up_loses_none() {
    let rules: Vec<RuleFile> = [
        "selection:\n    eventSource: a.amazonaws.com\n    eventName: One\ncondition: selection",
        "selection:\n    eventSource: A.AMAZONAWS.COM\n    eventName: [one, TWO]\ncondition: selection",
        "selection:\n    eventName|startswith: T\ncondition: selection",
        "selection:\n    eventName: T*\ncondition: selection",
        "selection:\n    eventSource|contains: amazon\n    eventName: Two\ncondition: selection",
        "selection:\n    eventName|re: '^(One|Three)$'\ncondition: selection",
        "selection:\n    eventName|cased: Two\ncondition: selection",
        "one:\n    eventName: One\ntwo:\n    eventSource: b.amazonaws.com\ncondition: one or two",
        "one:\n    eventName: One\ntwo:\n    eventSource: b.amazonaws.com\ncondition: one and not two",
        "one:\n    eventName: One\ncondition: not one",
        "s_one:\n    eventName: One\ns_two:\n    eventName: Two\ncondition: 1 of s_*",
        "s_one:\n    eventSource: a.amazonaws.com\ns_two:\n    eventName: Two\ncondition: all of s_*",
        "s_one:\n    eventName: One\ns_two:\n    userAgent: x\ncondition: 1 of them",
        "selection:\n    - eventName: One\n    - eventSource: b.amazonaws.com\n      eventName: Three\ncondition: selection",
        "selection:\n    - eventName: One\n    - userAgent|exists: false\ncondition: selection",
        "keywords:\n    - three\ncondition: keywords",
        "selection:\n    eventName: Two\ncondition:\n    - selection\n    - not selection",
        "selection:\n    userAgent: null\ncondition: selection",
        "filter:\n    eventName: One\nselection:\n    eventSource: b.amazonaws.com\ncondition: selection and not filter",
        "selection:\n    eventName: null\ncondition: selection",
        "selection:\n    eventName|fieldref: eventSource\ncondition: selection",
    ]
    .iter()
    .enumerate()
    .map(|(n, detection)| {
        let id = format!("5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d{n:04}");
        outside(&n.to_string(), &rule(detection).replace("5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d1b11", &id))
    })
    .collect();
    let count = rules.len();
    let loaded = RuleSet::load_only(rules);
    assert_eq!((loaded.refused.as_slice(), loaded.rule_set.rules().len()), (&[][..], count));
    let mut matched = BTreeSet::new();
    for source in ["a.amazonaws.com", "b.amazonaws.com", "A.amazonAWS.com", "One"] {
        for name in ["One", "two", "Two", "TWO", "Three", "one"] {
            for extra in [json!({}), json!({"userAgent": "x"}), json!({"userAgent": "THREE"})] {
                let mut value = json!({"eventSource": source, "eventName": name});
                value.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
                let candidates = loaded.rule_set.candidates(source, name);
                let bytes = value.to_string();
                let mut question = loaded.rule_set.read(bytes.as_bytes()).unwrap();
                for position in 0..count {
                    if question.ask(position).matches {
                        matched.insert(position);
                        assert!(candidates.contains(&position), "rule {position} misses {value}");
                    }
                }
            }
        }
    }
    // Rules that no record here can match would prove nothing.
    assert_eq!(matched.len(), count - 1, "only the rule on a missing eventName matches nothing: {matched:?}");
}

/// One such rule would have every record of every log parsed.
#[test]
fn no_built_in_rule_meets_every_record() {
    let reach = BUILTIN.reach();
    let in_force = BUILTIN.rules().len() - BUILTIN.waiting().count();
    assert_eq!((reach.by_name + reach.by_literal, reach.every_record), (in_force, 0), "{reach:?}");
}

/// A rule from outside keeps its level, without a family it stands for itself, and its own grouping is kept.
#[test]
fn rules_from_outside_are_taken_at_their_word() {
    let text =
        rule("selection:\n    eventName: DeleteGuardrail\ncondition: selection") + "group_by: [sourceIPAddress]\n";
    let loaded = RuleSet::load([outside("mine.yml", &text)]);
    let denied =
        |n, address: &str| delete_guardrail(n, &json!({"errorCode": "AccessDenied", "sourceIPAddress": address}));
    let audited = audit_with(
        &loaded.rule_set,
        &document(&[denied(1, "203.0.113.1"), denied(2, "203.0.113.1"), denied(3, "203.0.113.2")]),
        &key("x"),
    );
    let mut found: Vec<(&str, &str, u64)> = audited
        .findings
        .iter()
        .map(|finding| (finding.family(), finding.severity_name(), finding.matched().unwrap().count))
        .collect();
    found.sort_unstable();
    assert_eq!(found, [("guardrails", "Medium", 3), ("other", "High", 1), ("other", "High", 2)]);
}

/// The rules that security teams already have. They are other people's and not part of this repository: where they do not
/// lie beside it, there is nothing to load.
#[test]
fn published_sigma_rules_drop_in_unchanged() {
    let folder = repository("../shared/sigma");
    if !folder.is_dir() {
        println!("skipped: SigmaHQ's rules do not lie at {}", folder.display());
        return;
    }
    let texts = files("../shared/sigma", ".yml")
        .into_iter()
        .map(|path| outside(&path.file_name().unwrap().to_string_lossy(), &fs::read_to_string(&path).unwrap()));
    let texts: Vec<RuleFile> = texts.collect();
    let count = texts.len();
    let loaded = RuleSet::load_only(texts);
    assert_eq!(loaded.refused, []);
    assert_eq!(loaded.rule_set.rules().len(), count);
}

/// A built-in rule that looks at the outcome itself has said how much a refused call matters.
#[test]
fn a_built_in_rule_that_looks_at_the_outcome_keeps_its_level() {
    let severity = |detection: &str| {
        let file = RuleFile { origin: Origin::BuiltIn, ..outside("rules/x.yml", &rule(detection)) };
        let rules = RuleSet::load_only([file]).rule_set;
        let denied = delete_guardrail(1, &json!({"errorCode": "AccessDenied"}));
        audit_with(&rules, &document(&[denied]), &key("x")).findings[0].severity_name()
    };
    assert_eq!(severity("selection:\n    eventName: DeleteGuardrail\ncondition: selection"), "Medium");
    assert_eq!(severity("selection:\n    errorCode: AccessDenied\ncondition: selection"), "High");
    assert_eq!(severity("selection:\n    - errorCode: AccessDenied\n    - eventName: x\ncondition: selection"), "High");
}

#[test]
fn each_unsuccessful_outcome_has_a_level_of_its_own() {
    let text =
        rule("selection:\n    eventName: A\ncondition: selection") + "level_denied: low\nlevel_failed: critical\n";
    let loaded = load(&text);
    let rule = &loaded.rule_set.rules()[0];
    assert_eq!((rule.level_denied.as_str(), rule.level_failed.as_str()), ("low", "critical"));
}

/// A built-in rule is one step lower for what was refused, unless it asks for just that, under whatever name.
#[test]
fn a_built_in_rule_that_asks_for_the_outcome_keeps_its_level() {
    let level_denied = |line: &str| {
        let text = rule(&format!("selection:\n    eventName: A\n    {line}\ncondition: selection"));
        let file = RuleFile { path: "rules/x.yml".to_owned(), text, origin: Origin::BuiltIn };
        RuleSet::load_only([file]).rule_set.rules()[0].level_denied
    };
    assert_eq!(level_denied("awsRegion: eu-central-1").as_str(), "medium");
    for line in ["errorCode: AccessDenied", "responseElements.statusCode: 403", "derived.outcome: denied"] {
        assert_eq!(level_denied(line).as_str(), "high", "{line}");
    }
}

/// Who may put files there may not fill our memory, nor our time.
#[test]
fn a_folder_of_too_many_rules_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    (0..MOST_RULE_FILES).for_each(|n| fs::write(folder.path().join(format!("{n}.yml")), "title: T").unwrap());
    assert_eq!(read_folder(folder.path()).unwrap().0.len(), MOST_RULE_FILES);
    fs::write(folder.path().join("one-more.yml"), "title: T").unwrap();
    let said = read_folder(folder.path()).unwrap_err().to_string();
    assert!(said.contains("more than 5000 rule files"), "{said}");
}

#[test]
fn a_folder_of_rules_is_read_whole_and_what_cannot_be_read_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    fs::create_dir(folder.path().join("below")).unwrap();
    for name in ["a.yml", "b.yaml", "below/c.yml", "notes.txt"] {
        write(name, b"title: T");
    }
    write("latin.yml", b"title: \xe4");
    let (files, refused) = read_folder(folder.path()).unwrap();
    let endings: Vec<bool> = ["a.yml", "b.yaml", "below/c.yml"]
        .iter()
        .zip(&files)
        .map(|(ending, file)| file.path.ends_with(ending) && file.text == "title: T")
        .collect();
    assert_eq!((files.len(), endings), (3, vec![true; 3]));
    assert!(refused.len() == 1 && refused[0].path.ends_with("latin.yml"), "{refused:?}");
}
