//! Fields that no record holds and that rules can read all the same: what Sigma cannot work out of a record by itself. A
//! policy is a text in a request, an account is a part of an ARN. Knows nothing of rules.

use serde_json::Value;

use super::{Actor, Outcome, Record, is_hidden_literal};

/// A derived field, `derived.` and its name in rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Derived {
    Outcome,
    Actor,
    Model,
    ForeignAccounts,
    ForeignBuckets,
    PolicyPrincipals,
    Actions,
    SelectorsLoseBedrock,
}

/// Every derived field by its name in rules.
pub(crate) const DERIVED: [(&str, Derived); 8] = [
    ("derived.outcome", Derived::Outcome),
    ("derived.actor", Derived::Actor),
    ("derived.model", Derived::Model),
    ("derived.foreign_accounts", Derived::ForeignAccounts),
    ("derived.foreign_buckets", Derived::ForeignBuckets),
    ("derived.policy_principals", Derived::PolicyPrincipals),
    ("derived.actions", Derived::Actions),
    ("derived.selectors_lose_bedrock", Derived::SelectorsLoseBedrock),
];

/// What belongs to the owner of this bedrock-audit.
pub(crate) trait Own {
    /// Whether this account is one of theirs.
    fn account(&self, id: &str) -> bool;
    /// Whether this bucket is one of theirs; nothing as long as they named none.
    fn bucket(&self, name: &str) -> Option<bool>;
}

/// What a derived field holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) values: Vec<String>,
    /// There may be more, which the record does not show.
    pub(crate) hidden: bool,
}

impl Held {
    fn shown(values: Vec<String>) -> Self {
        Self { values, hidden: false }
    }
}

impl Derived {
    /// The members that it is worked out of, which are texts or numbers, besides the [request](Self::wants_request).
    pub(crate) fn members(self) -> &'static [&'static str] {
        match self {
            Self::Outcome => &["errorCode", "errorMessage", "eventSource", "responseElements.statusCode"],
            Self::Actor => &[
                "userIdentity.arn",
                "userIdentity.principalId",
                "userIdentity.invokedBy",
                "userIdentity.sessionContext.sessionIssuer.arn",
                "additionalEventData.jwt.claims.sub",
            ],
            Self::Model => &MODEL_AND_CALL,
            Self::ForeignAccounts
            | Self::ForeignBuckets
            | Self::PolicyPrincipals
            | Self::Actions
            | Self::SelectorsLoseBedrock => {
                &["eventSource", "eventName", "recipientAccountId", "userIdentity.accountId"]
            }
        }
    }

    /// What it holds in a record with none of these members, as nearly all are.
    pub(crate) fn usual(self) -> Option<(&'static str, &'static [&'static str])> {
        match self {
            Self::Outcome => {
                Some((Outcome::Success.as_str(), &["errorCode", "errorMessage", "responseElements.statusCode"]))
            }
            _ => None,
        }
    }

    /// Whether it is worked out of all that was sent.
    pub(crate) fn wants_request(self) -> bool {
        !matches!(self, Self::Outcome | Self::Actor | Self::Model)
    }

    /// Works the field out, of a record that need hold nothing but what it is worked out of. `request_hidden` says that the
    /// operation requires something that the request does not show.
    pub(crate) fn of(self, record: &Record<'_>, request_hidden: bool, own: &dyn Own) -> Held {
        match self {
            Self::Outcome => Held::shown(vec![Outcome::of(record).as_str().to_owned()]),
            Self::Actor => Held::shown(actor(record)),
            Self::Model => model(record),
            Self::SelectorsLoseBedrock => selectors_lose_bedrock(record),
            Self::ForeignAccounts => {
                let request = Request::of(record, request_hidden);
                let Some(recipient) = record.account() else { return Held { values: Vec::new(), hidden: true } };
                let accounts = request.accounts();
                let foreign = accounts.into_iter().filter(|id| id != recipient && !own.account(id)).collect();
                request.held(foreign)
            }
            Self::ForeignBuckets => {
                let request = Request::of(record, request_hidden);
                request.held(request.buckets().into_iter().filter(|name| own.bucket(name) == Some(false)).collect())
            }
            Self::PolicyPrincipals => {
                let request = Request::of(record, request_hidden);
                request.held(distinct(request.policies.iter().flat_map(principals).collect()))
            }
            Self::Actions => {
                let request = Request::of(record, request_hidden);
                request.held(distinct(request.policies.iter().flat_map(actions).collect()))
            }
        }
    }
}

/// Every name that the actor goes by: the session's ARN and that of the role behind it, so that a list may name either.
fn actor(record: &Record<'_>) -> Vec<String> {
    let actor = Actor::of(record);
    distinct([Some(actor.uid), actor.issuer].into_iter().flatten().collect())
}

/// A model in the one form in which models are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ModelName {
    pub(crate) text: String,
    /// The name stands for a model that it does not tell.
    pub(crate) hides_model: bool,
}

/// What cross-Region inference profiles put before the id of a model.
const PROFILES: [&str; 12] = ["us", "us-gov", "eu", "apac", "global", "jp", "au", "ca", "sa", "me", "af", "ap"];

/// The normal form of a model's name: the bare id of a foundation model, from an id, a cross-Region profile or an ARN. Custom
/// and imported models are known by their ARN. An application inference profile, a provisioned throughput, a prompt and the
/// like name something of the account's own, whose model is not told.
pub(crate) fn model_name(name: &str) -> ModelName {
    let name = name.trim();
    let id = |text: &str| {
        let bare = text.split_once('.').filter(|(profile, rest)| PROFILES.contains(profile) && rest.contains('.'));
        ModelName { text: bare.map_or(text, |(_, rest)| rest).to_owned(), hides_model: false }
    };
    if !name.starts_with("arn:") {
        return id(name);
    }
    let resource = name.splitn(6, ':').nth(5).unwrap_or_default();
    match resource.split_once('/') {
        Some(("foundation-model" | "inference-profile", model)) => id(model),
        Some(("custom-model" | "imported-model", _)) => ModelName { text: name.to_owned(), hides_model: false },
        _ => ModelName { text: name.to_owned(), hides_model: true },
    }
}

/// The name of the call, and where requests name the model that they want.
const MODEL_AND_CALL: [&str; 9] = [
    "eventName",
    "requestParameters.modelId",
    "requestParameters.model",
    "requestParameters.modelIdentifier",
    "requestParameters.foundationModel",
    "requestParameters.baseModelIdentifier",
    "requestParameters.modelArn",
    "requestParameters.retrieveAndGenerateConfiguration.knowledgeBaseConfiguration.modelArn",
    "requestParameters.retrieveAndGenerateConfiguration.externalSourcesConfiguration.modelArn",
];

fn model(record: &Record<'_>) -> Held {
    let mut held = Held::default();
    let [_, models @ ..] = MODEL_AND_CALL;
    for name in models.iter().filter_map(|member| record.text(member)) {
        if is_hidden_literal(name) {
            held.hidden = true;
            continue;
        }
        let name = model_name(name);
        held.hidden |= name.hides_model;
        held.values.push(name.text);
    }
    // Every call of this kind names one.
    let calls_a_model = ["InvokeModel", "Converse", "StartAsyncInvoke", "CreateInference"]
        .iter()
        .any(|name| record.event_name().starts_with(name));
    held.hidden |= held.values.is_empty() && calls_a_model;
    held.values = distinct(held.values);
    held
}

/// What was sent, taken apart once.
struct Request<'a> {
    /// Every text with the name of the member that it stands in, outside of policies.
    texts: Vec<(&'a str, &'a str)>,
    /// Every policy, as a document.
    policies: Vec<Value>,
    hidden: bool,
}

impl<'a> Request<'a> {
    /// Iterative: a request is as deep as its sender likes.
    fn of(record: &Record<'a>, request_hidden: bool) -> Self {
        let mut request = Self { texts: Vec::new(), policies: Vec::new(), hidden: request_hidden };
        let mut open: Vec<(&str, &Value)> = record.at("requestParameters").map(|sent| ("", sent)).into_iter().collect();
        while let Some((name, value)) = open.pop() {
            match value {
                Value::Object(members) if members.get("omitted") == Some(&Value::Bool(true)) => request.hidden = true,
                Value::Object(members) if is_policy(name) && member(value, "Statement").is_some() => {
                    request.policies.push(Value::Object(members.clone()));
                }
                Value::Object(members) => open.extend(members.iter().map(|(name, value)| (name.as_str(), value))),
                Value::Array(items) => open.extend(items.iter().map(|value| (name, value))),
                // Something hidden may be what is asked for if its name says that it could.
                Value::String(text) if is_hidden_literal(text) => {
                    request.hidden |= tells_owner(name) || is_policy(name)
                }
                Value::String(text) if is_policy(name) && text.trim_start().starts_with('{') => {
                    match serde_json::from_str(text) {
                        Ok(policy) => request.policies.push(policy),
                        Err(_) => request.hidden = true,
                    }
                }
                Value::String(text) => request.texts.push((name, text)),
                _ => {}
            }
        }
        request
    }

    fn held(&self, values: Vec<String>) -> Held {
        Held { values, hidden: self.hidden }
    }

    /// Every account that the request names: in ARNs, as the owner of something, as a principal that a policy allows.
    fn accounts(&self) -> Vec<String> {
        let named = self.texts.iter().filter_map(|(name, text)| account_of(text).or_else(|| owner(name, text)));
        let named: Vec<String> = named.map(str::to_owned).collect();
        let allowed = self.policies.iter().flat_map(principals).filter_map(|principal| {
            account_of(&principal).or_else(|| is_account(&principal).then_some(principal.as_str())).map(str::to_owned)
        });
        distinct(named.into_iter().chain(allowed).collect())
    }

    /// Every bucket that the request names.
    fn buckets(&self) -> Vec<String> {
        let bucket = |(name, text): &(&str, &str)| -> Option<String> {
            let from_uri = text.strip_prefix("s3://").or_else(|| {
                let mut parts = text.splitn(6, ':');
                let is_bucket = parts.next() == Some("arn") && parts.nth(1) == Some("s3");
                parts.nth(2).filter(|_| is_bucket)
            });
            let named = ["bucketname", "bucket", "s3bucketname", "s3bucket"].contains(&name.to_lowercase().as_str());
            let bucket = from_uri.or_else(|| named.then_some(*text))?;
            bucket.split('/').next().filter(|bucket| !bucket.is_empty()).map(str::to_owned)
        };
        distinct(self.texts.iter().filter_map(bucket).collect())
    }
}

fn is_policy(name: &str) -> bool {
    name.to_ascii_lowercase().contains("policy")
}

/// Whether a member's name says that an account or a bucket stands in it.
fn tells_owner(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["arn", "uri", "account", "accountid", "owner", "bucket", "bucketname"].iter().any(|end| name.ends_with(end))
}

/// The account of an ARN, or of a repository of container images.
fn account_of(text: &str) -> Option<&str> {
    if let Some((account, rest)) = text.split_once(".dkr.ecr.") {
        return Some(account).filter(|account| is_account(account) && rest.contains('/'));
    }
    let mut parts = text.splitn(6, ':');
    let account = parts.next().filter(|arn| *arn == "arn").and_then(|_| parts.nth(3))?;
    // Something must follow: an ARN names a thing.
    parts.next().filter(|_| is_account(account)).map(|_| account)
}

/// An account that stands alone in a member whose name says that it is one.
fn owner<'t>(name: &str, text: &'t str) -> Option<&'t str> {
    let name = name.to_ascii_lowercase();
    let says_so = ["accountid", "account", "accounts", "accountids", "owner", "principals", "principal"];
    Some(text).filter(|text| is_account(text) && says_so.iter().any(|end| name.ends_with(end)))
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A member of a policy's object. IAM does not mind how its elements are written.
fn member<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    value.as_object()?.iter().find(|(member, _)| member.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// The statements of a policy that allow something.
fn allowing(policy: &Value) -> Vec<&Value> {
    let statements = match member(policy, "Statement") {
        Some(Value::Array(statements)) => statements.iter().collect(),
        Some(statement) => vec![statement],
        None => Vec::new(),
    };
    let allows = |statement: &&Value| {
        member(statement, "Effect").and_then(Value::as_str).is_some_and(|effect| effect.eq_ignore_ascii_case("Allow"))
    };
    statements.into_iter().filter(allows).collect()
}

/// Who a policy allows something: `*` for everybody, `*:conditioned` for everybody who meets a condition on who or where they
/// are, accounts by their number, everything else as it is written.
fn principals(policy: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for statement in allowing(policy) {
        let everybody = if limits_the_caller(statement) { "*:conditioned" } else { "*" };
        if member(statement, "NotPrincipal").is_some() {
            found.push(everybody.to_owned());
        }
        let named = match member(statement, "Principal") {
            Some(Value::Object(kinds)) => kinds.values().flat_map(texts).collect(),
            Some(value) => texts(value),
            None => Vec::new(),
        };
        found.extend(named.into_iter().map(|principal| match principal.as_str() {
            "*" => everybody.to_owned(),
            // The account as a whole, in the other way to write it.
            root if root.ends_with(":root") => account_of(root).map_or(root, |account| account).to_owned(),
            _ => principal,
        }));
    }
    found
}

/// What a policy allows, as it is written; `*` where it allows all but something.
fn actions(policy: &Value) -> Vec<String> {
    let of = |statement: &Value| match member(statement, "NotAction") {
        Some(_) => vec!["*".to_owned()],
        None => member(statement, "Action").map(texts).unwrap_or_default(),
    };
    allowing(policy).into_iter().flat_map(of).collect()
}

/// A text, or every text of a list.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::String(text) => vec![text.clone()],
        _ => Vec::new(),
    }
}

/// Condition keys that say who or where the caller is.
const CALLER: [&str; 13] = [
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:userid",
    "aws:sourceaccount",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
    "aws:sourcearn",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:sourceip",
    "aws:vpcsourceip",
];

/// Whether a statement's condition keeps outsiders out. A negated operator does not, nor one that holds where the key is
/// missing, nor a value that everything matches.
fn limits_the_caller(statement: &Value) -> bool {
    let Some(Value::Object(operators)) = member(statement, "Condition") else { return false };
    let limits = |(operator, keys): (&String, &Value)| {
        let operator = operator.to_ascii_lowercase();
        if operator.contains("not") || operator.contains("null") || operator.ends_with("ifexists") {
            return false;
        }
        // `ForAllValues:` holds where there is no value.
        if operator.starts_with("forallvalues") {
            return false;
        }
        let narrow = |value: &Value| {
            let values = texts(value);
            let anybody = |value: &String| ["*", "0.0.0.0/0", "::/0"].contains(&value.as_str());
            !values.is_empty() && !values.iter().any(anybody)
        };
        keys.as_object().is_some_and(|keys| {
            keys.iter().any(|(key, value)| CALLER.contains(&key.to_ascii_lowercase().as_str()) && narrow(value))
        })
    };
    operators.iter().any(limits)
}

/// What a trail no longer records after `PutEventSelectors`: `management` (no management event at all), else `read` or
/// `write` (one half of them), and `data` (no data event of Bedrock's).
fn selectors_lose_bedrock(record: &Record<'_>) -> Held {
    if !record.event_name().eq_ignore_ascii_case("PutEventSelectors") {
        return Held::default();
    }
    let Some(sent) = record.at("requestParameters").filter(|sent| sent.get("omitted") != Some(&Value::Bool(true)))
    else {
        return Held { values: Vec::new(), hidden: true };
    };
    let list = |name: &str| sent.get(name).and_then(Value::as_array);
    let mut kept = Kept::default();
    match (list("advancedEventSelectors"), list("eventSelectors")) {
        (Some(selectors), _) if !selectors.is_empty() => selectors.iter().for_each(|one| kept.add_advanced(one)),
        (_, Some(selectors)) => selectors.iter().for_each(|one| kept.add_basic(one)),
        _ => return Held { values: Vec::new(), hidden: true },
    }
    let mut lost = match (kept.reads, kept.writes) {
        (true, true) => Vec::new(),
        (false, false) => vec!["management".to_owned()],
        (false, true) => vec!["read".to_owned()],
        (true, false) => vec!["write".to_owned()],
    };
    lost.extend((!kept.data).then(|| "data".to_owned()));
    Held::shown(lost)
}

/// What the selectors of a trail keep of Bedrock.
#[derive(Default)]
struct Kept {
    reads: bool,
    writes: bool,
    data: bool,
}

impl Kept {
    /// A basic selector records management events unless it says otherwise, and never data events of Bedrock's.
    fn add_basic(&mut self, selector: &Value) {
        if selector.get("includeManagementEvents").is_some_and(says_no) {
            return;
        }
        let kind = selector.get("readWriteType").and_then(Value::as_str).unwrap_or("All");
        self.reads |= !kind.eq_ignore_ascii_case("WriteOnly");
        self.writes |= !kind.eq_ignore_ascii_case("ReadOnly");
    }

    fn add_advanced(&mut self, selector: &Value) {
        let fields: Vec<&Value> =
            selector.get("fieldSelectors").and_then(Value::as_array).into_iter().flatten().collect();
        let named = |field: &Value| field.get("field").and_then(Value::as_str).unwrap_or_default().to_owned();
        let equals = |wanted: &str| -> Option<Vec<String>> {
            fields.iter().find(|field| named(field) == wanted)?.get("equals").map(texts)
        };
        let category = equals("eventCategory").unwrap_or_default();
        if category.iter().any(|category| category == "Data") {
            let of_bedrock = |kind: &String| kind.starts_with("AWS::Bedrock");
            self.data |= equals("resources.type").is_some_and(|kinds| kinds.iter().any(of_bedrock));
            return;
        }
        // A selector that takes only some sources, names or callers does not keep Bedrock, unless it leaves out others alone.
        let narrow = |field: &&Value| match named(field).as_str() {
            "eventCategory" | "readOnly" => false,
            "eventSource" => {
                let bedrock = |text: &String| text.starts_with("bedrock");
                let left_out = field.get("notEquals").map(texts).unwrap_or_default();
                let others_only = !left_out.is_empty() && !left_out.iter().any(bedrock);
                let taken = field.get("equals").map(texts).unwrap_or_default();
                !others_only && !taken.iter().any(|text| text == "bedrock.amazonaws.com")
            }
            _ => true,
        };
        if !category.iter().any(|category| category == "Management") || fields.iter().any(narrow) {
            return;
        }
        let read_only = equals("readOnly").unwrap_or_default();
        self.reads |= !read_only.iter().any(|value| value == "false");
        self.writes |= !read_only.iter().any(|value| value == "true");
    }
}

fn says_no(value: &Value) -> bool {
    super::boolean(value) == Some(false)
}

/// Each value once, in its order.
fn distinct(values: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    values.into_iter().filter(|value| seen.insert(value.clone())).collect()
}

#[cfg(test)]
mod tests;
