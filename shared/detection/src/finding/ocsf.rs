//! A finding as a machine reads it: OCSF 1.5.0 Detection Finding, trimmed to what a message may carry. Knows OCSF's names.

use std::{borrow::Cow, net::IpAddr};

use serde_json::{Map, Value, json};

use super::{Confidence, Details, Finding, Matched, Tally};
use crate::{
    record::{Actor, Outcome, Record, Resource, document},
    rules::About,
    text,
};

/// The version of OCSF that is written.
const OCSF_VERSION: &str = "1.5.0";

/// Leaves something out; the second argument is the size, in bytes, to get to.
type Trim = fn(&mut Value, usize);

/// How much of a finding is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// All that fits.
    Full,
    /// Only what identifies it, for a message that SNS refused in its full form.
    Minimal,
}

impl Finding {
    /// The finding as OCSF JSON of at most `limit` bytes.
    ///
    /// What does not fit is left out from the evidence inwards, eventIDs last of all, and `unmapped.trimmed` names what
    /// was; log and eventIDs say where the rest stands. Any limit from 32 KiB up is kept, whatever the records hold: what is
    /// left at the end is a few dozen texts of 256 bytes.
    #[must_use]
    pub fn to_ocsf(&self, limit: usize, form: Form) -> String {
        let mut value = self.ocsf();
        let steps: [(&str, Trim); 6] = [
            ("records", drop_records),
            ("evidences", |value, _| keep_first(value, "/evidences", 1)),
            ("text", |value, _| {
                // The way to the rest is the last thing to lose.
                let log = value.pointer_mut("/unmapped/log").map(Value::take);
                shorten_text(value);
                if let (Some(log), Some(place)) = (log, value.pointer_mut("/unmapped/log")) {
                    *place = log;
                }
            }),
            ("counts", |value, _| keep_of_lists(value, 10)),
            ("lists", |value, _| keep_of_lists(value, 0)),
            ("event_ids", |value, limit| {
                let mut left =
                    value.pointer("/finding_info/related_events").and_then(Value::as_array).map_or(0, Vec::len);
                while left > 0 && written(value).len() > limit {
                    left /= 2;
                    keep_first(value, "/finding_info/related_events", left);
                }
            }),
        ];
        let (limit, all) = match form {
            Form::Full => (limit, false),
            Form::Minimal => (limit.min(32 * 1024), true),
        };
        // Room for the mark that says what was left out.
        let room = limit.saturating_sub(128);
        let mut trimmed = Vec::new();
        if self.matched().is_some_and(|matched| matched.records.is_empty()) {
            trimmed.push("records");
        }
        let mut json = written(&value);
        for (name, step) in steps {
            // The minimal form goes without all that may be at fault; nothing is at fault in eventIDs and short lists.
            let must = all && matches!(name, "records" | "evidences" | "text" | "counts");
            if json.len() <= room && !must {
                break;
            }
            step(&mut value, if all && name == "records" { 0 } else { room });
            if !trimmed.contains(&name) {
                trimmed.push(name);
            }
            json = written(&value);
        }
        if !trimmed.is_empty() {
            if let Some(Value::Object(unmapped)) = value.get_mut("unmapped") {
                unmapped.insert("trimmed".to_owned(), json!(trimmed));
            }
            json = written(&value);
        }
        json
    }

    /// The finding as OCSF, whole.
    #[must_use]
    pub fn ocsf(&self) -> Value {
        let matched = self.matched();
        let first = matched.and_then(|matched| matched.first_ms);
        let last = matched.and_then(|matched| matched.last_ms);
        let (confidence_id, confidence) = match self.confidence() {
            Confidence::Low => (1, "Low"),
            Confidence::Medium => (2, "Medium"),
            Confidence::High => (3, "High"),
        };
        let mut value = json!({
            "activity_id": 1,
            "activity_name": "Create",
            "category_name": "Findings",
            "category_uid": 2,
            "class_name": "Detection Finding",
            "class_uid": 2004,
            "type_name": "Detection Finding: Create",
            "type_uid": 200_401,
            "severity": self.severity_name(),
            "severity_id": self.severity_id(),
            "status": "New",
            "status_id": 1,
            // What nobody needs to look at today is a finding, but no alert.
            "is_alert": self.severity_id() >= 3,
            "confidence": confidence,
            "confidence_id": confidence_id,
            "time": last.unwrap_or(self.log.read_at_ms),
            "message": self.summary(),
            "metadata": {
                "version": OCSF_VERSION,
                "profiles": ["cloud", "security_control"],
                "product": {"name": "bedrock-audit", "vendor_name": "bedrock-audit", "version": env!("CARGO_PKG_VERSION")},
                "correlation_uid": self.correlation_id,
                "log_name": "AWS CloudTrail",
                "log_provider": "Amazon Web Services",
            },
            "finding_info": self.finding_info(),
            "cloud": self.cloud(),
            "unmapped": self.unmapped(),
        });
        let Value::Object(members) = &mut value else { return value };
        if let Some(first) = first {
            members.insert("start_time".to_owned(), json!(first));
        }
        if let Some(last) = last {
            members.insert("end_time".to_owned(), json!(last));
        }
        if let Some(remediation) = self.remediation() {
            members.insert("remediation".to_owned(), remediation);
        }
        match &self.details {
            Details::File(problem) => {
                let data = json!({"problem": problem, "log": self.log.location()});
                members.insert("evidences".to_owned(), json!([{ "data": data }]));
                members.insert("resources".to_owned(), json!([{ "uid": self.log.location(), "type": "log" }]));
            }
            Details::Records(matched) => {
                members.insert("count".to_owned(), json!(matched.count));
                let mut evidences: Vec<Value> = matched.records.iter().map(|record| evidence(record)).collect();
                if evidences.is_empty() {
                    evidences.push(evidence_without_record(matched));
                }
                members.insert("evidences".to_owned(), json!(evidences));
                let resources: Vec<Value> = matched.resources.counts.keys().map(resource).collect();
                if !resources.is_empty() {
                    members.insert("resources".to_owned(), json!(resources));
                }
                let observables = observables(matched);
                if !observables.is_empty() {
                    members.insert("observables".to_owned(), json!(observables));
                }
            }
        }
        value
    }

    fn finding_info(&self) -> Value {
        let mut info = json!({
            "uid": self.id,
            "title": self.title(),
            "desc": self.about.words().description,
            "analytic": analytic(&self.about),
            "types": [self.family()],
            "data_sources": ["AWS CloudTrail"],
        });
        let Value::Object(members) = &mut info else { return info };
        if let Some(link) = self.console_link() {
            members.insert("src_url".to_owned(), json!(link));
        }
        let attacks: Vec<Value> = self.about.words().tags.iter().filter_map(|tag| attack(tag)).collect();
        if !attacks.is_empty() {
            members.insert("attacks".to_owned(), json!(attacks));
        }
        if let Details::Records(matched) = &self.details {
            if let Some(first) = matched.first_ms {
                members.insert("first_seen_time".to_owned(), json!(first));
            }
            if let Some(last) = matched.last_ms {
                members.insert("last_seen_time".to_owned(), json!(last));
            }
            let events: Vec<Value> = matched.event_ids.iter().map(|id| json!({ "uid": id })).collect();
            if !events.is_empty() {
                members.insert("related_events".to_owned(), json!(events));
            }
            members.insert("related_events_count".to_owned(), json!(matched.event_ids_total));
            let related: Vec<Value> = matched.related.iter().map(|about| analytic(about)).collect();
            if !related.is_empty() {
                members.insert("related_analytics".to_owned(), json!(related));
            }
        }
        info
    }

    /// What to do, and what to read about it: AWS's page about the operation first.
    fn remediation(&self) -> Option<Value> {
        let references: Vec<&str> = self.pages().collect();
        let steps = self.about.words().respond.iter().enumerate().map(|(at, step)| format!("{}. {step}", at + 1));
        let steps: Vec<String> = steps.collect();
        if steps.is_empty() && references.is_empty() {
            return None;
        }
        let desc = if steps.is_empty() { "See the references.".to_owned() } else { steps.join("\n") };
        Some(json!({"desc": desc, "references": references}))
    }

    fn cloud(&self) -> Value {
        let mut cloud = Map::new();
        cloud.insert("provider".to_owned(), json!("AWS"));
        if let Some(account) = &self.account {
            cloud.insert("account".to_owned(), json!({"uid": account, "type": "AWS Account", "type_id": 10}));
        }
        if let Some(region) = &self.region {
            cloud.insert("region".to_owned(), json!(region));
        }
        Value::Object(cloud)
    }

    fn unmapped(&self) -> Value {
        let mut log = json!({ "key": self.log.key });
        if let (Some(bucket), Value::Object(members)) = (&self.log.bucket, &mut log) {
            members.insert("bucket".to_owned(), json!(bucket));
        }
        let mut unmapped = json!({
            "outcome": self.outcome.as_str(),
            "family": self.family(),
            "rule_set": self.rule_set,
            "log": log,
            "fields_not_visible": [],
            "benign_causes": self.about.words().false_positives,
        });
        if let (Details::Records(matched), Value::Object(members)) = (&self.details, &mut unmapped) {
            members.insert("fields_not_visible".to_owned(), json!(matched.not_visible.keys().collect::<Vec<_>>()));
            if let Some(page) = &matched.documentation {
                members.insert("documentation".to_owned(), json!(page));
            }
            members.insert("why_not_visible".to_owned(), json!(matched.not_visible));
            let asked = matched.asked.iter().map(|asked| json!({"path": asked.path, "value": asked.value}));
            members.insert("asked".to_owned(), asked.collect());
            members.insert(
                "seen".to_owned(),
                json!({
                    "resources": tally(&matched.resources, |resource| resource.uid.as_str()),
                    "addresses": tally(&matched.addresses, String::as_str),
                    "user_agents": tally(&matched.user_agents, String::as_str),
                    "models": tally(&matched.models, String::as_str),
                }),
            );
        }
        unmapped
    }
}

fn tally<T>(tally: &Tally<T>, name: impl Fn(&T) -> &str) -> Vec<Value> {
    let counts = tally.counts.iter().map(|(value, count)| json!({"value": name(value), "count": count}));
    let others = (tally.others > 0).then(|| json!({"others": true, "count": tally.others}));
    counts.chain(others).collect()
}

fn analytic(about: &About) -> Value {
    let mut analytic = json!({"type": "Rule", "type_id": 1, "uid": about.id, "name": about.title});
    if let (Some(version), Value::Object(members)) = (&about.version, &mut analytic) {
        members.insert("version".to_owned(), json!(version));
    }
    analytic
}

/// A technique of ATT&CK (`attack.t1562.001`) or ATLAS (`atlas.aml.t0024.001`). ATT&CK's tactics are left to it: version 19
/// renamed some, and a technique names its own.
fn attack(tag: &str) -> Option<Value> {
    let (uid, version) = if let Some(id) = tag.strip_prefix("attack.t") {
        // Version 19 replaced T1562 by T1685 and its neighbours; either number alone is unknown to half of all tools.
        let version = if id.starts_with("1562") { "18" } else { "19" };
        (format!("T{id}"), Some(version))
    } else {
        (format!("AML.T{}", tag.strip_prefix("atlas.aml.t")?), None)
    };
    let digits = uid.trim_start_matches("AML.").get(1..)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let mut attack = Map::new();
    let parent_end = uid.rfind('.').filter(|_| digits.contains('.')).unwrap_or(uid.len());
    attack.insert("technique".to_owned(), json!({ "uid": uid.get(..parent_end)? }));
    if parent_end < uid.len() {
        attack.insert("sub_technique".to_owned(), json!({ "uid": uid }));
    }
    if let Some(version) = version {
        attack.insert("version".to_owned(), json!(version));
    }
    Some(Value::Object(attack))
}

/// What is known of the records where none was kept.
fn evidence_without_record(matched: &Matched) -> Value {
    let mut evidence = json!({
        "api": {"operation": matched.event_name, "service": {"name": matched.event_source}},
        "actor": actor(&matched.actor),
    });
    let Value::Object(members) = &mut evidence else { return evidence };
    if let Some(id) = matched.event_ids.first() {
        members.insert("uid".to_owned(), json!(id));
    }
    if let Some(address) = matched.addresses.counts.keys().next() {
        members.insert("src_endpoint".to_owned(), endpoint(address));
    }
    evidence
}

fn evidence(text: &str) -> Value {
    let value = document(text.as_bytes()).unwrap_or_else(|_| json!({ "unreadable": text }));
    let record = Record::new(&value);
    let mut api = Map::new();
    api.insert("operation".to_owned(), json!(record.event_name()));
    if !record.event_source().is_empty() {
        api.insert("service".to_owned(), json!({ "name": record.event_source() }));
    }
    if let Some(id) = record.text("requestID") {
        api.insert("request".to_owned(), json!({ "uid": id }));
    }
    let mut response = Map::new();
    if let Some(code) = record.error_code() {
        response.insert("error".to_owned(), json!(code));
    }
    if let Some(message) = record.text("errorMessage") {
        response.insert("error_message".to_owned(), json!(message));
    }
    if !response.is_empty() {
        api.insert("response".to_owned(), Value::Object(response));
    }
    let mut evidence = Map::new();
    evidence.insert("api".to_owned(), Value::Object(api));
    evidence.insert("actor".to_owned(), actor(&Actor::of(&record)));
    if let Some(id) = record.event_id() {
        evidence.insert("uid".to_owned(), json!(id));
    }
    if let Some(address) = record.text("sourceIPAddress") {
        evidence.insert("src_endpoint".to_owned(), endpoint(address));
    }
    if let Some(agent) = record.text("userAgent") {
        evidence.insert("http_request".to_owned(), json!({ "user_agent": agent }));
    }
    evidence.insert("data".to_owned(), value);
    Value::Object(evidence)
}

/// `sourceIPAddress` is a service's name where a service made the call.
fn endpoint(address: &str) -> Value {
    match address.parse::<IpAddr>() {
        Ok(ip) => json!({"name": address, "ip": ip.to_string()}),
        Err(_) => json!({"name": address, "svc_name": address}),
    }
}

fn actor(actor: &Actor) -> Value {
    let mut user = Map::new();
    // OCSF's own kinds do not tell a role from a user: CloudTrail's word is kept.
    user.insert("type".to_owned(), json!(actor.kind));
    user.insert("type_id".to_owned(), json!(99));
    user.insert("uid".to_owned(), json!(actor.uid));
    if let Some(name) = &actor.name {
        user.insert("name".to_owned(), json!(name));
    }
    if let Some(id) = &actor.principal_id {
        user.insert("uid_alt".to_owned(), json!(id));
    }
    if let Some(account) = &actor.account {
        user.insert("account".to_owned(), json!({"uid": account, "type": "AWS Account", "type_id": 10}));
    }
    if let Some(credential) = &actor.credential {
        user.insert("credential_uid".to_owned(), json!(credential));
    }
    let mut session = Map::new();
    if let Some(name) = &actor.session {
        session.insert("uid".to_owned(), json!(name));
    }
    if let Some(issuer) = &actor.issuer {
        session.insert("issuer".to_owned(), json!(issuer));
    }
    if let Some(created) = actor.session_created_ms {
        session.insert("created_time".to_owned(), json!(created));
    }
    if let Some(mfa) = actor.mfa {
        session.insert("is_mfa".to_owned(), json!(mfa));
    }
    let mut value = Map::new();
    value.insert("user".to_owned(), Value::Object(user));
    if !session.is_empty() {
        value.insert("session".to_owned(), Value::Object(session));
    }
    if let Some(service) = &actor.invoked_by {
        value.insert("app_name".to_owned(), json!(service));
    }
    Value::Object(value)
}

fn resource(resource: &Resource) -> Value {
    json!({"uid": resource.uid, "type": resource.kind})
}

fn observables(matched: &Matched) -> Vec<Value> {
    let mut observables = Vec::new();
    let mut add = |name: &str, kind: &str, id: u8, value: &str| {
        observables.push(json!({"name": name, "type": kind, "type_id": id, "value": value}));
    };
    for address in matched.addresses.counts.keys().filter(|address| address.parse::<IpAddr>().is_ok()) {
        add("evidences.src_endpoint.ip", "IP Address", 2, address);
    }
    if let Some(credential) = &matched.actor.credential {
        add("evidences.actor.user.credential_uid", "User Credential ID", 19, credential);
    }
    add("evidences.actor.user.uid", "User Object: uid", 31, &matched.actor.uid);
    for agent in matched.user_agents.counts.keys() {
        add("evidences.http_request.user_agent", "HTTP User-Agent", 16, agent);
    }
    for resource in matched.resources.counts.keys() {
        add("resources.uid", "Resource UID", 10, &resource.uid);
    }
    observables
}

/// The JSON that is sent, with escapes for what acts on a reader, and for U+FFFE and U+FFFF, which are no characters for some of
/// them (SQS takes U+FFFD and nothing between it and U+10000).
fn written(value: &Value) -> String {
    let json = value.to_string();
    match text::json(&json) {
        Cow::Borrowed(_) => json,
        Cow::Owned(harmless) => harmless,
    }
}

/// Leaves whole records out, the last ones first, until the finding fits.
fn drop_records(value: &mut Value, limit: usize) {
    let mut size = written(value).len();
    let Some(Value::Array(evidences)) = value.get_mut("evidences") else { return };
    for evidence in evidences.iter_mut().rev() {
        if size <= limit {
            break;
        }
        let Some(members) = evidence.as_object_mut().filter(|members| members.contains_key("api")) else { continue };
        if let Some(record) = members.remove("data") {
            size = size.saturating_sub(written(&record).len());
        }
    }
}

fn keep_first(value: &mut Value, list: &str, most: usize) {
    if let Some(Value::Array(items)) = value.pointer_mut(list) {
        items.truncate(most);
    }
}

fn keep_of_lists(value: &mut Value, most: usize) {
    for list in ["/resources", "/observables", "/remediation/references", "/finding_info/related_analytics"] {
        keep_first(value, list, most);
    }
    for list in ["resources", "addresses", "user_agents", "models"] {
        keep_first(value, &format!("/unmapped/seen/{list}"), most);
    }
    keep_first(value, "/unmapped/asked", most);
}

/// Cuts every text to 256 bytes or somewhat more. Ids and names are shorter; what is longer was made to be.
fn shorten_text(value: &mut Value) {
    match value {
        Value::String(long) if long.len() > 256 => *long = text::neutral(long, 256 * long.chars().count() / long.len()),
        Value::Array(items) => items.iter_mut().for_each(shorten_text),
        Value::Object(members) => members.values_mut().for_each(shorten_text),
        _ => {}
    }
}

/// Whether a finding is about calls or about a file, as a title says it.
#[must_use]
pub(super) fn outcome_in_words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "it succeeded",
        Outcome::Denied => "it was denied",
        Outcome::Failed => "it failed",
        Outcome::NotApplicable => "no call was made",
    }
}
