//! The contract of a finding's wire form: OCSF 1.5.0 Detection Finding as `facts/` records it; knows nothing of how
//! findings are made.
//!
//! It is stricter than OCSF where a looser reading would let a defect pass: no `null`, no deprecated attribute,
//! addresses that parse, times that can only be milliseconds. And the facts are narrower than OCSF in one thing: a
//! `network_endpoint` (like `device`, `process` and `user`) must have a name or a uid, where OCSF would take an address
//! alone. What satisfies the narrower form satisfies both.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::IpAddr;

use regex::Regex;
use serde_json::{Map, Value, json};

/// The class Detection Finding, the objects it can hold and the types they are made of.
pub(crate) struct OcsfSchema {
    facts: Value,
    patterns: BTreeMap<String, Regex>,
}

impl OcsfSchema {
    /// Reads the facts. Compiling the patterns takes most of the time: load once where many findings are checked.
    pub(crate) fn load() -> Self {
        let facts = include_str!("facts/ocsf-1.5.0-detection-finding.json");
        let facts: Value = serde_json::from_str(facts).expect("the facts are JSON");
        let mut patterns = BTreeMap::new();
        for (name, definition) in members(&facts["types"]) {
            if let Some(pattern) = definition["regex"].as_str() {
                patterns.insert(name.clone(), Regex::new(pattern).expect("the facts' patterns compile"));
            }
        }
        Self { facts, patterns }
    }

    /// Everything that is wrong with the finding, as `path: what`; nothing when it is valid.
    pub(crate) fn violations(&self, finding: &Value) -> Vec<String> {
        let profiles = items(&finding["metadata"]["profiles"]).filter_map(Value::as_str).collect();
        let mut check = Check { schema: self, profiles, violations: Vec::new() };
        check.object("", &self.facts["class"], finding);
        check.version(finding);
        check.profiles_exist();
        check.type_uid(finding);
        check.violations
    }

    /// What is wrong with one value of a scalar type.
    fn scalar_fault(&self, type_name: &str, value: &Value) -> Option<String> {
        let definition = &self.facts["types"][type_name];
        let base = definition["type"].as_str().unwrap_or(type_name);
        let (fits, wanted) = match base {
            "json_t" => return None,
            "string_t" => (value.is_string(), "a string"),
            "boolean_t" => (value.is_boolean(), "a boolean"),
            "integer_t" | "long_t" => (value.is_i64(), "an integer"),
            "float_t" => (value.is_number(), "a number"),
            other => panic!("the facts use a type that is not known here: {other}"),
        };
        if !fits {
            return Some(format!("wants {wanted} ({type_name}), is {}", kind(value)));
        }
        if let (Some(text), Some(pattern)) = (value.as_str(), self.patterns.get(type_name))
            && !pattern.is_match(text)
        {
            return Some(format!("{text:?} is no {type_name}"));
        }
        // The schema's own pattern does not escape its dots, so that 203x0x113x7 would do for an address.
        if let ("ip_t", Some(text)) = (type_name, value.as_str())
            && text.parse::<IpAddr>().is_err()
        {
            return Some(format!("{text:?} is no ip_t"));
        }
        if let (Some(longest), Some(text)) = (definition["max_len"].as_u64(), value.as_str()) {
            let length = text.chars().count();
            if u64::try_from(length).is_ok_and(|length| length > longest) {
                return Some(format!("has {length} characters, {type_name} allows {longest}"));
            }
        }
        let range = match type_name {
            // OCSF only says "milliseconds since 1970". Read as such, a count of seconds falls before 1973 and a count
            // of microseconds after the year 9999: no trail has records from either time.
            "timestamp_t" => Some((100_000_000_000, 253_402_300_799_999)),
            _ => definition["range"][0].as_i64().zip(definition["range"][1].as_i64()),
        };
        if let (Some((lowest, highest)), Some(number)) = (range, value.as_i64())
            && !(lowest..=highest).contains(&number)
        {
            return Some(format!("{number} is outside {type_name}'s range, {lowest} to {highest}"));
        }
        None
    }
}

/// One finding under examination.
struct Check<'a> {
    schema: &'a OcsfSchema,
    profiles: Vec<&'a str>,
    violations: Vec<String>,
}

impl Check<'_> {
    fn refuse(&mut self, path: &str, why: impl Display) {
        let path = if path.is_empty() { "(finding)" } else { path };
        self.violations.push(format!("{path}: {why}"));
    }

    fn object(&mut self, path: &str, definition: &Value, value: &Value) {
        let (Some(given), Some(attributes)) = (value.as_object(), definition["attributes"].as_object()) else {
            return self.refuse(path, format!("wants an object, is {}", kind(value)));
        };
        for (name, value) in given {
            match attributes.get(name) {
                Some(attribute) => self.attribute(&join(path, name), attribute, value),
                None => self.refuse(&join(path, name), "OCSF has no such attribute here"),
            }
        }
        for (name, attribute) in attributes {
            let required = attribute["requirement"] == "required" && self.missing_profile(attribute).is_none();
            if required && !given.contains_key(name) {
                self.refuse(&join(path, name), "is required and missing");
            }
            self.caption(path, name, attribute, given);
        }
        self.constraints(path, definition, given);
    }

    fn attribute(&mut self, path: &str, attribute: &Value, value: &Value) {
        if attribute["deprecated"] == true {
            self.refuse(path, "is deprecated");
        }
        if let Some(profile) = self.missing_profile(attribute) {
            self.refuse(path, format!("belongs to profile {profile}, which metadata.profiles does not name"));
        }
        if attribute["array"] != true {
            return self.single(path, attribute, value);
        }
        let Some(values) = value.as_array() else {
            return self.refuse(path, format!("wants an array, is {}", kind(value)));
        };
        for (index, value) in values.iter().enumerate() {
            self.single(&format!("{path}[{index}]"), attribute, value);
        }
    }

    fn single(&mut self, path: &str, attribute: &Value, value: &Value) {
        let schema = self.schema;
        let type_name = attribute["type"].as_str().expect("every attribute of the facts has a type");
        if attribute["object"] == true {
            // `object` is OCSF's free form (`unmapped`): an object, with whatever the product puts into it.
            if type_name != "object" || !value.is_object() {
                self.object(path, &schema.facts["objects"][type_name], value);
            }
            return;
        }
        if let Some(fault) = schema.scalar_fault(type_name, value) {
            return self.refuse(path, fault);
        }
        if let Some(captions) = attribute["enum"].as_object()
            && !captions.contains_key(&enum_key(value))
        {
            self.refuse(path, format!("{value} is none of the values that OCSF lists"));
        }
    }

    /// Beside `severity_id` may stand `severity`, which then must be the caption of that number.
    fn caption(&mut self, path: &str, id: &str, attribute: &Value, given: &Map<String, Value>) {
        let Some(value) = given.get(id) else { return };
        // 99 is "Other", whose caption is the source's own.
        let (Some(caption), false) = (attribute["enum"].get(enum_key(value)), *value == 99) else { return };
        for sibling in caption_names(id) {
            if let Some(found) = given.get(&sibling)
                && found != caption
            {
                self.refuse(&join(path, &sibling), format!("is {found}, but {id} {value} means {caption}"));
            }
        }
    }

    fn constraints(&mut self, path: &str, definition: &Value, given: &Map<String, Value>) {
        for (constraint, names) in members(&definition["constraints"]) {
            let names: Vec<&str> = items(names).filter_map(Value::as_str).collect();
            let present = names.iter().filter(|name| given.contains_key(**name)).count();
            let holds = match constraint.as_str() {
                "at_least_one" => present >= 1,
                "just_one" => present == 1,
                other => panic!("the facts use a constraint that is not known here: {other}"),
            };
            if !holds {
                self.refuse(path, format!("wants {constraint} of {}, has {present}", names.join(", ")));
            }
        }
    }

    fn version(&mut self, finding: &Value) {
        let (given, wanted) = (&finding["metadata"]["version"], &self.schema.facts["version"]);
        if given.is_string() && given != wanted {
            self.refuse("metadata.version", format!("is {given}, the schema's is {wanted}"));
        }
    }

    /// OCSF also has profiles of single objects (`container`, `linux_users`): no finding of ours has any use for them.
    fn profiles_exist(&mut self) {
        let facts = &self.schema.facts;
        for profile in self.profiles.clone() {
            if !items(&facts["class"]["profiles"]).any(|known| known == profile) {
                self.refuse("metadata.profiles", format!("{profile:?} is no profile of this class"));
            }
        }
    }

    fn type_uid(&mut self, finding: &Value) {
        let number = |name: &str| finding[name].as_i64();
        let (Some(class), Some(activity), Some(given)) =
            (number("class_uid"), number("activity_id"), number("type_uid"))
        else {
            return;
        };
        if class.checked_mul(100).and_then(|product| product.checked_add(activity)) != Some(given) {
            self.refuse("type_uid", format!("{given} is not class_uid * 100 + activity_id"));
        }
    }

    /// The profile an attribute belongs to, where the finding does not declare it.
    fn missing_profile<'b>(&self, attribute: &'b Value) -> Option<&'b str> {
        attribute["profile"].as_str().filter(|profile| !self.profiles.contains(profile))
    }
}

/// OCSF calls the caption of `x_id` either `x` or `x_name`, and the caption of `x_uid` `x_name`.
fn caption_names(id: &str) -> Vec<String> {
    match (id.strip_suffix("_id"), id.strip_suffix("_uid")) {
        (Some(stem), _) => vec![stem.to_owned(), format!("{stem}_name")],
        (_, Some(stem)) => vec![format!("{stem}_name")],
        _ => Vec::new(),
    }
}

/// The facts key an enum by text, of whatever type its values are.
fn enum_key(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a fraction",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Somebody was refused when deleting a guardrail: every object that our findings use, each filled in.
fn good_finding() -> Value {
    json!({
        "activity_id": 1, "activity_name": "Create",
        "category_uid": 2, "category_name": "Findings",
        "class_uid": 2004, "class_name": "Detection Finding",
        "type_uid": 200401, "type_name": "Detection Finding: Create",
        "severity_id": 3, "severity": "Medium",
        "status_id": 1, "status": "New",
        "confidence_id": 3, "confidence": "High",
        "is_alert": true,
        "time": 1_795_338_900_000_i64, "start_time": 1_795_338_900_000_i64, "end_time": 1_795_338_960_000_i64,
        "count": 2,
        "message": "The role deployer tried to delete guardrail gr1abcdefghi and was denied.",
        "metadata": {
            "version": "1.5.0",
            "profiles": ["cloud", "security_control"],
            "product": {"name": "bedrock-audit", "vendor_name": "bedrock-audit", "version": "0.1.0"},
            "correlation_uid": "0f0d6a52-5b7c-5f5e-9d0e-6a3a0f9d3c11",
            "log_name": "CloudTrail", "log_provider": "AWS",
            "processed_time": 1_795_339_200_000_i64
        },
        "finding_info": {
            "uid": "7c9e6679-7425-50de-944b-e07fc1f90ae7",
            "title": "Guardrail deleted (denied)",
            "desc": "A guardrail filters what a model is asked and what it answers.",
            "types": ["guardrails"],
            "data_sources": ["AWS CloudTrail"],
            "created_time": 1_795_339_200_000_i64,
            "first_seen_time": 1_795_338_900_000_i64, "last_seen_time": 1_795_338_960_000_i64,
            "analytic": {
                "type_id": 1, "type": "Rule", "name": "Guardrail deleted", "version": "1",
                "uid": "2b6f0cc9-04d5-4c7b-8a8c-2d1f6b8f4d10"
            },
            "attacks": [{
                "version": "17.1",
                "tactic": {"uid": "TA0005", "name": "Defense Evasion"},
                "technique": {"uid": "T1562", "name": "Impair Defenses"},
                "sub_technique": {
                    "uid": "T1562.001", "name": "Disable or Modify Tools",
                    "src_url": "https://attack.mitre.org/techniques/T1562/001/"
                }
            }],
            "related_analytics": [{"type_id": 1, "uid": "9d3c1e6a-6f0b-4a38-9a61-0a4b7f6d5e21", "name": "Guardrails"}],
            "related_events": [
                {"uid": "11111111-2222-4333-8444-555555555555", "type": "AWS CloudTrail record", "count": 1},
                {"uid": "11111111-2222-4333-8444-666666666666", "first_seen_time": 1_795_338_960_000_i64}
            ],
            "related_events_count": 2,
            "tags": [{"name": "user_agents", "values": ["aws-cli/2.31.0"]}]
        },
        "evidences": [{
            "uid": "11111111-2222-4333-8444-555555555555",
            "api": {
                "operation": "DeleteGuardrail",
                "service": {"name": "bedrock.amazonaws.com"},
                "version": "2023-04-20",
                "request": {"uid": "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"},
                "response": {"error": "AccessDenied", "error_message": "not authorized", "code": 403}
            },
            "actor": {
                "user": {
                    "uid": "arn:aws:sts::111122223333:assumed-role/deployer/ci", "uid_alt": "AROAEXAMPLE:ci",
                    "name": "ci", "type_id": 99, "type": "AssumedRole", "has_mfa": false,
                    "credential_uid": "ASIAEXAMPLE000000000",
                    "account": {"uid": "111122223333", "type_id": 10, "type": "AWS Account"}
                },
                "session": {
                    "uid": "ci", "issuer": "arn:aws:iam::111122223333:role/deployer",
                    "created_time": 1_795_335_300_000_i64, "is_mfa": false
                },
                "app_name": "cloudformation.amazonaws.com"
            },
            "src_endpoint": {
                "name": "203.0.113.7", "ip": "203.0.113.7", "port": 443, "svc_name": "cloudformation.amazonaws.com"
            },
            "http_request": {"user_agent": "aws-cli/2.31.0", "http_method": "DELETE"},
            "data": {"eventName": "DeleteGuardrail", "requestParameters": null}
        }],
        "resources": [{
            "uid": "arn:aws:bedrock:eu-central-1:111122223333:guardrail/gr1abcdefghi",
            "name": "gr1abcdefghi", "type": "AWS::Bedrock::Guardrail", "region": "eu-central-1",
            "cloud_partition": "aws", "data": {"count": 2}
        }],
        "cloud": {
            "provider": "AWS", "region": "eu-central-1",
            "account": {"uid": "111122223333", "type_id": 10, "type": "AWS Account"}
        },
        "remediation": {
            "desc": "Ask who runs the role deployer whether this was meant.",
            "references": ["https://docs.aws.amazon.com/bedrock/latest/userguide/guardrails.html"]
        },
        "observables": [
            {"name": "evidences[0].src_endpoint.ip", "type_id": 2, "type": "IP Address", "value": "203.0.113.7"},
            {"name": "evidences[0].actor.user.credential_uid", "type_id": 19, "type": "User Credential ID",
             "value": "ASIAEXAMPLE000000000"}
        ],
        "unmapped": {
            "family": "guardrails", "outcome": "denied", "fields_not_visible": [], "rule_set": "0.1.0",
            "log": {"bucket": "bedrock-audit-example-logs", "key": "AWSLogs/111122223333/CloudTrail/log.json.gz"}
        }
    })
}

/// The good finding with one change: the member at the JSON pointer set (or, with `None`, taken away).
fn changed(pointer: &str, value: Option<Value>) -> Value {
    let mut finding = good_finding();
    let (parent, name) = pointer.rsplit_once('/').expect("a JSON pointer");
    let parent = finding.pointer_mut(parent).expect("the good finding has it");
    match (parent, value) {
        (Value::Array(items), Some(value)) => items[name.parse::<usize>().expect("an index")] = value,
        (Value::Object(members), Some(value)) => drop(members.insert(name.to_owned(), value)),
        (Value::Object(members), None) => drop(members.remove(name).expect("the good finding has it")),
        _ => panic!("{pointer} cannot be changed"),
    }
    finding
}

#[test]
fn a_complete_good_finding_has_no_violations() {
    assert_eq!(OcsfSchema::load().violations(&good_finding()), [""; 0]);
}

#[test]
fn each_broken_finding_is_refused_for_its_own_reason() {
    let broken = [
        ("/rule", Some(json!("x")), "rule: OCSF has no such attribute here"),
        ("/evidences/0/api/verb", Some(json!("x")), "evidences[0].api.verb: OCSF has no such attribute here"),
        ("/message", Some(json!(7)), "message: wants a string (string_t), is an integer"),
        ("/message", Some(json!(null)), "message: wants a string (string_t), is null"),
        ("/is_alert", Some(json!("true")), "is_alert: wants a boolean (boolean_t), is a string"),
        ("/count", Some(json!(2.5)), "count: wants an integer (integer_t), is a fraction"),
        ("/time", Some(json!("2026-11-22T09:15:00Z")), "time: wants an integer (timestamp_t), is a string"),
        (
            "/time",
            Some(json!(1_795_338_900)),
            "time: 1795338900 is outside timestamp_t's range, 100000000000 to 253402300799999",
        ),
        ("/severity_id", Some(json!("3")), "severity_id: wants an integer (integer_t), is a string"),
        ("/severity_id", Some(json!(7)), "severity_id: 7 is none of the values that OCSF lists"),
        (
            "/evidences/0/http_request/http_method",
            Some(json!("FETCH")),
            "evidences[0].http_request.http_method: \"FETCH\" is none of the values that OCSF lists",
        ),
        ("/finding_info/uid", None, "finding_info.uid: is required and missing"),
        ("/cloud", None, "cloud: is required and missing"),
        ("/metadata/profiles", Some(json!(["cloud", "security_control", "osint"])), "osint: is required and missing"),
        (
            "/metadata/profiles",
            Some(json!(["cloud", "security_control", "aws"])),
            "\"aws\" is no profile of this class",
        ),
        (
            "/finding_info/analytic",
            Some(json!({"type_id": 1})),
            "finding_info.analytic: wants at_least_one of name, uid",
        ),
        (
            "/is_suspected_breach",
            Some(json!(true)),
            "is_suspected_breach: belongs to profile incident, which metadata.profiles does not name",
        ),
        (
            "/evidences/0/src_endpoint/ip",
            Some(json!("bedrock.amazonaws.com")),
            "evidences[0].src_endpoint.ip: \"bedrock.amazonaws.com\" is no ip_t",
        ),
        ("/evidences/0/src_endpoint/ip", Some(json!("203x0x113x7")), "\"203x0x113x7\" is no ip_t"),
        ("/evidences/0/src_endpoint/port", Some(json!(65536)), "65536 is outside port_t's range, 0 to 65535"),
        (
            "/evidences/0/src_endpoint/ip",
            Some(json!("0000:0000:0000:0000:0000:ffff:203.0.113.117")),
            "evidences[0].src_endpoint.ip: has 43 characters, ip_t allows 40",
        ),
        ("/evidences/0/actor/session/uuid", Some(json!("x")), "evidences[0].actor.session.uuid: \"x\" is no uuid_t"),
        ("/vulnerabilities", Some(json!([{}])), "vulnerabilities[0]: wants just_one of advisory, cve, cwe, has 0"),
        ("/type_uid", Some(json!(200_499)), "type_uid: 200499 is not class_uid * 100 + activity_id"),
        ("/remediation/desc", Some(json!(["x"])), "remediation.desc: wants a string (string_t), is an array"),
        ("/finding_info/analytic", Some(json!([])), "finding_info.analytic: wants an object, is an array"),
        ("/resources", Some(json!({"uid": "x"})), "resources: wants an array, is an object"),
        ("/remediation/references/0", Some(json!(1)), "remediation.references[0]: wants a string (string_t)"),
        ("/evidences/0/actor/invoked_by", Some(json!("x")), "evidences[0].actor.invoked_by: is deprecated"),
        ("/severity", Some(json!("High")), "severity: is \"High\", but severity_id 3 means \"Medium\""),
        ("/status", Some(json!("Denied")), "status: is \"Denied\", but status_id 1 means \"New\""),
        ("/class_name", Some(json!("Finding")), "but class_uid 2004 means \"Detection Finding\""),
        (
            "/observables/0/type",
            Some(json!("IP")),
            "observables[0].type: is \"IP\", but type_id 2 means \"IP Address\"",
        ),
        ("/metadata/version", Some(json!("1.6.0")), "metadata.version: is \"1.6.0\", the schema's is \"1.5.0\""),
        ("/unmapped", Some(json!("x")), "unmapped: wants an object, is a string"),
    ];
    let schema = OcsfSchema::load();
    for (pointer, value, reason) in broken {
        let violations = schema.violations(&changed(pointer, value));
        assert!(
            violations.iter().any(|found| found.contains(reason)),
            "{pointer}: {reason} is not among {violations:#?}"
        );
        // A change of one thing has one reason, but for a type_uid, whose caption is then another too.
        assert!(violations.len() == 1 || pointer == "/type_uid", "{pointer}: {violations:#?}");
    }
}

#[test]
fn no_corner_of_a_finding_goes_unread() {
    let schema = OcsfSchema::load();
    let mut corners = vec![(String::new(), String::new(), good_finding())];
    while let Some((pointer, path, value)) = corners.pop() {
        if !pointer.is_empty() {
            // No attribute is a list of lists.
            let violations = schema.violations(&changed(&pointer, Some(json!([[]]))));
            let own = [format!("{path}: "), format!("{path}[0]: ")];
            let read = violations.iter().any(|found| own.iter().any(|path| found.starts_with(path)));
            assert!(read, "{path} is not read: {violations:#?}");
        }
        for (name, value) in members(&value).filter(|(name, _)| *name != "data" && path != "unmapped") {
            corners.push((format!("{pointer}/{name}"), join(&path, name), value.clone()));
        }
        for (index, value) in items(&value).enumerate() {
            corners.push((format!("{pointer}/{index}"), format!("{path}[{index}]"), value.clone()));
        }
    }
}

#[test]
fn what_is_no_object_is_no_finding() {
    assert_eq!(OcsfSchema::load().violations(&json!([])), ["(finding): wants an object, is an array"]);
}
