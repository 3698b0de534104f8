//! Who made a call: the three questions of the Bedrock guide (root, user or role? temporary credentials? called by another
//! service?) and the key that tells one actor from another.

use super::{Record, boolean, event_time_ms};

/// Goes by this who has no name in the record.
const UNKNOWN: &str = "unknown";

/// Who made a call, as far as the record says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Actor {
    /// `userIdentity.type`: `Root`, `IAMUser`, `AssumedRole`, ... An open set.
    pub kind: String,
    /// ARN, else principal id, else the invoking service, else the subject of a gateway's JWT, else `unknown`.
    pub uid: String,
    /// The name that people know: user, role, or the service.
    pub name: Option<String>,
    /// The session's name, for an assumed role.
    pub session: Option<String>,
    /// The role or user behind the session.
    pub issuer: Option<String>,
    /// When the session began, in milliseconds since 1970; nothing for a time in which there was no AWS.
    pub session_created_ms: Option<i64>,
    /// `principalId`.
    pub principal_id: Option<String>,
    /// The actor's own account, which need not be the record's.
    pub account: Option<String>,
    /// `accessKeyId`, else `credentialId` of a bearer token.
    pub credential: Option<String>,
    /// The service that made the call for somebody.
    pub invoked_by: Option<String>,
    /// Whether the session was opened with a second factor.
    pub mfa: Option<bool>,
    /// Whether the credentials came from the console.
    pub from_console: bool,
    /// Whether the caller was known by an API key, which is sent as a bearer token. Each service writes it where it likes.
    pub api_key: bool,
}

impl Actor {
    /// The same with every text cut to `most` characters: what a finding keeps of it.
    #[must_use]
    pub(crate) fn shortened(self, most: usize) -> Self {
        let cut = |text: String| if text.len() <= most { text } else { text.chars().take(most).collect() };
        Self {
            kind: cut(self.kind),
            uid: cut(self.uid),
            name: self.name.map(cut),
            session: self.session.map(cut),
            issuer: self.issuer.map(cut),
            principal_id: self.principal_id.map(cut),
            account: self.account.map(cut),
            credential: self.credential.map(cut),
            invoked_by: self.invoked_by.map(cut),
            ..self
        }
    }

    /// Reads it from `userIdentity`.
    #[must_use]
    pub fn of(record: &Record<'_>) -> Self {
        let identity = record.below("userIdentity");
        let context = identity.below("sessionContext");
        let (issuer, attributes) = (context.below("sessionIssuer"), context.below("attributes"));
        let text = |of: Record<'_>, member: &str| of.text(member).map(str::to_owned);
        let arn = text(identity, "arn");
        let principal_id = text(identity, "principalId");
        let invoked_by = text(identity, "invokedBy");
        let subject = text(*record, "additionalEventData.jwt.claims.sub");
        let uid = [&arn, &principal_id, &invoked_by, &subject].into_iter().flatten().next().cloned();
        let session = arn
            .as_deref()
            .filter(|arn| arn.contains(":assumed-role/"))
            .and_then(|arn| arn.rsplit_once('/'))
            .map(|(_, session)| session.to_owned());
        Self {
            kind: text(identity, "type").unwrap_or_else(|| "Unknown".to_owned()),
            uid: uid.unwrap_or_else(|| UNKNOWN.to_owned()),
            name: text(identity, "userName")
                .or_else(|| text(issuer, "userName"))
                .or_else(|| invoked_by.clone().filter(|_| arn.is_none()))
                .or(subject),
            session,
            issuer: text(issuer, "arn"),
            session_created_ms: attributes.text("creationDate").and_then(event_time_ms),
            principal_id,
            account: text(identity, "accountId"),
            credential: text(identity, "accessKeyId").or_else(|| text(identity, "credentialId")),
            invoked_by,
            mfa: attributes.at("mfaAuthenticated").and_then(boolean),
            from_console: record.at("sessionCredentialFromConsole").and_then(boolean).unwrap_or(false),
            api_key: ["additionalEventData.callWithBearerToken", "requestParameters.callWithBearerToken"]
                .iter()
                .any(|place| record.at(place).and_then(boolean) == Some(true)),
        }
    }

    /// Whether the credentials expire by themselves: `ASIA` keys do, `AKIA` keys do not. Nothing where no key is shown.
    #[must_use]
    pub fn temporary_credentials(&self) -> Option<bool> {
        let credential = self.credential.as_deref()?;
        if credential.starts_with("ASIA") {
            Some(true)
        } else if credential.starts_with("AKIA") {
            Some(false)
        } else {
            None
        }
    }

    /// The actor in words, answering the three questions.
    #[must_use]
    pub fn in_words(&self) -> String {
        let name = self.name.as_deref().unwrap_or(&self.uid);
        let mut words = match self.kind.as_str() {
            "Root" => "the root user".to_owned(),
            "IAMUser" => format!("IAM user {name}"),
            "AssumedRole" => match &self.session {
                Some(session) => format!("assumed role {name} (session {session})"),
                None => format!("assumed role {name}"),
            },
            "AWSService" => format!("the AWS service {name}"),
            // A gateway that asks nobody who they are.
            _ if name == UNKNOWN => "somebody of whom the record says nothing".to_owned(),
            kind => format!("{kind} {name}"),
        };
        match self.temporary_credentials() {
            Some(true) => words.push_str(", temporary credentials"),
            Some(false) => words.push_str(", long-term access key"),
            None => {}
        }
        if self.api_key {
            words.push_str(", with an API key");
        }
        if self.from_console {
            words.push_str(", from the console");
        } else if self.credential.is_some() && self.invoked_by.is_none() {
            words.push_str(", not from the console");
        }
        match self.mfa {
            Some(true) => words.push_str(", with MFA"),
            Some(false) => words.push_str(", without MFA"),
            None => {}
        }
        if let Some(service) = self.invoked_by.as_deref().filter(|service| *service != name) {
            words.push_str(", called through ");
            words.push_str(service);
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn words(identity: &Value) -> String {
        Actor::of(&Record::new(&json!({"userIdentity": identity}))).in_words()
    }

    #[test]
    fn the_three_questions_are_answered() {
        let role = json!({
            "type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/Deploy/ci-42",
            "accessKeyId": "ASIAEXAMPLE", "sessionContext": {
                "sessionIssuer": {"userName": "Deploy"}, "attributes": {"mfaAuthenticated": "false"}}
        });
        assert_eq!(
            words(&role),
            "assumed role Deploy (session ci-42), temporary credentials, not from the console, without MFA"
        );
        assert_eq!(words(&json!({"type": "Root", "arn": "arn:aws:iam::111122223333:root"})), "the root user");
        let user = json!({"type": "IAMUser", "userName": "ana", "accessKeyId": "AKIAIOSFODNN7EXAMPLE", "invokedBy": "cloudformation.amazonaws.com"});
        assert_eq!(words(&user), "IAM user ana, long-term access key, called through cloudformation.amazonaws.com");
        assert_eq!(
            words(&json!({"type": "AWSService", "invokedBy": "bedrock.amazonaws.com"})),
            "the AWS service bedrock.amazonaws.com"
        );
        assert_eq!(words(&json!({})), "somebody of whom the record says nothing");
    }

    #[test]
    fn a_gateway_caller_is_known_by_its_token() {
        let record = json!({
            "userIdentity": {"type": "AWSAccount", "principalId": "", "accountId": "anonymous"},
            "additionalEventData": {"jwt": {"claims": {"sub": "client-7"}}}
        });
        assert_eq!(Actor::of(&Record::new(&record)).uid, "client-7");
    }

    #[test]
    fn nobody_is_called_by_a_word_that_looks_like_a_name() {
        let record = json!({"userIdentity": {"type": "AWSAccount", "principalId": "", "accountId": "anonymous"}});
        assert_eq!(Actor::of(&Record::new(&record)).in_words(), "somebody of whom the record says nothing");
    }

    #[test]
    fn a_bearer_token_is_known_by_its_credential() {
        let record = json!({"userIdentity": {"type": "IAMUser", "credentialId": "ACCAEXAMPLE"}});
        assert_eq!(Actor::of(&Record::new(&record)).credential.as_deref(), Some("ACCAEXAMPLE"));
    }
}
