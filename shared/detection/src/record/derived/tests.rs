//! What derived fields hold, on requests as services are sent them.

use serde_json::json;

use super::*;

struct Ours;

impl Own for Ours {
    fn account(&self, id: &str) -> bool {
        id == "444455556666"
    }

    fn bucket(&self, name: &str) -> Option<bool> {
        Some(name == "our-bucket")
    }
}

struct NothingSaid;

impl Own for NothingSaid {
    fn account(&self, _: &str) -> bool {
        false
    }

    fn bucket(&self, _: &str) -> Option<bool> {
        None
    }
}

fn values(field: Derived, request: &Value) -> Vec<String> {
    let held = held(field, request);
    assert!(!held.hidden, "{request}");
    held.values
}

fn held(field: Derived, request: &Value) -> Held {
    let record = json!({"recipientAccountId": "111122223333", "requestParameters": request});
    field.of(&Record::new(&record), false, &Ours)
}

#[test]
fn a_model_has_one_name_however_it_is_called() {
    for name in [
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0",
        "arn:aws-us-gov:bedrock:us-gov-west-1:111122223333:inference-profile/us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0",
    ] {
        let model = model_name(name);
        assert_eq!(
            (model.text.as_str(), model.hides_model),
            ("anthropic.claude-sonnet-4-5-20250929-v1:0", false),
            "{name}"
        );
    }
    assert_eq!(model_name("deepseek.v3.2").text, "deepseek.v3.2", "a dot of the model's own is none of a profile's");
    assert_eq!(model_name("us.v1").text, "us.v1", "a profile stands before a provider and a model");
}

#[test]
fn what_names_no_model_is_not_visible() {
    for name in ["application-inference-profile/ab12cd34ef56", "provisioned-model/ab12cd34ef56", "prompt/AB12CD34EF"] {
        let arn = format!("arn:aws:bedrock:eu-central-1:111122223333:{name}");
        let held = held(Derived::Model, &json!({"modelId": arn}));
        assert_eq!((held.values, held.hidden), (vec![arn], true));
    }
    let own = "arn:aws:bedrock:eu-central-1:111122223333:imported-model/ab12cd34ef56";
    assert_eq!(values(Derived::Model, &json!({"modelId": own})), [own]);
    assert!(held(Derived::Model, &json!({"modelId": "HIDDEN_DUE_TO_SECURITY_REASONS"})).hidden);
    let record = json!({"eventName": "InvokeModelWithResponseStream", "requestParameters": null});
    assert!(Derived::Model.of(&Record::new(&record), false, &Ours).hidden);
}

#[test]
fn an_account_is_foreign_unless_it_is_the_recipients_or_listed() {
    for (request, foreign) in [
        (json!({"roleArn": "arn:aws:iam::111122223333:role/Ours"}), vec![]),
        (
            json!({"actionGroupExecutor": {"lambda": "arn:aws:lambda:eu-central-1:123456789012:function:f"}}),
            vec!["123456789012"],
        ),
        (json!({"s3Configuration": {"bucketOwnerAccountId": "123456789012"}}), vec!["123456789012"]),
        (json!({"s3Configuration": {"bucketOwnerAccountId": "444455556666"}}), vec![]),
        (
            json!({"s3InputDataConfig": [{"s3BucketOwner": "123456789012"}, {"s3BucketOwner": "123456789012"}]}),
            vec!["123456789012"],
        ),
        (json!({"containerUri": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/agent:1"}), vec!["123456789012"]),
        (json!({"principals": ["123456789012"]}), vec!["123456789012"]),
        (
            json!({"policyArn": "arn:aws:iam::aws:policy/AmazonBedrockFullAccess", "modelArn": "arn:aws:bedrock:us-east-1::foundation-model/x.y"}),
            vec![],
        ),
        // Twelve digits are no account where nothing says so, nor in a text that only looks like an ARN.
        (json!({"description": "123456789012", "name": "arn:aws:iam::123456789012"}), vec![]),
    ] {
        assert_eq!(values(Derived::ForeignAccounts, &request), foreign, "{request}");
    }
    let policy = r#"{"Statement":[{"Effect":"Deny","Principal":{"AWS":"999988887777"}},{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::123456789012:root","111122223333"]},"Resource":"arn:aws:bedrock:us-east-1:222233334444:x/y"}]}"#;
    assert_eq!(values(Derived::ForeignAccounts, &json!({"resourcePolicy": policy})), ["123456789012"]);
    let nobody = json!({"requestParameters": {"owner": "123456789012"}});
    assert!(Derived::ForeignAccounts.of(&Record::new(&nobody), false, &Ours).hidden, "foreign to whom?");
}

#[test]
fn a_request_that_does_not_show_an_owner_is_not_visible() {
    for request in [
        json!({"omitted": true, "reason": "requestParameters too large", "originalSize": 120_000}),
        json!({"dataSourceConfiguration": {"bucketArn": "HIDDEN_DUE_TO_SECURITY_REASONS"}}),
        json!({"resourcePolicy": "{\"Statement\": ["}),
    ] {
        assert!(held(Derived::ForeignAccounts, &request).hidden, "{request}");
    }
    assert!(!held(Derived::ForeignAccounts, &json!({"name": "HIDDEN_DUE_TO_SECURITY_REASONS"})).hidden);
    let record = json!({"recipientAccountId": "111122223333", "requestParameters": null});
    assert!(Derived::ForeignAccounts.of(&Record::new(&record), true, &Ours).hidden);
}

#[test]
fn buckets_are_foreign_once_somebody_says_which_are_not() {
    let request = json!({
        "trainingDataConfig": {"s3Uri": "s3://their-bucket/data/train.jsonl"},
        "outputDataConfig": {"s3Uri": "s3://our-bucket/out"},
        "s3Configuration": {"bucketArn": "arn:aws:s3:::another-bucket"},
        "s3Config": {"bucketName": "a-third"},
        "description": "s3 is nice"
    });
    let mut found = values(Derived::ForeignBuckets, &request);
    found.sort();
    assert_eq!(found, ["a-third", "another-bucket", "their-bucket"]);
    let record = json!({"recipientAccountId": "111122223333", "requestParameters": request});
    assert_eq!(Derived::ForeignBuckets.of(&Record::new(&record), false, &NothingSaid), Held::default());
}

#[test]
fn a_policy_says_whom_it_lets_in() {
    let principals = |statement: Value| {
        values(Derived::PolicyPrincipals, &json!({"resourcePolicy": json!({"Statement": [statement]}).to_string()}))
    };
    let everybody = |condition: Value| principals(json!({"Effect": "Allow", "Principal": "*", "Condition": condition}));
    assert_eq!(principals(json!({"Effect": "Allow", "Principal": {"AWS": "*"}})), ["*"]);
    assert_eq!(principals(json!({"effect": "allow", "principal": {"aws": "*"}})), ["*"], "IAM does not mind the case");
    assert_eq!(principals(json!({"Effect": "Allow", "NotPrincipal": {"AWS": "111122223333"}})), ["*"]);
    assert_eq!(principals(json!({"Effect": "Deny", "Principal": "*"})), [""; 0]);
    assert_eq!(
        principals(
            json!({"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:role/r"], "Service": "bedrock.amazonaws.com"}})
        ),
        ["123456789012", "arn:aws:iam::123456789012:role/r", "bedrock.amazonaws.com"]
    );
    assert_eq!(everybody(json!({"StringEquals": {"aws:PrincipalOrgID": "o-example"}})), ["*:conditioned"]);
    for open in [
        json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-example"}}),
        json!({"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-example"}}),
        json!({"ForAllValues:StringEquals": {"aws:PrincipalOrgPaths": "o-example/*"}}),
        json!({"StringLike": {"aws:PrincipalArn": "*"}}),
        json!({"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "0.0.0.0/0"]}}),
        json!({"Bool": {"aws:SecureTransport": "true"}}),
        json!({}),
    ] {
        assert_eq!(everybody(open.clone()), ["*"], "{open}");
    }
    let one = json!({"policyDocument": {"Statement": {"Effect": "Allow", "Principal": "*"}}});
    assert_eq!(values(Derived::PolicyPrincipals, &one), ["*"], "one statement, and no text");
}

#[test]
fn a_policy_says_what_it_allows() {
    let policy = json!({"Statement": [
        {"Effect": "Allow", "Action": ["bedrock:InvokeModel", "bedrock:*"]},
        {"Effect": "Deny", "Action": "iam:*"},
        {"Effect": "Allow", "NotAction": "s3:*"}
    ]});
    let found = values(Derived::Actions, &json!({"policyDocument": policy.to_string()}));
    assert_eq!(found, ["bedrock:InvokeModel", "bedrock:*", "*"]);
}

#[test]
fn selectors_say_what_a_trail_no_longer_records() {
    let lost = |request: Value| {
        let record = json!({"eventName": "PutEventSelectors", "requestParameters": request});
        let held = Derived::SelectorsLoseBedrock.of(&Record::new(&record), false, &Ours);
        assert!(!held.hidden);
        held.values
    };
    let basic = |selector: Value| lost(json!({"trailName": "t", "eventSelectors": [selector]}));
    assert_eq!(basic(json!({"readWriteType": "All", "includeManagementEvents": true})), ["data"]);
    assert_eq!(basic(json!({"readWriteType": "WriteOnly", "includeManagementEvents": true})), ["read", "data"]);
    assert_eq!(basic(json!({"readWriteType": "ReadOnly"})), ["write", "data"]);
    assert_eq!(basic(json!({"readWriteType": "All", "includeManagementEvents": false})), ["management", "data"]);

    let field = |name: &str, how: &str, value: &str| json!({"field": name, "equals": [], how: [value]});
    let management = |more: Value| {
        let data = json!({"fieldSelectors": [
            {"field": "eventCategory", "equals": ["Data"]}, {"field": "resources.type", "equals": ["AWS::Bedrock::AgentAlias"]}
        ]});
        let fields: Vec<Value> = std::iter::once(json!({"field": "eventCategory", "equals": ["Management"]}))
            .chain(more.as_array().cloned().unwrap())
            .collect();
        lost(json!({"advancedEventSelectors": [{"fieldSelectors": fields}, data]}))
    };
    assert_eq!(management(json!([])), [""; 0]);
    assert_eq!(management(json!([field("readOnly", "equals", "false")])), ["read"]);
    assert_eq!(management(json!([field("eventSource", "notEquals", "kms.amazonaws.com")])), [""; 0]);
    assert_eq!(management(json!([field("eventSource", "notEquals", "bedrock.amazonaws.com")])), ["management"]);
    assert_eq!(management(json!([field("eventName", "equals", "DeleteGuardrail")])), ["management"]);
    let other = json!({"eventName": "PutInsightSelectors", "requestParameters": {"eventSelectors": []}});
    assert_eq!(Derived::SelectorsLoseBedrock.of(&Record::new(&other), false, &Ours), Held::default());
    let hidden = json!({"eventName": "PutEventSelectors", "requestParameters": null});
    assert!(Derived::SelectorsLoseBedrock.of(&Record::new(&hidden), false, &Ours).hidden);
}

#[test]
fn an_actor_goes_by_the_session_and_by_the_role() {
    let record = json!({"userIdentity": {
        "arn": "arn:aws:sts::111122223333:assumed-role/Deploy/ci-42",
        "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::111122223333:role/Deploy"}}
    }});
    assert_eq!(
        Derived::Actor.of(&Record::new(&record), false, &Ours).values,
        ["arn:aws:sts::111122223333:assumed-role/Deploy/ci-42", "arn:aws:iam::111122223333:role/Deploy"]
    );
}

/// A request that is deep, or a policy that is, costs no stack.
#[test]
fn a_deep_request_is_read_all_the_same() {
    let mut deep = json!({"owner": "123456789012"});
    for _ in 0..100 {
        deep = json!({"a": [deep]});
    }
    assert_eq!(values(Derived::ForeignAccounts, &deep), ["123456789012"]);
}

#[test]
fn the_usual_outcome_is_that_of_records_without_what_tells_another() {
    for (_, field) in DERIVED {
        let Some((usual, unless)) = field.usual() else { continue };
        for path in field.members() {
            let mut record = json!({"eventSource": "bedrock-agentcore.amazonaws.com"});
            let nothing = field.of(&Record::new(&record), false, &Ours);
            assert_eq!(nothing, Held::shown(vec![usual.to_owned()]));
            match path.split_once('.') {
                Some((name, below)) => record[name][below] = json!("403"),
                None if *path != "eventSource" => record[path] = json!("403"),
                None => {}
            }
            let tells_another = field.of(&Record::new(&record), false, &Ours) != nothing;
            assert_eq!(tells_another, unless.contains(path), "{path}");
        }
    }
}
