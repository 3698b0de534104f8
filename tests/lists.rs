//! Approved lists in rules, and the derived fields that go with them: what a placeholder becomes, what an empty list means,
//! what is refused.

use detection::rules::{Lists, Loaded, Origin, RuleFile, RuleSet};
use serde_json::{Value, json};

use crate::samples::delete_guardrail;

fn file(text: &str) -> RuleFile {
    RuleFile { path: "mine.yml".to_owned(), text: text.to_owned(), origin: Origin::Outside }
}

fn lists(text: &str) -> Lists {
    let mut lists = Lists::builtin();
    lists.replace(&file(text)).unwrap();
    lists
}

/// A rule with one selection and a filter `approved` that must not hold.
fn rule(items: &str, more: &str) -> String {
    format!(
        "title: Test\nlevel: high\nlogsource:\n    product: aws\n    service: cloudtrail\ndetection:\n    selection:\n        \
         eventName: InvokeModel\n    approved:\n        {items}\n    condition: selection and not approved\n{more}"
    )
}

fn load(items: &str, lists: Lists) -> Loaded {
    RuleSet::load_only_with([file(&rule(items, ""))], lists)
}

fn refusal(items: &str, lists: Lists) -> String {
    load(items, lists).refused.first().expect("it is refused").to_string()
}

/// What the rule says of a record: whether it matches, and whether it could not tell.
fn ask(items: &str, lists: Lists, record: &Value) -> (bool, bool) {
    let loaded = load(items, lists);
    assert_eq!(loaded.refused, []);
    let bytes = record.to_string();
    let verdict = loaded.rule_set.read(bytes.as_bytes()).unwrap().ask(0);
    (verdict.matches, verdict.undecided)
}

fn invoke(change: &Value) -> Value {
    let mut invoke = json!({"eventName": "InvokeModel", "requestParameters": {"modelId": "eu.amazon.nova-lite-v1:0"}});
    invoke["requestParameters"]["guardrailIdentifier"] = Value::Null;
    json_patch::merge(&mut invoke, change);
    delete_guardrail(1, &invoke)
}

const YES: (bool, bool) = (true, false);
const NO: (bool, bool) = (false, false);

#[test]
fn the_lists_of_built_in_rules_are_there() {
    let lists = Lists::builtin();
    let names: Vec<&str> = lists.iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "accounts",
            "administrators",
            "agentcore_role_services",
            "bad_user_agents",
            "buckets",
            "log_destinations",
            "models",
            "networks",
            "own_resources",
            "regions"
        ]
    );
    assert_eq!(lists.get("MODELS"), Some(&[][..]), "names are compared with case folded");
}

#[test]
fn a_placeholder_is_every_entry_of_its_list() {
    let items = "awsRegion|expand: '%regions%'";
    let regions = "regions: [eu-central-1, EU-WEST-1]\n";
    for (region, expected) in [("eu-central-1", NO), ("eu-west-1", NO), ("us-east-1", YES), ("%regions%", YES)] {
        assert_eq!(ask(items, lists(regions), &invoke(&json!({"awsRegion": region}))), expected, "{region}");
    }
    // Inside a text, twice in a text, and with other modifiers.
    let names = "teams: [red, blue]\nstages: [dev, prod]\n";
    let items = "userAgent|expand: 'app-%teams%-%stages%'";
    for (agent, expected) in [("app-red-dev", NO), ("app-blue-prod", NO), ("app-red", YES), ("app-dev-red", YES)] {
        assert_eq!(ask(items, lists(names), &invoke(&json!({"userAgent": agent}))), expected, "{agent}");
    }
    let within = "userAgent|contains|expand: '%Teams%'";
    assert_eq!(ask(within, lists(names), &invoke(&json!({"userAgent": "x BLUE y"}))), NO);
    let all = "userAgent|contains|all|expand: '%teams%'";
    assert_eq!(ask(all, lists(names), &invoke(&json!({"userAgent": "blue and red"}))), NO);
    assert_eq!(ask(all, lists(names), &invoke(&json!({"userAgent": "blue"}))), YES);
    assert_eq!(
        ask(all, lists("teams: [blue]\n"), &invoke(&json!({"userAgent": "blue"}))),
        NO,
        "`all` of one is that one"
    );
}

#[test]
fn an_entry_is_literal_unless_it_says_otherwise() {
    let items = "userAgent|expand: '%agents%'";
    let starred = lists("agents: ['tool*', 'a\\b?']\n");
    assert_eq!(ask(items, starred.clone(), &invoke(&json!({"userAgent": "tool-1"}))), YES);
    assert_eq!(ask(items, starred.clone(), &invoke(&json!({"userAgent": "tool*"}))), NO);
    assert_eq!(ask(items, starred, &invoke(&json!({"userAgent": "a\\b?"}))), NO);
    let pattern = lists("agents: ['pattern:tool*']\n");
    assert_eq!(ask(items, pattern.clone(), &invoke(&json!({"userAgent": "tool-1"}))), NO);
    assert_eq!(ask(items, pattern, &invoke(&json!({"userAgent": "a tool"}))), YES);
}

#[test]
fn networks_are_compared_as_such() {
    let items = "sourceIPAddress|cidr|expand: '%networks%'";
    let ours = || lists("networks: ['203.0.113.0/24', '2001:db8::/32', '198.51.100.7']\n");
    for (address, expected) in
        [("203.0.113.24", NO), ("2001:db8::1", NO), ("198.51.100.7", NO), ("198.51.100.8", YES), ("AWS Internal", YES)]
    {
        assert_eq!(ask(items, ours(), &invoke(&json!({"sourceIPAddress": address}))), expected, "{address}");
    }
}

/// Whoever has not said what is approved has approved nothing.
#[test]
fn an_empty_list_matches_nothing() {
    for items in [
        "awsRegion|expand: '%regions%'",
        "sourceIPAddress|cidr|expand: '%networks%'",
        "userAgent|contains|all|expand: '%models%'",
    ] {
        assert_eq!(ask(items, Lists::builtin(), &invoke(&json!({"awsRegion": "us-east-1"}))), YES, "{items}");
    }
}

#[test]
fn a_rule_that_requires_a_list_waits_for_it() {
    let text = rule("awsRegion|expand: '%regions%'", "requires_list: Regions\n");
    let waiting = RuleSet::load_only_with([file(&text)], Lists::builtin()).rule_set;
    let names: Vec<&str> = waiting.waiting().filter_map(|rule| rule.waits_for.as_deref()).collect();
    assert_eq!((names, waiting.candidates("bedrock.amazonaws.com", "InvokeModel").len()), (vec!["Regions"], 0));
    let asked = RuleSet::load_only_with([file(&text)], lists("regions: [eu-central-1]\n")).rule_set;
    assert_eq!((asked.waiting().count(), asked.candidates("bedrock.amazonaws.com", "InvokeModel").len()), (0, 1));
    assert_ne!(waiting.version(), asked.version(), "lists decide what is found, so they are part of the version");
    let two = rule("awsRegion|expand: '%regions%'", "requires_list: [regions, no_such_list]\n");
    let refused = RuleSet::load_only_with([file(&two)], lists("regions: [a]\n")).refused;
    assert!(refused[0].to_string().contains("`no_such_list`, which is not there"), "{refused:?}");
}

#[test]
fn what_cannot_be_expanded_is_refused() {
    for (items, expected) in [
        ("userAgent|expand: '%no_such_list%'", "`no_such_list`, which is not there"),
        ("userAgent|expand: 'models'", "without a placeholder"),
        ("userAgent|expand: 7", "no text"),
        ("userAgent|re|expand: '%models%'", "takes no list"),
    ] {
        let refusal = refusal(items, Lists::builtin());
        assert!(refusal.contains(expected), "{refusal}");
    }
    let many: Vec<String> = (0..200).map(|n| format!("a{n}")).collect();
    let many = lists(&format!("many: [{}]\n", many.join(", ")));
    assert!(refusal("userAgent|expand: '%many%%many%%many%'", many).contains("more than 10,000 values"));
    // The words of a record are never a list, and without `expand` a placeholder is text.
    assert_eq!(ask("userAgent: '%models%'", lists("models: [x]\n"), &invoke(&json!({"userAgent": "%models%"}))), NO);
}

#[test]
fn a_wrong_list_is_refused_with_its_line() {
    for (text, line, expected) in [
        ("networks:\n  - 203.0.113.0/33\n", Some(2), "no network"),
        ("networks:\n  - pattern:10.*\n", Some(2), "a pattern"),
        ("accounts:\n  - 111122223333\n", Some(2), "write it in quotes"),
        ("accounts:\n  - '1111-2222-3333'\n", Some(2), "no account"),
        ("models:\n  - {a: b}\n", Some(1), "no text"),
        ("models: all\n", Some(1), "is no list"),
        ("models: ['pattern:**']\n", Some(1), "everything matches"),
        ("models: [a]\nMODELS: [b]\n", Some(2), "is there twice"),
        ("- models\n", None, "map"),
        ("two words: [a]\n", Some(1), "not one word"),
    ] {
        let refused = Lists::builtin().replace(&file(text)).unwrap_err();
        assert_eq!(refused.line, line, "{refused}");
        assert!(refused.to_string().contains(expected), "{refused}");
    }
    for nothing in ["", "# all commented out\n", "models:\n", "models: []\n"] {
        assert_eq!(Lists::builtin().replace(&file(nothing)), Ok(()), "{nothing}");
    }
    // Nothing of a wrong file is taken.
    let mut lists = Lists::builtin();
    lists.replace(&file("regions: [eu-central-1]\nmodels: all\n")).unwrap_err();
    assert_eq!(lists, Lists::builtin());
}

#[test]
fn models_are_compared_in_one_form() {
    let items = "derived.model|expand: '%models%'";
    let approved = || lists("models: [us.amazon.nova-lite-v1:0, 'pattern:anthropic.claude-*']\n");
    let called = |model: &str| ask(items, approved(), &invoke(&json!({"requestParameters": {"modelId": model}})));
    assert_eq!(called("eu.amazon.nova-lite-v1:0"), NO);
    assert_eq!(called("arn:aws:bedrock:eu-central-1::foundation-model/amazon.nova-lite-v1:0"), NO);
    assert_eq!(called("global.anthropic.claude-sonnet-4-5-20250929-v1:0"), NO);
    assert_eq!(called("amazon.nova-pro-v1:0"), YES);
    // An application's own profile hides its model: plain Sigma fires, and says that it cannot be sure.
    let profile = "arn:aws:bedrock:eu-central-1:111122223333:application-inference-profile/ab12cd34ef56";
    assert_eq!(called(profile), (true, true));
    let listed = lists(&format!("models: ['{profile}']\n"));
    assert_eq!(ask(items, listed, &invoke(&json!({"requestParameters": {"modelId": profile}}))), NO);
    assert_eq!(
        ask(
            items,
            approved(),
            &invoke(&json!({"requestParameters": {"modelId": null, "model": "amazon.nova-lite-v1:0"}}))
        ),
        NO
    );
}

#[test]
fn foreign_is_what_no_list_names() {
    let items = "derived.foreign_accounts|exists: false";
    let request =
        |account: &str| invoke(&json!({"requestParameters": {"roleArn": format!("arn:aws:iam::{account}:role/r")}}));
    assert_eq!(ask(items, Lists::builtin(), &request("444455556666")), YES);
    assert_eq!(ask(items, Lists::builtin(), &request("111122223333")), NO);
    assert_eq!(ask(items, lists("accounts: ['444455556666']\n"), &request("444455556666")), NO);
    let buckets = "derived.foreign_buckets|exists: false";
    let request = invoke(&json!({"requestParameters": {"s3Uri": "s3://a-bucket/x"}}));
    assert_eq!(ask(buckets, Lists::builtin(), &request), NO, "nothing is foreign before somebody says what is not");
    assert_eq!(ask(buckets, lists("buckets: [other]\n"), &request), YES);
    assert_eq!(ask(buckets, lists("buckets: ['pattern:a-*']\n"), &request), NO);
}

#[test]
fn entries_that_are_kept_outlive_a_file() {
    let mut lists = Lists::builtin();
    lists.keep("own_resources", &["pattern:*my-stack*".to_owned()]);
    lists.replace(&file("Own_Resources: [my-trail]\n")).unwrap();
    assert_eq!(lists.get("own_resources").unwrap(), ["my-trail", "pattern:*my-stack*"]);
}

/// What a record calls its own members is not what was worked out of it.
#[test]
fn a_record_cannot_forge_a_derived_field() {
    let forged =
        invoke(&json!({"errorCode": "AccessDenied", "derived": {"outcome": "success"}, "derived.outcome": "success"}));
    assert_eq!(ask("derived.outcome: denied", Lists::builtin(), &forged), NO);
    assert_eq!(ask("derived.outcome: success", Lists::builtin(), &forged), YES);
    assert!(refusal("derived.outcom: success", Lists::builtin()).contains("is no derived field"));
}
