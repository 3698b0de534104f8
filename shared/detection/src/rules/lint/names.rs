//! Fields, event sources and event names that do not exist, as far as AWS documents them. What is below a request's own
//! members, and what other services are sent, nobody lists: anything goes there.

use std::collections::{BTreeSet, HashMap};

use rsigma_parser::{DetectionItem, Detections, Modifier, SigmaRule, SigmaValue};
use serde_json::json;

use super::{Line, Report, Severity, Source};
use crate::{
    catalogue,
    operations::Operations,
    record::DERIVED,
    rules::{engine::Engine, fold::lower, nearest::nearest, needs},
};

/// The members of a record that hold one value, as the CloudTrail user guide lists them for event version 1.11.
pub(super) const SINGLE: [&str; 21] = [
    "apiVersion",
    "awsRegion",
    "errorCode",
    "errorMessage",
    "eventCategory",
    "eventID",
    "eventName",
    "eventSource",
    "eventTime",
    "eventType",
    "eventVersion",
    "managementEvent",
    "readOnly",
    "recipientAccountId",
    "requestID",
    "sessionCredentialFromConsole",
    "sharedEventID",
    "sourceIPAddress",
    "userAgent",
    "vpcEndpointAccountId",
    "vpcEndpointId",
];

/// What stands below a member of a record.
enum Below {
    /// Nothing: it holds a text.
    Nothing,
    /// Nobody lists what.
    Anything,
    /// These members and no others.
    Members(&'static [(&'static str, Below)]),
}

use Below::{Anything, Members, Nothing};

/// The members that hold an object or a list, as far down as they are documented.
const NESTED: [(&str, Below); 9] = [
    ("additionalEventData", Anything),
    (
        "addendum",
        Members(&[
            ("originalEventID", Nothing),
            ("originalRequestID", Nothing),
            ("reason", Nothing),
            ("updatedFields", Nothing),
        ]),
    ),
    ("edgeDeviceDetails", Anything),
    ("requestParameters", Anything),
    ("resources", Members(&[("ARN", Nothing), ("ARNPrefix", Nothing), ("accountId", Nothing), ("type", Nothing)])),
    ("responseElements", Anything),
    ("serviceEventDetails", Anything),
    (
        "tlsDetails",
        Members(&[
            ("cipherSuite", Nothing),
            ("clientProvidedHostHeader", Nothing),
            ("keyExchange", Nothing),
            ("tlsVersion", Nothing),
        ]),
    ),
    ("userIdentity", Members(&USER_IDENTITY)),
];

const USER_IDENTITY: [(&str, Below); 13] = [
    ("accessKeyId", Nothing),
    ("accountId", Nothing),
    ("arn", Nothing),
    ("credentialId", Nothing),
    ("identityProvider", Nothing),
    (
        "inScopeOf",
        Members(&[
            ("credentialsIssuedTo", Nothing),
            ("issuerType", Nothing),
            ("sourceAccount", Nothing),
            ("sourceArn", Nothing),
        ]),
    ),
    ("invokedBy", Nothing),
    ("invokedByDelegate", Members(&[("accountId", Nothing)])),
    ("onBehalfOf", Members(&[("identityStoreArn", Nothing), ("userId", Nothing)])),
    ("principalId", Nothing),
    ("sessionContext", Members(&SESSION_CONTEXT)),
    ("type", Nothing),
    ("userName", Nothing),
];

const SESSION_CONTEXT: [(&str, Below); 6] = [
    ("assumedRoot", Nothing),
    ("attributes", Members(&[("creationDate", Nothing), ("mfaAuthenticated", Nothing)])),
    ("ec2RoleDelivery", Nothing),
    (
        "sessionIssuer",
        Members(&[
            ("accountId", Nothing),
            ("arn", Nothing),
            ("principalId", Nothing),
            ("type", Nothing),
            ("userName", Nothing),
        ]),
    ),
    ("sourceIdentity", Nothing),
    ("webIdFederationData", Members(&[("attributes", Anything), ("federatedProvider", Nothing)])),
];

/// What CloudTrail adds to requests of its own accord.
const ADDED: [&str; 2] = ["bearerTokenType", "callWithBearerToken"];

/// Services of Bedrock's that have endpoints but no event source of their own, and the one that they are recorded under.
const NEVER_WRITTEN: [(&str, &str); 6] = [
    ("bedrock-agent.amazonaws.com", "bedrock.amazonaws.com"),
    ("bedrock-agent-runtime.amazonaws.com", "bedrock.amazonaws.com"),
    ("bedrock-agentcore-control.amazonaws.com", "bedrock-agentcore.amazonaws.com"),
    ("bedrock-data-automation.amazonaws.com", "bedrock.amazonaws.com"),
    ("bedrock-data-automation-runtime.amazonaws.com", "bedrock.amazonaws.com"),
    ("bedrock-runtime.amazonaws.com", "bedrock.amazonaws.com"),
];

/// The top-level members that each operation's request can have, by event source and event name.
type InputMembers = HashMap<&'static str, HashMap<&'static str, Vec<&'static str>>>;

/// Those of the operations that an SDK has; where several services share an event source and a name, of all of them.
#[expect(clippy::expect_used, reason = "our own file, which every test reads: no wrong member may pass in silence")]
fn input_members() -> InputMembers {
    let mut members = InputMembers::new();
    let entries = catalogue::builtin().expect("the catalogue is right");
    for entry in entries.into_iter().filter(|entry| entry.basis == "sdk") {
        let there = [entry.required, entry.optional].concat();
        members.entry(entry.event_source).or_default().insert(entry.event_name, there);
    }
    members
}

pub(super) fn lint(
    rule: &SigmaRule,
    lines: &[Line<'_>],
    source: &Source,
    operations: &Operations,
    report: &mut Report<'_>,
) {
    let members = input_members();
    // A derived field that is none makes the rule refused, which is told already.
    for line in lines.iter().filter(|line| !line.field.is_empty() && !line.field.starts_with("derived.")) {
        let wrong = wrong_field(line.field).or_else(|| no_member(line, &rule.detection, &members, operations));
        if let Some(wrong) = wrong {
            report.add(Severity::Error, line.place, wrong);
        } else if let Some(wrong) = no_text(line) {
            report.add(Severity::Warning, line.place, wrong);
        } else if let Some((value, wrong)) = role_of_a_session(line) {
            report.add(Severity::Warning, line.place_of(&value, source), wrong);
        }
        if line.item.field.has_modifier(Modifier::FieldRef) {
            for value in &line.item.values {
                if let Some(wrong) = wrong_field(&value.to_string()) {
                    report.add(Severity::Error, line.place_of(&value.to_string(), source), wrong);
                }
            }
        } else if line.field == "eventSource" {
            event_sources(line, source, operations, report);
        } else if line.field == "eventName" {
            event_names(line, &rule.detection, source, operations, report);
        }
    }
    let grouped = rule.custom_attributes.get("group_by").and_then(yaml_serde::Value::as_sequence);
    for field in grouped.into_iter().flatten().filter_map(yaml_serde::Value::as_str) {
        if let Some(wrong) = wrong_field(field) {
            report.add(Severity::Error, source.word(&[], "group_by", field), wrong);
        }
    }
}

/// Why no record can have such a field.
fn wrong_field(field: &str) -> Option<String> {
    let mut path = field.split('.');
    let first = path.next().unwrap_or_default();
    let rest: Vec<&str> = path.collect();
    let or_below = |names: &[&str]| [names, &rest].concat().join(".");
    if first == "derived" {
        let names = DERIVED.map(|(name, _)| name);
        return (!names.contains(&field)).then(|| unknown(field, nearest(field, names).map(str::to_owned), &names));
    }
    let Some(mut below) = top(first) else {
        let tops = SINGLE.into_iter().chain(NESTED.iter().map(|(name, _)| *name));
        let meant = match below_user_identity(first) {
            Some(path) => Some(path),
            None => nearest(first, tops).map(str::to_owned),
        };
        return Some(unknown(field, meant.map(|meant| or_below(&[&meant])), &[]));
    };
    let mut above = first.to_owned();
    for (at, member) in rest.iter().enumerate() {
        let members = match below {
            Anything => return None,
            Nothing => {
                let problem = format!("`{field}` is in no record, because `{above}` holds nothing with members");
                return Some(format!("{problem}; name `{above}`"));
            }
            Members(members) => members,
        };
        let Some((_, next)) = members.iter().find(|(name, _)| name == member) else {
            let names: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
            let after = rest.get(at + 1..).unwrap_or_default();
            let near = nearest(member, names.iter().copied()).map(|name| format!("{above}.{name}"));
            let meant = near.or_else(|| below_user_identity(member).filter(|_| first == "userIdentity"));
            return Some(unknown(field, meant.map(|meant| [&[meant.as_str()], after].concat().join(".")), &names));
        };
        above = format!("{above}.{member}");
        below = next;
    }
    None
}

/// What stands below a member of a record itself.
fn top(member: &str) -> Option<&'static Below> {
    if SINGLE.contains(&member) {
        return Some(&Nothing);
    }
    NESTED.iter().find(|(name, _)| *name == member).map(|(_, below)| below)
}

/// The path of a member that somebody named without what is above it: who calls is deep in a record.
fn below_user_identity(member: &str) -> Option<String> {
    let mut nearer = vec![("userIdentity".to_owned(), USER_IDENTITY.as_slice())];
    while !nearer.is_empty() {
        let mut farther = Vec::new();
        for (above, members) in nearer {
            for (name, below) in members {
                let path = format!("{above}.{name}");
                if *name == member {
                    return Some(path);
                }
                if let Members(members) = below {
                    farther.push((path, *members));
                }
            }
        }
        nearer = farther;
    }
    None
}

/// Whether a field is known to hold members and no text.
fn is_object(field: &str) -> bool {
    let mut path = field.split('.');
    let mut below = path.next().and_then(top);
    let mut is_known = true;
    for member in path {
        let Some(Members(members)) = below else {
            is_known = false;
            break;
        };
        below = members.iter().find(|(name, _)| *name == member).map(|(_, below)| below);
    }
    is_known && matches!(below, Some(Anything | Members(_)))
}

fn unknown(field: &str, meant: Option<String>, there: &[&str]) -> String {
    let problem = format!("`{field}` is a field of no record");
    match meant {
        Some(meant) => format!("{problem}; did you mean `{meant}`?"),
        None if there.is_empty() => format!("{problem}; see CloudTrail's user guide for those there are"),
        None => format!("{problem}; there are {}", there.join(", ")),
    }
}

/// Why nothing that the line compares its field with can stand there.
fn no_text(line: &Line<'_>) -> Option<String> {
    let asks_for_presence = line.item.field.has_modifier(Modifier::Exists)
        || line.item.values.iter().all(|value| matches!(value, SigmaValue::Null));
    (is_object(line.field) && !asks_for_presence).then(|| {
        let field = line.field;
        format!("`{field}` holds no text but members, so this never holds; name one: `{field}.NAME`, or use a keyword")
    })
}

/// A role's own ARN where the ARN of its session stands, and what to name instead.
fn role_of_a_session(line: &Line<'_>) -> Option<(String, &'static str)> {
    let is_text = |modifier: &Modifier| !matches!(modifier, Modifier::Re | Modifier::FieldRef);
    if line.field != "userIdentity.arn" || !line.item.field.modifiers.iter().all(is_text) {
        return None;
    }
    // A session's ARN has `:assumed-role/` there.
    let value = line.item.values.iter().map(ToString::to_string).find(|value| lower(value).contains(":role/"))?;
    let wrong = "this is the ARN of a role, but `userIdentity.arn` holds that of its session, \
                 arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION; name `derived.actor`, which holds both, or \
                 `userIdentity.sessionContext.sessionIssuer.arn`";
    Some((value, wrong))
}

/// The texts that a line compares its field with, if it names them in full.
fn literals(item: &DetectionItem) -> Option<BTreeSet<String>> {
    if item.field.modifiers.iter().any(|modifier| *modifier != Modifier::Cased) {
        return None;
    }
    let text = |value: &SigmaValue| match value {
        SigmaValue::String(text) => text.as_plain().map(|text| lower(&text).into_owned()),
        _ => None,
    };
    item.values.iter().map(text).collect()
}

/// The values that a field must have for this line to matter: those named beside it, else those of the whole rule.
fn named_with(line: &Line<'_>, field: &str, detections: &Detections) -> Option<BTreeSet<String>> {
    let beside = line.together.iter().find(|item| item.field.name.as_deref() == Some(field)).and_then(literals);
    beside.or_else(|| needs::only(detections, field))
}

/// Bedrock's event sources that this line is about; nothing where it may be about another service.
fn bedrock_sources<'o>(line: &Line<'_>, detections: &Detections, operations: &'o Operations) -> Option<Vec<&'o str>> {
    let named = named_with(line, "eventSource", detections)?;
    let known = |source: &String| {
        let written =
            NEVER_WRITTEN.iter().find(|(never, _)| never == source).map_or(source.as_str(), |(_, under)| under);
        operations.sources().find(|known| *known == written)
    };
    let mut sources = named.iter().map(known).collect::<Option<Vec<_>>>()?;
    sources.sort_unstable();
    sources.dedup();
    Some(sources)
}

/// Why a request of the operations that are named has no such member.
fn no_member(
    line: &Line<'_>,
    detections: &Detections,
    members: &InputMembers,
    operations: &Operations,
) -> Option<String> {
    let member = line.field.strip_prefix("requestParameters.")?.split('.').next()?;
    let sources = bedrock_sources(line, detections, operations)?;
    let names = named_with(line, "eventName", detections)?;
    let (mut there, mut asked) = (BTreeSet::new(), Vec::new());
    for source in sources {
        for name in operations.names(source).filter(|name| names.contains(lower(name).as_ref())) {
            // What no SDK ships may be sent anything.
            there.extend(members.get(source)?.get(name)?);
            asked.push(name);
        }
    }
    if asked.is_empty() || there.contains(member) || ADDED.contains(&member) {
        return None;
    }
    asked.sort_unstable();
    asked.truncate(3);
    let problem = format!("`{}` is no member of what {} is sent", line.field, asked.join(", "));
    Some(match nearest(member, there.iter().copied()) {
        Some(meant) => {
            format!("{problem}; did you mean `{}`?", line.field.replacen(member, meant, 1))
        }
        None if there.is_empty() => format!("{problem}, which takes none; take this line out"),
        None => format!("{problem}; there are {}", there.into_iter().collect::<Vec<_>>().join(", ")),
    })
}

fn event_sources(line: &Line<'_>, source: &Source, operations: &Operations, report: &mut Report<'_>) {
    let Some(named) = literals(line.item) else { return };
    let written = |name: &String| operations.sources().any(|known| known == name);
    for value in line.item.values.iter().map(ToString::to_string) {
        let name = lower(&value).into_owned();
        if written(&name) {
            continue;
        }
        let place = line.place_of(&value, source);
        if let Some((_, under)) = NEVER_WRITTEN.iter().find(|(never, _)| *never == name) {
            // Beside the one that is meant it does no harm.
            let severity = if named.contains(*under) { Severity::Warning } else { Severity::Error };
            report.add(severity, place, format!("CloudTrail never writes `{value}`; its calls are under `{under}`"));
        } else if !name.ends_with(".amazonaws.com") || name.contains("bedrock") {
            let full = format!("{name}.amazonaws.com");
            let meant =
                operations.sources().find(|known| *known == full).or_else(|| nearest(&name, operations.sources()));
            let (severity, remedy) = match meant {
                Some(meant) => (Severity::Error, format!("did you mean `{meant}`?")),
                None => (Severity::Warning, "it is a service's name and `.amazonaws.com`".to_owned()),
            };
            report.add(severity, place, format!("`{value}` is no event source that is known; {remedy}"));
        }
    }
}

/// Each value must be, or take in, the name of some operation.
fn event_names(
    line: &Line<'_>,
    detections: &Detections,
    source: &Source,
    operations: &Operations,
    report: &mut Report<'_>,
) {
    let Some(sources) = bedrock_sources(line, detections, operations) else { return };
    let names: Vec<&str> = sources.iter().flat_map(|source| operations.names(source)).collect();
    for value in &line.item.values {
        let SigmaValue::String(text) = value else { continue };
        let mut alone = line.item.clone();
        alone.values = vec![value.clone()];
        alone.field.modifiers.retain(|modifier| !matches!(modifier, Modifier::All | Modifier::Neq));
        let Ok(engine) = Engine::of_line(line.selection, &alone) else { continue };
        if names.iter().any(|name| engine.holds(&json!({ "eventName": name }))) {
            continue;
        }
        let remedy = match nearest(&text.original, names.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "look it up in the service's API reference".to_owned(),
        };
        let problem = format!("`{}` is no operation of {} that is known", text.original, sources.join(", "));
        report.add(Severity::Error, line.place_of(&text.original, source), format!("{problem}; {remedy}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_members_goes_with_that_of_operations() {
        let (members, operations) = (input_members(), Operations::builtin());
        assert_eq!(members.values().map(HashMap::len).sum::<usize>(), 526);
        for (source, name, there) in
            members.iter().flat_map(|(source, names)| names.iter().map(move |(name, there)| (source, name, there)))
        {
            let operation = operations.get(source, name).unwrap_or_else(|| panic!("{source} {name}"));
            assert!(operation.required.iter().all(|required| there.contains(&required.as_str())), "{source} {name}");
        }
    }

    /// A source that is recorded after all must not be called wrong.
    #[test]
    fn what_is_never_written_is_no_known_source() {
        let operations = Operations::builtin();
        for (never, under) in NEVER_WRITTEN {
            assert_eq!((operations.names(never).count(), operations.names(under).count() > 0), (0, true), "{never}");
        }
    }
}
