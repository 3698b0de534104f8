//! The fast way to audit a log is held against the plain one, on logs such as nobody should write.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use bedrock_audit_tests::{dice::Dice, hostile, plainly};
use detection::rules::{Loaded, Origin, RuleFile, RuleSet};

use crate::samples::gzip;

/// Generated logs in every run.
const LOGS: u64 = 5_000;

fn rule(number: usize, detection: &str) -> RuleFile {
    let text = format!(
        "title: Rule {number}\nid: 5cf5d7ea-ef4c-4a6e-8d4b-0c1a7f0d{number:04}\n\
         logsource:\n    product: aws\n    service: cloudtrail\ndetection:\n{detection}\nlevel: high\n"
    );
    RuleFile { path: format!("{number}.yml"), text, origin: Origin::Outside }
}

/// Rules that are looked up in every way there is.
fn rule_sets() -> Vec<RuleSet> {
    let by_name = [
        "    s:\n        eventSource: s3.amazonaws.com\n    condition: s",
        "    s:\n        eventName: [AssumeRole, listbuckets]\n    condition: s",
        "    s:\n        eventSource|cased: sts.amazonaws.com\n        userIdentity.type: Root\n    condition: s",
        "    s:\n        eventSource: iam.amazonaws.com\n        requestParameters.userName|startswith: Bedrock\n    condition: s\nwhen_hidden: alert",
        "    s:\n        eventName: ''\n    condition: s",
    ];
    let by_rare_literal = ["    s:\n        userIdentity.userName|startswith: BedrockAPIKey-\n    condition: s"];
    let by_literal = [
        "    s:\n        userIdentity.arn|contains: [APIKEY, 'jane?doe']\n        awsRegion: us-*\n    condition: s",
        "    s:\n        additionalEventData.arn|exists: true\n    condition: s",
        "    s:\n        userIdentity.sessionContext.sessionIssuer.userName|re: A\n    condition: s",
    ];
    let always = [
        "    s:\n        - DeleteGuardrail\n    condition: s",
        "    s:\n        errorCode: null\n    f:\n        userIdentity.type: Root\n    condition: s and not f",
        "    s:\n        requestParameters.arn|contains: A\n    condition: s",
    ];
    let derived = [
        "    s:\n        eventSource|endswith: .amazonaws.com\n        derived.actor|contains: A\n    condition: s",
        "    s:\n        derived.actor: ['*doe', unknown]\n    condition: s",
        "    s:\n        derived.outcome: [denied, failed]\n        userIdentity.type: [Root, iamUSER]\n    condition: s",
        "    s:\n        derived.model|contains: nova\n    condition: not s\nwhen_hidden: alert",
        "    s:\n        derived.foreign_accounts|exists: true\n    f:\n        derived.outcome: success\n    condition: s and not f",
        "    s:\n        derived.policy_principals: ['*', '444455556666']\n    f:\n        derived.actions|startswith: 'bedrock:'\n    condition: 1 of them",
    ];
    let set_of = |load: fn(Vec<RuleFile>) -> Loaded, detections: &[&[&str]]| {
        let files = detections.concat().into_iter().enumerate().map(|(number, detection)| rule(number, detection));
        let loaded = load(files.collect());
        assert_eq!(loaded.refused, []);
        loaded.rule_set
    };
    // Many rules make it slow, and few of them are looked up in a way of their own.
    let set = |detections: &[&[&str]]| set_of(RuleSet::load_only, detections);
    let sets = vec![
        set_of(RuleSet::load, &[&by_name]),
        set(&[&by_name]),
        set(&[&by_rare_literal]),
        set(&[&by_name, &by_rare_literal, &by_literal]),
        set(&[&by_literal, &always]),
        set(&[&by_name, &derived]),
    ];
    let reach = sets[3].reach();
    assert_eq!((reach.by_literal, reach.every_record), (4, 0), "else the search is never asked");
    assert_eq!(sets[4].reach().every_record, always.len());
    sets
}

#[test]
fn the_fast_way_finds_what_the_plain_way_finds() {
    let sets = rule_sets();
    let threads = thread::available_parallelism().map_or(1, |threads| threads.get() as u64);
    let (matched, undecided, unreadable) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for thread in 0..threads {
            let (sets, matched, undecided, unreadable) = (&sets, &matched, &undecided, &unreadable);
            scope.spawn(move || {
                for seed in (thread..LOGS).step_by(usize::try_from(threads).unwrap()) {
                    let mut dice = Dice::of_seed(seed);
                    // The first set is the largest and slowest, and comes up least.
                    let rules = if dice.one_in(12) { &sets[0] } else { &sets[1 + dice.below(sets.len() - 1)] };
                    let log = hostile::log(&mut dice);
                    if let Some(difference) = plainly::difference(rules, &log) {
                        panic!("seed {seed}: {difference}\n{}", String::from_utf8_lossy(&log.document));
                    }
                    let audited =
                        plainly::audit_fast(rules, &log.document, detection::delivered_log::Encoding::Plain, log.piece);
                    matched.fetch_add(audited.records.matched, Ordering::Relaxed);
                    undecided.fetch_add(audited.undecided.values().sum(), Ordering::Relaxed);
                    unreadable.fetch_add(audited.records.unreadable, Ordering::Relaxed);
                }
            });
        }
    });
    // Logs in which nothing is found would prove nothing.
    for (what, count) in [("matched", matched), ("undecided", undecided), ("unreadable", unreadable)] {
        let count = count.into_inner();
        assert!(count > LOGS / 20, "only {count} {what}");
    }
}

/// Of what is found the fast way parses only the members that findings read: one that is read and not asked for would be lacking.
#[test]
fn a_record_with_every_member_that_cloudtrail_writes_is_told_of_alike() {
    let record = r#"{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","principalId":"AROAEXAMPLE:jane","arn":
        "arn:aws:sts::111122223333:assumed-role/Admin/jane","accountId":"111122223333","accessKeyId":"ASIAEXAMPLE",
        "sessionContext":{"sessionIssuer":{"type":"Role","arn":"arn:aws:iam::111122223333:role/Admin","userName":"Admin"},
        "attributes":{"creationDate":"2026-11-22T08:00:00Z","mfaAuthenticated":"true"}},"inScopeOf":{"issuerType":"AWS::EC2"}},
        "eventTime":"2026-11-22T09:15:00Z","eventSource":"bedrock.amazonaws.com","eventName":"DeleteGuardrail",
        "awsRegion":"eu-central-1","sourceIPAddress":"203.0.113.24","userAgent":"aws-cli/2.32.3","errorCode":"AccessDenied",
        "errorMessage":"not allowed","requestParameters":{"guardrailIdentifier":"gr4example7k2"},"responseElements":
        {"statusCode":403},"additionalEventData":{"jwt":{"claims":{"sub":"jane"}}},"requestID":"r-1","eventID":"e-1",
        "eventType":"AwsApiCall","apiVersion":"2023-04-20","managementEvent":true,"readOnly":false,"resources":[{"ARN":
        "arn:aws:bedrock:eu-central-1:111122223333:guardrail/gr4example7k2","accountId":"111122223333","type":
        "AWS::Bedrock::Guardrail"}],"recipientAccountId":"444455556666","serviceEventDetails":{"state":"done"},
        "sharedEventID":"s-1","vpcEndpointId":"vpce-1","vpcEndpointAccountId":"111122223333","eventCategory":"Management",
        "addendum":{"reason":"DELIVERY_DELAY"},"sessionCredentialFromConsole":"true","edgeDeviceDetails":{"type":"x"},
        "tlsDetails":{"tlsVersion":"TLSv1.3"},"eventContext":{"tagContext":{"resourceTags":[]}}}"#;
    let refused = r#""errorCode":"AccessDenied","#;
    assert!(record.contains(refused));
    let records = vec![record.as_bytes().to_vec(), record.replacen(refused, "", 1).into_bytes()];
    let document = [br#"{"Records":["#, records.join(&b',').as_slice(), b"]}"].concat();
    let log = hostile::Hostile { records, packed: gzip(&document), document, piece: usize::MAX, malformed: false };
    let rules = RuleSet::load([]).rule_set;
    let found = plainly::audit_fast(&rules, &log.document, detection::delivered_log::Encoding::Plain, log.piece);
    assert_eq!(found.records.matched, 2);
    assert!(plainly::difference(&rules, &log).is_none(), "what is found of them differs");
}
