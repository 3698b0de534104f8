//! What `rules check` finds in a rule file: one wrong file a lint, with the place and the words of what it says. Each of these
//! loads as Sigma, unless the case says otherwise, and would never match or never be right.
//!
//! - [`truth`]: conditions that can never be true, or never false

mod truth;

use detection::rules::{
    Lists, Origin, RuleFile, RuleSet,
    lint::{Problem, Severity, problems},
    read_folder,
};

use crate::samples::{files, repository};

use Severity::{Error, Note, Warning};

fn file(text: &str) -> RuleFile {
    RuleFile { path: "mine.yml".to_owned(), text: text.to_owned(), origin: Origin::Outside }
}

fn check(text: &str) -> Vec<Problem> {
    let loaded = RuleSet::load_only([file(text)]);
    problems(&[file(text)], &loaded)
}

/// A whole rule around a detection, which begins in line 7.
fn rule(detection: &str) -> String {
    let detection: String = detection.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "title: Test\nid: 5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d1b11\nlogsource:\n  product: aws\n  service: cloudtrail\n\
         detection:\n{detection}level: high\n"
    )
}

const BEDROCK: &str = "eventSource: bedrock.amazonaws.com";

/// A rule with one selection; its lines begin in line 8, column 5.
fn selection(lines: &[&str]) -> String {
    let lines: String = lines.iter().map(|line| format!("  {line}\n")).collect();
    rule(&format!("selection:\n{lines}condition: selection"))
}

/// Exactly one problem, or one beside notes, and exactly there.
fn says(text: &str, severity: Severity, line: usize, column: usize, words: &[&str]) {
    let found: Vec<Problem> =
        check(text).into_iter().filter(|problem| severity == Note || problem.severity > Note).collect();
    let [problem] = found.as_slice() else { panic!("{text}\n{found:#?}") };
    assert_eq!(
        (problem.severity, problem.line, problem.column),
        (severity, Some(line), Some(column)),
        "{text}\n{problem:?}"
    );
    for word in words {
        assert!(problem.text.contains(word), "{word}: {problem:?}");
    }
}

#[test]
fn a_rule_that_is_right_has_no_problem() {
    for text in [
        selection(&[BEDROCK, "eventName: [CreateAgent, UpdateAgent]", "requestParameters.agentName|contains: x"]),
        selection(&[BEDROCK, "eventName|startswith: Delete", "userIdentity.sessionContext.sessionIssuer.arn: x"]),
        selection(&["eventSource: s3.amazonaws.com", "eventName: PutObject", "requestParameters.anything: x"]),
        selection(&[BEDROCK, "eventName: InvokeModel", "requestParameters.modelId.anything.below: x"]),
        selection(&[BEDROCK, "eventName: RenderPrompt", "requestParameters.nobodyKnows: x"]),
        selection(&["eventName: CreateAgnt", "requestParameters.agentNam: x"]),
        selection(&[
            BEDROCK,
            "eventName: TagResource",
            "tlsDetails.tlsVersion: x",
            "resources.ARN: x",
            "userIdentity.sessionContext.webIdFederationData.attributes.anything.below: x",
            "userIdentity.sessionContext.attributes.mfaAuthenticated: 'true'",
            "userIdentity.sessionContext|exists: true",
            "userIdentity.arn|startswith: 'arn:aws:sts::111122223333:assumed-role/Web/'",
            "responseElements: null",
            "additionalEventData|exists: true",
            "derived.actor: x",
        ]),
        selection(&[BEDROCK, "eventName: InvokeModel", "derived.model|expand: '%models%'"]),
    ] {
        assert_eq!(check(&text), [], "{text}");
    }
}

#[test]
fn a_field_of_no_record_is_found() {
    for (line, words) in [
        (
            "requestParameter.agentName: x",
            &["`requestParameter.agentName`", "did you mean `requestParameters.agentName`?"][..],
        ),
        ("userIdentity.arm: x", &["did you mean `userIdentity.arn`?"]),
        (
            "userIdentity.sesionContext.sourceIdentity: x",
            &["did you mean `userIdentity.sessionContext.sourceIdentity`?"],
        ),
        ("sessionContext.sourceIdentity: x", &["did you mean `userIdentity.sessionContext.sourceIdentity`?"]),
        ("sourceIpAddress|cidr: 10.0.0.0/8", &["did you mean `sourceIPAddress`?"]),
        ("errorCode.text: x", &["`errorCode` holds nothing with members"]),
        ("tlsDetails.tlsVersoin: x", &["did you mean `tlsDetails.tlsVersion`?"]),
        (
            "userIdentity.sessionContext.sesionIssuer.arn: x",
            &["did you mean `userIdentity.sessionContext.sessionIssuer.arn`?"],
        ),
        (
            "userIdentity.sessionContext.sessionIssuer.arm: x",
            &["did you mean `userIdentity.sessionContext.sessionIssuer.arn`?"],
        ),
        (
            "userIdentity.sessionContext.attributes.mfaAuthenticatd: x",
            &["did you mean `userIdentity.sessionContext.attributes.mfaAuthenticated`?"],
        ),
        ("userIdentity.sessionIssuer.arn: x", &["did you mean `userIdentity.sessionContext.sessionIssuer.arn`?"]),
        ("sessionIssuer.arn: x", &["did you mean `userIdentity.sessionContext.sessionIssuer.arn`?"]),
        ("userIdentity.sessionContext.colour: x", &["there are assumedRoot, attributes, ec2RoleDelivery, "]),
        ("userIdentity.onBehalfOf.usrId: x", &["did you mean `userIdentity.onBehalfOf.userId`?"]),
        ("userIdentity.arn.x: y", &["`userIdentity.arn` holds nothing with members; name `userIdentity.arn`"]),
        ("resources.ARN.x: y", &["`resources.ARN` holds nothing with members"]),
        ("command: x", &["`command` is a field of no record"]),
    ] {
        says(&selection(&[BEDROCK, "eventName: CreateAgent", line]), Error, 10, 5, words);
    }
    let twice = rule(&format!(
        "selection:\n  - {BEDROCK}\n    eventName: CreateAgent\n  - eventName: CreateAgent\n    usrAgent: x\ncondition: selection"
    ));
    says(&twice, Error, 11, 7, &["`userAgent`"]);
    says(
        &selection(&[BEDROCK, "eventName: CreateAgent", "userIdentity.arn|fieldref: userIdentiy.arn"]),
        Error,
        10,
        32,
        &["`userIdentity.arn`"],
    );
    let grouped = selection(&[BEDROCK, "eventName: CreateAgent"]) + "group_by: [sourceIPAdress]\n";
    says(&grouped, Error, 12, 12, &["did you mean `sourceIPAddress`?"]);
}

/// What a service is sent is known for Bedrock alone, and by the names that stand beside the field.
#[test]
fn a_member_that_the_operation_does_not_take_is_found() {
    let wrong = |lines: &[&str], words: &[&str]| says(&selection(lines), Error, 10, 5, words);
    wrong(
        &[BEDROCK, "eventName: DeleteGuardrail", "requestParameters.guardrailIdentifer: x"],
        &["DeleteGuardrail", "did you mean `requestParameters.guardrailIdentifier`?"],
    );
    wrong(
        &[BEDROCK, "eventName: DeleteGuardrail", "requestParameters.agentId.x: y"],
        &["there are guardrailIdentifier, guardrailVersion"],
    );
    let apart = rule(&format!(
        "source:\n  {BEDROCK}\nname:\n  eventName: DeleteGuardrail\nwhat:\n  requestParameters.agentId: y\ncondition: source and name and what"
    ));
    says(&apart, Error, 12, 5, &["no member"]);
    let either = rule(&format!(
        "a:\n  {BEDROCK}\n  eventName: DeleteGuardrail\nb:\n  {BEDROCK}\n  eventName: DeleteAgent\n  requestParameters.agentId: y\ncondition: a or b"
    ));
    assert_eq!(check(&either), []);
}

#[test]
fn an_event_name_that_is_no_operation_is_found() {
    says(&selection(&[BEDROCK, "eventName: DeleteGardrail"]), Error, 9, 16, &["did you mean `DeleteGuardrail`?"]);
    says(
        &selection(&[BEDROCK, "eventName:", "  - DeleteGuardrail", "  - 'StopLogging'"]),
        Error,
        11,
        9,
        &["`StopLogging` is no operation of bedrock.amazonaws.com"],
    );
    says(&selection(&[BEDROCK, "eventName|startswith: Destroy"]), Error, 9, 27, &["`Destroy`"]);
    says(
        &selection(&[
            "eventSource: [bedrock.amazonaws.com, bedrock-agentcore.amazonaws.com]",
            "eventName: [CreateAgent, CreateMemory, CreateMemry]",
        ]),
        Error,
        9,
        44,
        &["`CreateMemory`"],
    );
    let filter = rule(&format!(
        "selection:\n  {BEDROCK}\nfilter:\n  eventName: GetGardrail\ncondition: selection and not filter"
    ));
    says(&filter, Error, 10, 16, &["`GetGuardrail`"]);
    assert_eq!(
        check(&selection(&["eventSource: [bedrock.amazonaws.com, s3.amazonaws.com]", "eventName: PutObject"])),
        []
    );
}

#[test]
fn an_event_source_that_is_never_written_is_found() {
    let with = |source: &str| selection(&[&format!("eventSource: {source}"), "eventName: InvokeModel"]);
    says(
        &with("bedrock-runtime.amazonaws.com"),
        Error,
        8,
        18,
        &["CloudTrail never writes", "under `bedrock.amazonaws.com`"],
    );
    says(&with("[bedrock.amazonaws.com, bedrock-runtime.amazonaws.com]"), Warning, 8, 42, &["never writes"]);
    says(&with("bedrock"), Error, 8, 18, &["did you mean `bedrock.amazonaws.com`?"]);
    says(&with("bedrok.amazonaws.co"), Error, 8, 18, &["did you mean `bedrock.amazonaws.com`?"]);
    says(&with("signin"), Warning, 8, 18, &["a service's name and `.amazonaws.com`"]);
}

#[test]
fn what_is_left_over_or_odd_is_warned_of() {
    let unused = rule("a:\n  eventName: A\nfilter:\n  eventName: B\ncondition: a");
    says(&unused, Warning, 9, 3, &["`filter` stands in no condition"]);
    assert_eq!(check(&unused.replace("condition: a", "condition: a and not 1 of filter*")), []);
    says(
        &(rule("a:\n  eventName: A\ncondition: a") + "level_deny: low\n"),
        Warning,
        11,
        1,
        &["did you mean `level_denied`?"],
    );
    says(
        &(rule("a:\n  eventName: A\ncondition: a") + "ticket: 5\n"),
        Warning,
        11,
        1,
        &["`ticket` means nothing here and is ignored"],
    );
    says(&rule("a:\n  eventName: A\n  recipientAccountId: 111122223333\ncondition: a"), Warning, 9, 25, &["quotes"]);
    let object = selection(&["eventName: A", "requestParameters|contains: x"]);
    says(&object, Warning, 9, 5, &["holds no text but members", "`requestParameters.NAME`"]);
    let object = selection(&["eventName: A", "userIdentity.sessionContext.attributes: x"]);
    says(&object, Warning, 9, 5, &["holds no text but members"]);
    for (line, column) in [
        ("userIdentity.arn: arn:aws:iam::111122223333:role/Web", 23),
        ("userIdentity.arn|endswith: ':role/Web'", 32),
        ("userIdentity.arn|cased: [x, 'arn:aws:iam::111122223333:Role/*']", 33),
    ] {
        let role = selection(&["eventName: A", line]);
        says(&role, Warning, 9, column, &["the ARN of a role", "`derived.actor`", "sessionIssuer.arn"]);
    }
}

/// Not of Bedrock's own records, which other rules want anyway, and not where a text tells most records apart.
#[test]
fn a_rule_that_many_records_are_asked_for_is_told_what_that_costs() {
    let every = rule("a:\n  userAgent: x\ncondition: a");
    says(&every, Note, 6, 1, &["every record of every log", "up to twice the CPU time"]);
    let service = rule("a:\n  eventSource: [s3.amazonaws.com, bedrock.amazonaws.com]\n  userAgent: x\ncondition: a");
    says(&service, Note, 6, 1, &["every record of s3.amazonaws.com is parsed", "about twice the CPU time"]);
    for detection in [
        "a:\n  eventSource: bedrock.amazonaws.com\n  userAgent: x\ncondition: a",
        "a:\n  eventSource: s3.amazonaws.com\n  userIdentity.arn|endswith: /jane.doe\ncondition: a",
        "a:\n  userIdentity.arn|endswith: /jane.doe\ncondition: a",
        "a:\n  eventName: PutObject\n  userAgent: x\ncondition: a",
    ] {
        let found = check(&rule(detection));
        assert!(found.iter().all(|problem| problem.severity != Note), "{detection}\n{found:#?}");
    }
}

/// Looking at each beside all others would take minutes. What no condition names is no reason to refuse a rule.
#[test]
fn of_a_rule_with_very_many_lines_that_is_said_and_no_more() {
    let lines: String = (0..30_000).map(|n| format!("  requestParameters.x{n}: y\n")).collect();
    let found = check(&rule(&format!("a:\n  eventName: A\nb:\n{lines}condition: a")));
    let [problem] = found.as_slice() else { panic!("{} problems", found.len()) };
    assert_eq!(problem.severity, Warning);
    assert!(problem.text.contains("more than 8192 lines"), "{problem:?}");
}

/// Loading stops at the first; an author wants them all.
#[test]
fn all_that_makes_a_rule_refused_is_told_with_its_place() {
    let text =
        selection(&["eventName: A", "userAgent|re: '('", "eventTime|week: 5", "awsRegion|cidr: [10.0.0.0/8, x]"]);
    let found = check(&text);
    let places: Vec<_> = found.iter().map(|problem| (problem.severity, problem.line, problem.column)).collect();
    assert_eq!(places, [9, 10, 11].map(|line| (Error, Some(line), Some(5))), "{found:#?}");
    for (text, line, column) in [
        ("title: T\ndetection: [", 3, 1),
        (&selection(&["eventName|contians: A"]), 8, 15),
        (&rule("a:\n  eventName: A\ncondition: a and b"), 9, 3),
        (&rule("a:\n  eventName: A\ncondition: a and )"), 9, 20),
        (&rule("a:\n  eventName: A\ncondition: 'a and )'"), 9, 3),
        (&selection(&["eventName: A"]).replace("service: cloudtrail", "service: guardduty"), 3, 1),
        (&selection(&["eventName: A", "derived.modle: x"]), 9, 5),
    ] {
        says(text, Error, line, column, &[]);
    }
    let known = RuleSet::load([]);
    let taken = file(
        &selection(&["eventName: A"])
            .replace("5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d1b11", &known.rule_set.rules()[0].about.id),
    );
    let found = problems(std::slice::from_ref(&taken), &RuleSet::load([taken.clone()]));
    assert!(matches!(found.as_slice(), [Problem { severity: Error, line: Some(2), column: Some(1), .. }]), "{found:?}");
}

/// What is only found odd is in force all the same: SigmaHQ's rules must go on dropping in.
#[test]
fn a_rule_with_problems_is_loaded() {
    let text = selection(&["eventSource: bedrock-runtime.amazonaws.com", "eventName: InvokeModl", "usrAgent: x"]);
    let loaded = RuleSet::load_only_with([file(&text)], Lists::builtin());
    assert_eq!((loaded.refused.as_slice(), loaded.rule_set.rules().len()), (&[][..], 1));
    assert_eq!(check(&text).len(), 3);
}

/// In the rules that security teams already have, only what is really wrong is found. They do not belong to this repository:
/// where they do not lie beside it, there is nothing to check.
#[test]
fn published_sigma_rules_are_found_right_but_for_four_fields() {
    let folder = repository("../shared/sigma");
    if !folder.is_dir() {
        println!("skipped: SigmaHQ's rules do not lie at {}", folder.display());
        return;
    }
    let rules: Vec<RuleFile> = files("../shared/sigma", ".yml")
        .into_iter()
        .map(|path| RuleFile {
            path: path.file_name().unwrap().to_string_lossy().into_owned(),
            ..file(&std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    let mut found = problems(&rules, &RuleSet::load_only(rules.clone()));
    found.retain(|problem| problem.severity > Note);
    let found: Vec<_> =
        found.iter().map(|problem| (problem.path.as_str(), problem.line.unwrap(), problem.severity)).collect();
    assert_eq!(
        found,
        [
            // A field that is in no record, and three lines that compare a text with an object.
            ("aws_delete_saml_provider.yml", 26, Error),
            ("aws_disable_bucket_versioning.yml", 19, Warning),
            ("aws_ec2_vm_export_failure.yml", 27, Warning),
            ("aws_iam_s3browser_templated_s3_bucket_policy_creation.yml", 25, Warning),
        ]
    );
}

#[test]
fn every_built_in_rule_is_found_right() {
    let loaded = RuleSet::load([]);
    let rules: Vec<RuleFile> = loaded
        .rule_set
        .rules()
        .iter()
        .map(|rule| RuleFile {
            path: rule.path.clone(),
            ..file(&std::fs::read_to_string(repository(&rule.path)).unwrap())
        })
        .collect();
    assert_eq!(problems(&rules, &loaded), []);
}

/// A list that is empty at the moment lets everything through where a rule asks for what is not in it.
#[test]
fn a_rule_that_an_empty_list_sets_off_is_warned_of() {
    let denied = "selection:\n  eventSource: bedrock.amazonaws.com\n  eventName: InvokeModel\nok:\n  derived.model|expand: '%Models%'\ncondition: selection and not ok";
    says(
        &rule(denied),
        Warning,
        11,
        27,
        &["the list `Models` is empty", "`not ok` holds for every record", "`requires_list: Models`"],
    );
    let of_several = denied.replace("not ok", "not 1 of o*");
    says(&rule(&of_several), Warning, 11, 27, &["`requires_list: Models`"]);
    for harmless in [
        rule(denied) + "requires_list: models\n",
        rule(&denied.replace("not ok", "ok")),
        rule(&denied.replace("not ok", "not (selection and not ok)")),
        rule(&denied.replace("derived.model|expand: '%Models%'", "userAgent|expand: '%bad_user_agents%'")),
    ] {
        assert_eq!(check(&harmless), [], "{harmless}");
    }
    let mut lists = Lists::builtin();
    lists.put("models", vec!["amazon.nova-lite-v1:0".to_owned()]);
    let filled = file(&rule(denied));
    assert_eq!(problems(std::slice::from_ref(&filled), &RuleSet::load_only_with([filled.clone()], lists)), []);
}

/// The rules go on waiting for the list that was meant.
#[test]
fn a_list_that_no_rule_names_and_an_entry_that_is_no_pattern_are_warned_of() {
    let text = "Regions: [eu-central-1]\nmodls:\n  - amazon.nova-lite-v1:0\n  - pattern:amazon.nova-*\nbuckets:\n  - example-kb-*\n\
                mine: []\nothers: []\nwaited: [a]\n";
    let lists = RuleFile { path: "lists.yml".to_owned(), ..file(text) };
    let naming = selection(&[BEDROCK, "eventName: InvokeModel", "userAgent|contains|expand: 'x/%Mine%'"]);
    let files = [file(&(naming + "requires_list: [waited]\n")), lists];
    let loaded = RuleSet::load_only(files.clone());
    assert_eq!(loaded.refused, []);
    let found = problems(&files, &loaded);
    let found: Vec<_> = found
        .iter()
        .map(|problem| (problem.severity, problem.line.unwrap(), problem.column.unwrap(), problem.text.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (Warning, 2, 1, "no rule names the list `modls`; did you mean `models`?"),
            (
                Warning,
                6,
                5,
                "`example-kb-*` is taken word for word; write `pattern:example-kb-*` if `*` and `?` mean any text"
            ),
            (Warning, 8, 1, "no rule names the list `others`; take it out"),
        ]
    );
}

/// What the lints go by: a list of the built-in ones is known, and no built-in rule names another.
#[test]
fn every_list_that_a_built_in_rule_names_is_a_built_in_list() {
    let (rules, _) = read_folder(&repository("rules")).unwrap();
    for RuleFile { path, text, .. } in rules {
        let placeholders = text.lines().filter(|line| line.contains("|expand:"));
        for name in placeholders.flat_map(|line| line.split('%').skip(1).step_by(2)) {
            assert!(Lists::builtin().get(name).is_some(), "{name}: {path}");
        }
    }
}

/// Whoever wrote it reads what it is in their own words, and what to write instead, and nothing that only follows from it.
#[test]
fn what_cannot_be_read_is_told_in_its_authors_words() {
    let right = selection(&[BEDROCK, "eventName: CreateAgent"]);
    for (from, to, line, column, words) in [
        ("    eventName", "\teventName", 9, 1, &["the line is indented with a tab", "write spaces in its place"][..]),
        ("condition: selection", "condition: selection AND selection", 10, 24, &["has `AND`", "in lower case"]),
        ("condition: selection", "condition: NOT selection", 10, 18, &["has `NOT`", "in lower case"]),
        ("condition: selection", "condition: selection | count() > 5", 10, 24, &["an aggregation, which is refused"]),
        ("condition: selection", "condition: selection selection", 10, 24, &["cannot be read from `selection` on"]),
        (
            "condition: selection",
            "condition: selektion",
            10,
            3,
            &["`selektion`, which is not there; did you mean `selection`?"],
        ),
        (
            "level: high",
            "level: hgih",
            11,
            8,
            &["`hgih` is no level", "did you mean `high`? there are informational, low,"],
        ),
        (
            "level: high",
            "level: severe",
            11,
            8,
            &["`severe` is no level that is known here; there are informational, "],
        ),
        ("level: high", "status: expermental", 11, 9, &["did you mean `experimental`?"]),
        ("eventName:", "eventName|endwith:", 9, 15, &["`endwith` is no modifier", "did you mean `endswith`?"]),
        ("title: Test", "title: Test: it", 1, 12, &["between quotes"]),
    ] {
        says(&right.replacen(from, to, 1), Error, line, column, words);
    }
}

/// Sigma says what they are, and nothing here reads them.
#[test]
fn an_id_a_day_and_a_tag_that_are_none_are_warned_of() {
    let right = selection(&[BEDROCK, "eventName: CreateAgent"]);
    let id = "5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d1b11";
    for id in [
        "hello",
        "5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d1b1",
        "5cf5d7eaef4c4a6e8d4b0c1a7f0d1b11",
        "5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d1b1x",
    ] {
        says(&right.replace("5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d1b11", id), Warning, 2, 5, &["is no UUID", id]);
    }
    assert_eq!(check(&right.replace(id, &id.to_uppercase())), []);
    for (line, column, words) in [
        ("date: 22.11.2026", 7, "`22.11.2026` is no day"),
        ("modified: 2026-02-30", 11, "`2026-02-30` is no day"),
        ("tags: [attack.t1562, foo]", 22, "`foo` has no namespace"),
    ] {
        says(&format!("{right}{line}\n"), Warning, 12, column, &[words]);
    }
    assert_eq!(
        check(&format!("{right}date: 2026/11/22\nmodified: 2026-11-22\ntags: [attack.t1562.008, my.tag]\n")),
        []
    );
}
